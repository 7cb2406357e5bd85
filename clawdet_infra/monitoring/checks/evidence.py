"""All that is known of an instance that is down, and the questions that a diagnosis asks of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from clawdet_infra.inventory.observation import ContainerLook, HostFailure, HostLook, ServerStatus
from clawdet_infra.probe import Failure

FULL_SHARE = 0.98
"""From here on a disk counts as full: Docker and databases fail before the last block is taken."""

SCARCE_SHARE = 0.02
"""Below this share of memory that is left, a server does little but look for some."""

NEAR_LIMIT_SHARE = 0.97
"""From here on a container is about to be ended for its memory."""

GATEWAY = "gateway"
PROXY = "proxy"
EDGE = "edge"
"""The proxy of a server that customers share; each has one of their own behind it."""

_NO_SPACE = ("no space left", "enospc", "disk full", "database or disk is full", "disk quota exceeded")
_ASKED_IN_HTTP = ("healthz", "startupz", "readyz", "auth", "api")


def full_disk(look: HostLook) -> str:
    """Say in words what of a server's disk is used up, or nothing where there is room."""
    if look.disk_used_share >= FULL_SHARE:
        return f"The server's disk is full ({look.disk_used_share:.0%} of {look.disk_total_mib:.0f} MiB)"
    if look.inodes_used_share >= FULL_SHARE:
        return f"The server's disk has no room for more files ({look.inodes_used_share:.0%} of its inodes are used)"
    return ""


@dataclass(frozen=True)
class Evidence:
    """A probe's failure, what the server says (None where nobody asked it) and what the provider says of the server."""

    failure: Failure
    host: HostLook | HostFailure | None
    server: ServerStatus | None

    @property
    def look(self) -> HostLook | None:
        """What the server says of itself, where it could be asked."""
        return self.host if isinstance(self.host, HostLook) else None

    @property
    def unasked(self) -> str:
        """Why the server could not be asked, or nothing."""
        return self.host.what if isinstance(self.host, HostFailure) else ""

    @property
    def in_http(self) -> bool:
        """Whether the way to the proxy was good, and an answer was what failed."""
        return self.failure.stage in _ASKED_IN_HTTP

    @property
    def by_the_proxy(self) -> bool:
        """Whether the proxy answered in the gateway's place."""
        # There the gateway itself says 503 while it starts or is not ready.
        own = (502, 504) if self.failure.stage in ("startupz", "readyz") else (502, 503, 504)
        return self.in_http and self.failure.status in own

    @cached_property
    def disk(self) -> str:
        """What of the disk is used up, in words, or nothing."""
        if self.look is not None and (full := full_disk(self.look)):
            return full
        answered = self.failure.last_answer.lower()
        if self.in_http and any(words in answered for words in _NO_SPACE):
            return "The gateway says that it cannot write, since no space is left"
        return ""

    @property
    def memory_is_scarce(self) -> bool:
        """Whether the whole server has next to no memory left."""
        return self.look is not None and self.look.memory_available_mib < SCARCE_SHARE * self.look.memory_total_mib

    @property
    def gateway(self) -> ContainerLook | None:
        """The gateway's container."""
        return self.container(GATEWAY)

    @property
    def gateway_at_its_limit(self) -> bool:
        """Whether the gateway uses all the memory that it may."""
        one = self.gateway
        if one is None or not one.memory_mib or not one.memory_limit_mib:
            return False
        return one.memory_mib >= NEAR_LIMIT_SHARE * one.memory_limit_mib

    @property
    def door(self) -> str:
        """The service that has the server's HTTPS port."""
        return EDGE if self.container(EDGE) else PROXY

    def container(self, service: str) -> ContainerLook | None:
        """Return the container of a service."""
        return next((one for one in self.look.containers if one.service == service), None) if self.look else None

    def stopped(self, service: str) -> bool:
        """Whether the server was asked and has no running container of this service."""
        one = self.container(service)
        return self.look is not None and (one is None or one.state not in ("running", "paused"))

    def state_of(self, service: str) -> str:
        """Say how a service's container is, in words."""
        one = self.container(service)
        if one is None:
            return "there is none"
        often = f", after {one.restarts} restart{'s' if one.restarts > 1 else ''}" if one.restarts else ""
        return f"{one.state}{f', {one.health}' if one.health and one.state == 'running' else ''}{often}"
