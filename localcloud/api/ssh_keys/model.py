"""What the state keeps of an SSH key."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class SSHKey:
    """A public key that servers can be made with."""

    id: int
    name: str
    public_key: str
    fingerprint: str
    created: datetime
    labels: dict[str, str] = field(default_factory=dict)
