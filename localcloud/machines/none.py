"""No machines: servers that have addresses and a power state, and nothing behind them."""

from __future__ import annotations

from collections.abc import Collection
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from localcloud.machines.base import FirewallRule, MachineSpec, PowerState, Subnets

_SUBNETS = Subnets(
    # Networks set aside for benchmarks and for documentation, so that nothing is ever reached by mistake.
    ipv4=IPv4Network("198.18.0.0/15"),
    ipv6=IPv6Network("2001:db8::/32"),
    gateway4=IPv4Address("198.18.0.1"),
    gateway6=IPv6Address("2001:db8::1"),
)


class NoMachines:
    """Machines in name only, for tests of the API with many servers (`--api-only`)."""

    def __init__(self) -> None:
        self._off: set[int] = set()

    async def prepare(self) -> Subnets:
        """Say which addresses servers take; nothing listens on them."""
        return _SUBNETS

    async def create(self, spec: MachineSpec) -> None:
        """Note that it runs."""
        self._off.discard(spec.number)

    async def delete(self, number: int) -> None:
        """Forget it."""
        self._off.discard(number)

    async def power_on(self, number: int) -> None:
        """Note that it runs."""
        self._off.discard(number)

    async def power_off(self, number: int) -> None:
        """Note that it is off."""
        self._off.add(number)

    async def shutdown(self, number: int) -> None:
        """Note that it is off."""
        self._off.add(number)

    async def reboot(self, number: int) -> None:
        """Note that it runs."""
        self._off.discard(number)

    async def reset(self, number: int) -> None:
        """Note that it runs."""
        self._off.discard(number)

    async def rebuild(self, spec: MachineSpec) -> None:
        """Note that it runs."""
        self._off.discard(spec.number)

    async def resize(self, spec: MachineSpec) -> None:
        """Nothing has a size here."""

    async def set_firewall(self, number: int, rules: tuple[FirewallRule, ...] | None) -> None:
        """Nothing can be reached here anyway."""

    async def snapshot(self, number: int, image: str) -> None:
        """There is no disk that could be copied."""

    async def set_root_password(self, number: int, password: str) -> None:
        """There is no root who could log in."""

    async def state(self, number: int) -> PowerState:
        """Off where it was switched off; nothing here goes off by itself, a restart of the local cloud included."""
        return "off" if number in self._off else "running"

    async def power_states(self, numbers: Collection[int]) -> dict[int, PowerState]:
        """As `state` has it."""
        return {number: await self.state(number) for number in numbers}

    async def release(self) -> None:
        """Nothing was started."""

    async def destroy(self) -> None:
        """Forget all of them."""
        self._off.clear()
