"""What the state keeps of a placement group."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class PlacementGroup:
    """Servers that shall not share a host (type `spread`, the only one there is)."""

    id: int
    name: str
    created: datetime
    labels: dict[str, str] = field(default_factory=dict)
