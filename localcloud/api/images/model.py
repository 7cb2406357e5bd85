"""What the state keeps of an image that was made from a server.  System images are in the catalogue."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class Image:
    """A system image (`name` is set), or a snapshot or backup of a server (`name` is None).  Sizes are GB."""

    id: int
    type: Literal["system", "snapshot", "backup"]
    description: str
    created: datetime
    disk_size: float
    os_flavor: str
    os_version: str | None
    architecture: Literal["x86", "arm"] = "x86"
    name: str | None = None
    image_size: float | None = None
    status: Literal["creating", "available", "unavailable"] = "available"
    created_from: tuple[int, str] | None = None
    base: str | None = None
    """Name of the system image that a snapshot's server was made from."""
    bound_to: int | None = None
    """The server that a backup is of, and goes with."""
    protect_delete: bool = False
    labels: dict[str, str] = field(default_factory=dict)
