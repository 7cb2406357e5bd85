"""Where a local cloud keeps its things, and the name by which everything that it makes is found again."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

DEFAULT_NAME = "local"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,18}[a-z0-9])?")


def cache_directory() -> Path:
    """The folder for what is built once and shared by every cloud of this user: `CLAWDET_CACHE` or the XDG cache."""
    if configured := os.environ.get("CLAWDET_CACHE"):
        return Path(configured).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache").resolve() / "clawdet"


def images_cache() -> Path:
    """Layers, build folders and the storage of the image registry."""
    return cache_directory() / "images"


@dataclass(frozen=True)
class Paths:
    """The files of one cloud.  `home` is absolute, because the cloud's slug is derived from it."""

    name: str
    home: Path

    @classmethod
    def of(cls, name: str = DEFAULT_NAME, home: Path | None = None) -> Paths:
        """The cloud called `name`, kept in `home`, or else under the checkout that is activated or the current folder.

        Raises ValueError where the name cannot be part of the names of containers and networks.
        """
        if not _NAME.fullmatch(name):
            raise ValueError(f"the name '{name}' of a cloud must be 1 to 20 lower-case letters, digits and hyphens")
        default = Path(os.environ.get("CLAWDET_ROOT", "")) / ".clawdet" / "cloud" / name
        return cls(name, (home or default).expanduser().resolve())

    @property
    def slug(self) -> str:
        """Names and labels everything that this cloud makes in Docker; two checkouts never share one."""
        return f"{self.name}-{hashlib.sha256(str(self.home).encode()).hexdigest()[:8]}"

    @property
    def info(self) -> Path:
        """What a program needs to use the cloud, as JSON; it holds the API's token, so its mode is 0600."""
        return self.home / "info.json"

    @property
    def settings(self) -> Path:
        """What was chosen at the first start and stays the same: token, ports."""
        return self.home / "settings.json"

    @property
    def database(self) -> Path:
        """The state of the API."""
        return self.home / "state.db"

    @property
    def log(self) -> Path:
        """Everything that the daemon prints."""
        return self.home / "daemon.log"

    @property
    def progress(self) -> Path:
        """What the starting daemon tells the person who waits for it, one JSON object a line."""
        return self.home / "progress.jsonl"

    @property
    def pid(self) -> Path:
        """The daemon's process id; the daemon holds a lock on this file for as long as it lives."""
        return self.home / "daemon.pid"

    @property
    def running(self) -> Path:
        """What the daemon runs with, written when everything answers, as JSON."""
        return self.home / "running.json"

    @property
    def command_lock(self) -> Path:
        """Held by the one command that starts or stops this cloud at a time."""
        return self.home.with_name(f"{self.home.name}.lock")

    @property
    def authority(self) -> Path:
        """The local CA and what it signed."""
        return self.home / "ca"

    @property
    def trusted(self) -> Path:
        """The certificates to trust, one a file."""
        return self.home / "ca.d"

    @property
    def services(self) -> Path:
        """Configuration and logs of the child processes."""
        return self.home / "services"
