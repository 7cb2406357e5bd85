"""System images: the one operating system that machines of the local cloud are made with."""

from __future__ import annotations

from datetime import UTC, datetime

from localcloud.api.images.model import Image

SYSTEM_IMAGES = (
    Image(
        id=310557660,
        type="system",
        name="debian-13",
        description="Debian 13",
        created=datetime(2025, 8, 12, 7, 27, 30, tzinfo=UTC),
        disk_size=5,
        os_flavor="debian",
        os_version="13",
    ),
)
