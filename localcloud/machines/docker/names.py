"""Names of what a cloud makes outside of its own folder, all derived from the cloud's slug."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

CLOUD_LABEL = "clawdet.cloud"
SERVER_LABEL = "clawdet.server"


@dataclass(frozen=True)
class Names:
    """The names of one cloud's things in Docker and in the kernel."""

    slug: str

    @property
    def network(self) -> str:
        """The Docker network of all servers."""
        return f"clawdet-{self.slug}-servers"

    @property
    def bridge(self) -> str:
        """The network's interface on this machine; the kernel allows 15 characters."""
        return f"cd-{hashlib.sha256(self.slug.encode()).hexdigest()[:10]}"

    @property
    def table(self) -> str:
        """The nftables table on this machine that keeps servers from reaching beyond it."""
        return "clawdet_" + "".join(letter if letter.isalnum() else "_" for letter in self.slug)

    @property
    def label(self) -> str:
        """The label, as in `docker create --label`, that everything of this cloud has."""
        return f"{CLOUD_LABEL}={self.slug}"

    def container(self, number: int) -> str:
        """The container of a server."""
        return f"clawdet-{self.slug}-server-{number}"

    def snapshot(self, image: str) -> str:
        """The Docker image that holds a snapshot of a server's system."""
        return f"clawdet-{self.slug}:{image}"

    @property
    def builder(self) -> str:
        """The container that fills a golden disk."""
        return f"clawdet-{self.slug}-golden"
