"""What the state keeps of a volume."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class Volume:
    """Block storage of `size` GB that can be attached to one server of its location."""

    id: int
    name: str
    size: int
    location: str
    created: datetime
    status: Literal["creating", "available"] = "creating"
    server: int | None = None
    format: str | None = None
    protect_delete: bool = False
    labels: dict[str, str] = field(default_factory=dict)
