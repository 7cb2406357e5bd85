"""A deployment's folder on the server.

config/<hash>/<name>   files of releases, most of which containers mount; never changed once written
live/Caddyfile         what the proxy reads: that of the current release
releases/<number>/     compose.yaml, .env (0600), release.json
current                link to the release that should run
good                   link to the last release that got ready
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clawdet_infra.agent.files import delete_tree, sync, write

KEPT = 3
_NUMBER = re.compile(r"\d{6}")
_CONFIG = re.compile(r"config/[0-9a-f]{16}/")


@dataclass(frozen=True)
class Release:
    """One release on disk."""

    folder: Path

    @property
    def number(self) -> int:
        """Releases are counted from 1."""
        return int(self.folder.name)

    @property
    def facts(self) -> dict[str, Any]:
        """What is known of the release: its digest, its images by role, its configuration files, its compile cache."""
        return dict(json.loads((self.folder / "release.json").read_text()))

    def holds(self, files: Mapping[str, Any], environment: str, digest: str) -> bool:
        """Whether this release is exactly that."""
        try:
            return (
                self.facts["digest"] == digest
                and (self.folder / ".env").read_text() == environment
                and (self.folder / "compose.yaml").read_text() == files["compose.yaml"]["content"]
            )
        except (OSError, ValueError, KeyError):
            return False


class Releases:
    """The releases of one deployment."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._folder = directory / "releases"

    @property
    def current(self) -> Release | None:
        """The release that should run."""
        return self._linked("current")

    @property
    def good(self) -> Release | None:
        """The last release that got ready."""
        return self._linked("good")

    def stage(self, payload: Mapping[str, Any]) -> Release:
        """Write a release, without making it the current one; one that is there already is used again."""
        for folder in (self.directory, self._folder, self.directory / "config"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files, environment, digest = payload["files"], payload["environment"], payload["digest"]
        for path, file in files.items():
            if _CONFIG.match(path):
                write(self.directory / path, file["content"].encode(), file["mode"])
        for known in (self.current, self.good):
            if known and known.holds(files, environment, digest):
                return known
        number = max((release.number for release in self._all()), default=0) + 1
        config = sorted(path for path in files if _CONFIG.match(path))
        known_of_it = {"digest": digest, "images": payload["images"], "config": config}
        facts = json.dumps({**known_of_it, "compile_cache": payload["compile_cache"]})
        staging = Path(tempfile.mkdtemp(prefix=".new-", dir=self._folder))
        compose = files["compose.yaml"]
        write(staging / "compose.yaml", compose["content"].encode(), compose["mode"])
        write(staging / ".env", environment.encode(), 0o600)
        write(staging / "release.json", facts.encode(), 0o600)
        # The rename makes it a release; before it, a crash leaves a folder that the next run clears away.
        target = self._folder / f"{number:06d}"
        staging.rename(target)
        sync(self._folder)
        return Release(target)

    def activate(self, release: Release) -> None:
        """Make a release the current one, and its Caddyfile the one that the proxy reads."""
        for path in release.facts["config"]:
            if path.endswith("/Caddyfile"):
                write(self.directory / "live" / "Caddyfile", (self.directory / path).read_bytes(), 0o644)
        self._link("current", release)

    def accept(self, release: Release) -> set[str]:
        """Remember that a release got ready, and clear away old ones; returns the images that only those used."""
        self._link("good", release)
        kept = {release.folder for release in (self.current, self.good) if release}
        unused: set[str] = set()
        for number, old in enumerate(sorted(self._all(), key=lambda release: -release.number)):
            if number >= KEPT and old.folder not in kept:
                unused |= set(old.facts["images"].values())
                shutil.rmtree(old.folder)
        for leftover in self._folder.glob(".new-*"):
            shutil.rmtree(leftover)
        used = {match.group() for release in self._all() for match in _CONFIG.finditer(_files(release))}
        for folder in (self.directory / "config").iterdir():
            if f"config/{folder.name}/" not in used:
                shutil.rmtree(folder)
        return unused - {image for release in self._all() for image in release.facts["images"].values()}

    def remove(self) -> None:
        """Delete all of it."""
        # Copies of the customer's data may be in it.
        delete_tree(self.directory)

    def _all(self) -> Iterator[Release]:
        return (Release(folder) for folder in self._folder.iterdir() if _NUMBER.fullmatch(folder.name))

    def _linked(self, name: str) -> Release | None:
        link = self.directory / name
        return Release(link.resolve()) if (link / "release.json").exists() else None

    def _link(self, name: str, release: Release) -> None:
        new = self.directory / f".{name}"
        new.unlink(missing_ok=True)
        new.symlink_to(release.folder.relative_to(self.directory))
        new.rename(self.directory / name)
        sync(self.directory)


def _files(release: Release) -> str:
    """Return a text in which each configuration file of a release is named."""
    return "\n".join([(release.folder / "compose.yaml").read_text(), *release.facts["config"]])
