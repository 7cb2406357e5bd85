"""What a server of the local cloud is made of, and what can be done to it.

The HTTP side (`localcloud.api`) decides *what* a server is and keeps that on disk; an implementation of
`Machines` makes it real.  `localcloud.machines.docker` runs systemd containers, `localcloud.machines.none` runs
nothing at all, for tests of many servers.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal, Protocol

PowerState = Literal["running", "off", "missing"]
IPNetwork = IPv4Network | IPv6Network


@dataclass(frozen=True)
class FirewallRule:
    """One inbound rule, as Hetzner has it: what matches no rule is dropped.

    `ports` is an inclusive range for tcp and udp, and None for icmp, esp and gre.
    """

    protocol: Literal["tcp", "udp", "icmp", "esp", "gre"]
    sources: tuple[IPNetwork, ...]
    ports: tuple[int, int] | None = None


@dataclass(frozen=True)
class MachineSpec:
    """Everything a machine is made from.

    `number` is the server's id in the API; every name an implementation gives to something outside (a container,
    a volume) is derived from it and from the name of the cloud, never from `name`, which can change.
    """

    number: int
    name: str
    image: str
    user_data: str
    ssh_keys: tuple[str, ...]
    ipv4: IPv4Address | None
    ipv6: IPv6Address | None
    cores: int
    memory_bytes: int
    disk_bytes: int
    firewall: tuple[FirewallRule, ...] | None = None
    """Inbound rules, or None where no firewall is attached and everything may come in."""
    labels: dict[str, str] = field(default_factory=dict)
    root_password: str | None = None
    """Set only where a server is made without SSH keys: then root may log in with it."""


@dataclass(frozen=True)
class Subnets:
    """The networks servers take their addresses from; `gateway4` and `gateway6` are this machine's own ends.

    As at Hetzner every server gets a whole IPv6 network of 64 bits and uses its first address, so `ipv6` must be
    larger than that (a /48, say); its first /64, which has the gateway in it, is not given away.  The first 16
    addresses of `ipv4` are not given away either.
    """

    ipv4: IPv4Network
    ipv6: IPv6Network
    gateway4: IPv4Address
    gateway6: IPv6Address


class MachineError(Exception):
    """A machine could not be made or changed; the text says what was tried and what the machine answered."""


class Machines(Protocol):
    """A way to run servers.  Every method is idempotent and returns when the thing asked for has happened."""

    async def prepare(self) -> Subnets:
        """Make what all machines share (network, base image) and say which addresses they may take."""
        ...

    async def create(self, spec: MachineSpec) -> None:
        """Make and start the machine; its first boot (cloud-init) may still be under way on return."""
        ...

    async def delete(self, number: int) -> None:
        """Remove the machine and its disk."""
        ...

    async def power_on(self, number: int) -> None:
        """Start a machine that is off."""
        ...

    async def power_off(self, number: int) -> None:
        """Cut the power: no service on it gets a chance to stop."""
        ...

    async def shutdown(self, number: int) -> None:
        """Ask its init to power off, and wait for that."""
        ...

    async def reboot(self, number: int) -> None:
        """Ask its init to reboot.  Its disk and addresses stay."""
        ...

    async def reset(self, number: int) -> None:
        """Cut the power and start it again."""
        ...

    async def rebuild(self, spec: MachineSpec) -> None:
        """Replace its disk with a fresh one from `spec.image` and boot it; the addresses stay."""
        ...

    async def resize(self, spec: MachineSpec) -> None:
        """Give a machine that is off the cores, memory and addresses of `spec`, which may differ from before."""
        ...

    async def set_firewall(self, number: int, rules: tuple[FirewallRule, ...] | None) -> None:
        """Replace the inbound rules; None lets everything in."""
        ...

    async def snapshot(self, number: int, image: str) -> None:
        """Copy the machine's disk under this image name, which `MachineSpec.image` can then have.

        Raises MachineError where snapshots cannot be taken.
        """
        ...

    async def set_root_password(self, number: int, password: str) -> None:
        """Give root of a machine that runs another password."""
        ...

    async def state(self, number: int) -> PowerState:
        """What the machine is doing now."""
        ...

    async def power_states(self, numbers: Collection[int]) -> dict[int, PowerState]:
        """What these machines are doing now, each by its number."""
        ...

    async def release(self) -> None:
        """Stop what `prepare` started and nothing else needs.  Machines keep their disks."""
        ...

    async def destroy(self) -> None:
        """Remove every machine, disk and network of this cloud, and nothing of any other."""
        ...
