"""The network of a cloud's servers: addresses that nothing on this machine uses, and no way out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network
from pathlib import Path

from localcloud.host.command import CommandError, run_async
from localcloud.machines.base import MachineError, Subnets
from localcloud.machines.docker.engine import Engine
from localcloud.machines.docker.names import Names

FIRST, LAST = 16, 250


class Range:
    """The addresses of one cloud: a /16 of 10.0.0.0/8, and a /48 of the unique local addresses of IPv6.

    Servers take theirs from the lower half of the /16; Docker hands out the upper half to containers that need any
    address.  Docker's IPv6 network is the first /64 of the /48.  Each server has a /64 of its own, as on Hetzner
    Cloud; its entry script sets that address, because Docker cannot tell two addresses apart that differ in their
    first half only.
    """

    def __init__(self, ipv4: IPv4Network, ipv6: IPv6Network) -> None:
        self.ipv4 = ipv4
        self.ipv6 = ipv6

    @property
    def gateway4(self) -> IPv4Address:
        """This machine's own address in the network."""
        return self.ipv4[1]

    @property
    def gateway6(self) -> IPv6Address:
        """This machine's own address in the network."""
        return self.ipv6[1]

    @property
    def subnets(self) -> Subnets:
        """What servers may take their addresses from."""
        lower, _ = self.ipv4.subnets(prefixlen_diff=1)
        return Subnets(ipv4=lower, ipv6=self.ipv6, gateway4=self.gateway4, gateway6=self.gateway6)

    def create_arguments(self, names: Names, *, egress: bool) -> list[str]:
        """The arguments of `docker` that make the network."""
        _, upper = self.ipv4.subnets(prefixlen_diff=1)
        return [
            "network",
            "create",
            "--driver=bridge",
            *([] if egress else ["--internal"]),
            f"--label={names.label}",
            f"--opt=com.docker.network.bridge.name={names.bridge}",
            f"--subnet={self.ipv4}",
            f"--ip-range={upper}",
            f"--gateway={self.gateway4}",
            "--ipv6",
            f"--subnet={next(self.ipv6.subnets(new_prefix=64))}",
            f"--gateway={self.gateway6}",
            names.network,
        ]


def candidates(slug: str, taken: Iterable[str]) -> Iterator[Range]:
    """The ranges that a cloud may use, each free of the networks in `taken`.

    Different clouds start at different places, so that two which start at once seldom try the same.
    """
    used = [ip_network(network, strict=False) for network in taken]
    digest = hashlib.sha256(slug.encode()).digest()
    ipv6 = IPv6Network((b"\xfd" + digest[:5] + bytes(10), 48))
    count = LAST - FIRST + 1
    for step in range(count):
        ipv4 = IPv4Network(f"10.{FIRST + (digest[5] + step) % count}.0.0/16")
        if not any(ipv4.version == other.version and ipv4.overlaps(other) for other in used):
            yield Range(ipv4, ipv6)


def isolation_ruleset(names: Names) -> str:
    """The input of `nft -f` that keeps the servers' packets from leaving this machine.

    Docker's internal networks drop such packets, and not in every version for IPv6.  Refusing them first lets a
    program that asks the internet for something fail at once.  Packets that the kernel hands through from server to
    server count as forwarded too, and stay allowed.
    """
    table = f"inet {names.table}"
    return (
        f"table {table}\ndelete table {table}\n"
        f"table {table} {{\n  chain forward {{\n    type filter hook forward priority -10; policy accept;\n"
        f'    iifname "{names.bridge}" oifname != "{names.bridge}" reject with icmpx type admin-prohibited\n'
        f'    oifname "{names.bridge}" iifname != "{names.bridge}" drop\n  }}\n}}\n'
    )


async def ensure_network(engine: Engine, names: Names, home: Path, *, egress: bool) -> Range:
    """Make the network where there is none, with the addresses it had before if it had any."""
    record = home / "network.json"
    chosen = _read(record)
    if await engine.inspect("network", names.network) is None:
        chosen = await _create(engine, names, chosen, egress=egress)
        record.write_text(json.dumps({"ipv4": str(chosen.ipv4), "ipv6": str(chosen.ipv6)}) + "\n")
    elif chosen is None:
        raise MachineError(
            f"the network {names.network} exists, but {record}, which says what addresses it has, is gone: remove "
            f"the servers in it and the network (`docker network rm {names.network}`)"
        )
    try:
        # Docker knows only the first /64; the others are on the same bridge.
        await run_async(["ip", "-6", "route", "replace", str(chosen.ipv6), "dev", names.bridge])
        if not egress:
            await run_async(["nft", "-f", "-"], stdin=isolation_ruleset(names))
    except CommandError as error:
        raise MachineError(str(error)) from error
    return chosen


async def remove_network(engine: Engine, names: Names, home: Path) -> None:
    """Remove the network and its rules; nothing happens where there are none."""
    await engine.run_unless_gone("network", "rm", names.network)
    table = f"inet {names.table}"
    try:
        await run_async(["nft", "-f", "-"], stdin=f"table {table}\ndelete table {table}\n")
    except CommandError as error:
        raise MachineError(str(error)) from error
    (home / "network.json").unlink(missing_ok=True)


async def _create(engine: Engine, names: Names, wanted: Range | None, *, egress: bool) -> Range:
    if wanted is not None:
        await engine.run(*wanted.create_arguments(names, egress=egress))
        return wanted
    refusal: MachineError | None = None
    for candidate in candidates(names.slug, await _taken(engine)):
        try:
            await engine.run(*candidate.create_arguments(names, egress=egress))
        except MachineError as error:
            # Another cloud may have taken it since; anything else will not go away by trying on.
            if "overlaps" not in str(error):
                raise
            refusal = error
        else:
            return candidate
    raise refusal or MachineError("every 10.x.0.0/16 overlaps a network of this machine, so servers have no place")


async def _taken(engine: Engine) -> list[str]:
    routes = json.loads(await run_async(["ip", "-json", "-4", "route", "show", "table", "all"]) or "[]")
    found = {str(route["dst"]) for route in routes if route.get("dst", "default") != "default"}
    ids = (await engine.run("network", "ls", "--quiet")).split()
    if ids:
        text = await engine.run("network", "inspect", "--format", "{{range .IPAM.Config}}{{.Subnet}} {{end}}", *ids)
        found |= set(text.split())
    return sorted(found)


def _read(record: Path) -> Range | None:
    if not record.exists():
        return None
    data = json.loads(record.read_text())
    return Range(IPv4Network(data["ipv4"]), IPv6Network(data["ipv6"]))
