"""What the state keeps of a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Status = Literal[
    "initializing", "starting", "running", "stopping", "off", "deleting", "migrating", "rebuilding", "unknown"
]

LOCKING = frozenset(
    {
        "create_server",
        "delete_server",
        "start_server",
        "stop_server",
        "shutdown_server",
        "reboot_server",
        "reset_server",
        "rebuild_server",
        "change_server_type",
        "reset_password",
        "create_image",
        "add_to_placement_group",
        "disable_backup",
    }
)
"""Commands that lock their server while they run: no other operation on it is taken."""


@dataclass(frozen=True)
class Server:
    """One server.  Its addresses are the primary IPs assigned to it, its volumes those attached to it."""

    id: int
    name: str
    created: datetime
    server_type: str
    location: str
    image: int | None
    disk: int
    status: Status
    labels: dict[str, str] = field(default_factory=dict)
    placement_group: int | None = None
    protect_delete: bool = False
    protect_rebuild: bool = False
    backup_window: str | None = None
    """When Hetzner would make backups, as hours of the day (UTC); None where that is not enabled."""
    made: bool = False
    """Whether its machine was made; a server that was never started has none yet."""


@dataclass(frozen=True)
class Boot:
    """What a server's machine is made from, apart from the server because it is large and hardly ever changes.

    `root_password` is set only until the machine was made with it.
    """

    id: int
    user_data: str
    ssh_keys: tuple[str, ...]
    root_password: str | None = None
