"""Programs that Python packages carry (Go, Node.js), installed into the cache and checked against their hashes."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


class InstallError(Exception):
    """A package could not be installed; the text has pip's answer."""


def install(requirement: str, folder: Path, progress: Callable[[str], None]) -> Path:
    """Install one package into a folder of its own and return that; one that is there is taken as it is.

    `requirement` is a line of a requirements file, `name==version --hash=sha256:…`, with a hash for each platform.
    """
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            progress(f"installing {requirement.split(maxsplit=1)[0].replace('==', ' ')}")
            _install(requirement, folder)
    return folder


def _install(requirement: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="unfinished-", dir=folder.parent) as work:
        requirements = Path(work) / "requirements.txt"
        requirements.write_text(requirement + "\n")
        target = Path(work) / "target"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
        command += ["--no-deps", "--only-binary=:all:", "--require-hashes"]
        command += ["--target", str(target), "--requirement", str(requirements)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise InstallError(f"{requirement.split()[0]} could not be installed: {done.stderr.strip()[-1000:]}")
        target.rename(folder)
