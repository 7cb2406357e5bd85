"""A real git repository of the tests' own: commits with messages, branches, and a bare origin to push to."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.stack import ROOT

_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    "GIT_AUTHOR_NAME": "tests",
    "GIT_AUTHOR_EMAIL": "tests@example.com",
    "GIT_COMMITTER_NAME": "tests",
    "GIT_COMMITTER_EMAIL": "tests@example.com",
}


def git(folder: Path, *arguments: str, text: str | None = None) -> str:
    """What a git command prints; the test fails where git says no."""
    done = subprocess.run(
        ["git", "-C", str(folder), *arguments],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **_ENVIRONMENT},
    )
    assert done.returncode == 0, f"git {' '.join(arguments)}:\n{done.stderr}"
    return done.stdout.strip()


@dataclass(frozen=True)
class Repository:
    """A work tree with the branch `main`."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Repository:
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "--quiet", "--initial-branch", "main")
        return cls(folder)

    def commit(self, message: str, files: Mapping[str, str] | None = None) -> str:
        """Commit files, or nothing at all, and return the commit."""
        for name, content in (files or {}).items():
            (self.folder / name).write_text(content)
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--allow-empty", "--cleanup=verbatim", "--file=-", text=message)
        return self.head

    @property
    def head(self) -> str:
        return git(self.folder, "rev-parse", "HEAD")

    def switch(self, branch: str, start: str | None = None) -> None:
        """Go to a branch; with `start`, one that begins there."""
        git(self.folder, "switch", "--quiet", *(["--create", branch, start] if start else [branch]))

    def merge(self, branch: str) -> str:
        """Merge a branch into this one, and return the commit."""
        git(self.folder, "merge", "--quiet", "--no-ff", "--no-edit", branch)
        return self.head


def copy_of_the_checkout(folder: Path) -> Repository:
    """A repository with the files that this checkout has now, committed or not."""
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        source = ROOT / name
        if source.is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, folder / name)
    return Repository.make(folder)
