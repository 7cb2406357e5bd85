"""What containers may not reach, and how often one address may connect to the proxies, as rules of iptables.

Containers reach neither the provider's metadata service, which hands out this server's user data, nor the ports of this
server itself.  The rules are in chains of our own, so that neither Docker's restarts nor ours double or lose one.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

from clawdet_infra.agent.commands import must, run
from clawdet_infra.agent.errors import DeploymentError

_FORWARD, _INPUT = "CLAWDET-FORWARD", "CLAWDET-INPUT"
# Where packets reach our chains from.
_HOOKS = (("DOCKER-USER", _FORWARD), ("FORWARD", "DOCKER-USER"), ("INPUT", _INPUT))
_BRIDGES = ("docker0", "br-+")
_IPV4, _IPV6 = "iptables", "ip6tables"
_SECONDS = 30
# A page takes a few connections, and an attacker who tries passwords needs one for each.  Closed connections do not
# count as held.
_PORTS = ("80", "443")
_HELD, _A_SECOND, _AT_ONCE = "256", "20/second", "100"


def main() -> int:
    """Set the rules, at each boot before Docker starts, which waits for this."""
    try:
        apply()
    except DeploymentError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def apply() -> None:
    """Set the rules.  Raises DeploymentError where that fails."""
    for program in _programs():
        run([program, "-w", "-N", "DOCKER-USER"], seconds=_SECONDS)
        for chain in (_FORWARD, _INPUT):
            if not run([program, "-w", "-N", chain], seconds=_SECONDS).ok:
                _set(program, "-F", chain)
        for rule in _rules(program):
            _set(program, "-A", *rule)
        for chain, target in _HOOKS:
            if not run([program, "-w", "-C", chain, "-j", target], seconds=_SECONDS).ok:
                _set(program, "-I", chain, "-j", target)
        if program == _IPV4:
            _limit()


def holds() -> bool:
    """Return whether packets still pass our chains; another program may have flushed them."""
    hooks = [(chain, target) for chain, target in _HOOKS if target != "DOCKER-USER"]
    return all(
        run([program, "-w", "-C", chain, "-j", target], seconds=_SECONDS).ok
        for program in _programs()
        for chain, target in hooks
    )


def version() -> str:
    """Return what changes whenever the rules do: 16 hexadecimal digits."""
    everything = [[*_rules(program)] for program in (_IPV4, _IPV6)], [_limits(port) for port in _PORTS], _HOOKS
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()[:16]


def _programs() -> tuple[str, ...]:
    # A kernel without IPv6 has nothing to close.
    return (_IPV4, _IPV6) if Path("/proc/net/if_inet6").exists() else (_IPV4,)


def _rules(program: str) -> Iterator[list[str]]:
    for bridge in _BRIDGES:
        coming = ["-i", bridge]
        if program == _IPV4:
            yield [_FORWARD, *coming, "-d", "169.254.0.0/16", "-j", "DROP"]
        else:
            yield [_FORWARD, *coming, "-d", "fe80::/10", "-j", "DROP"]
            yield [_INPUT, *coming, "-p", "ipv6-icmp", "-j", "RETURN"]
        yield [_INPUT, *coming, "-m", "conntrack", "--ctstate", "ESTABLISHED,RELATED", "-j", "RETURN"]
        yield [_INPUT, *coming, "-j", "DROP"]


def _limit() -> None:
    """Limit connections to the proxies.

    They are published over IPv4 alone, by a translation of addresses that keeps the caller's.
    """
    for bridge in _BRIDGES:
        _set(_IPV4, "-A", _FORWARD, "-i", bridge, "-j", "RETURN")
    for port in _PORTS:
        # Docker waits for this, so a kernel that cannot count leaves the proxies without limits, not without service.
        if not all(run([_IPV4, "-w", "-A", *rule], seconds=_SECONDS).ok for rule in _limits(port)):
            print(f"connections to port {port} are not limited", file=sys.stderr)


def _limits(port: str) -> list[list[str]]:
    new = f"{_FORWARD} -p tcp -m conntrack --ctstate NEW --ctdir ORIGINAL --ctorigdstport {port}".split()
    held = f"-m connlimit --connlimit-above {_HELD} --connlimit-mask 32".split()
    often = f"-m hashlimit --hashlimit-name clawdet-{port} --hashlimit-mode srcip --hashlimit-above {_A_SECOND}".split()
    often += f"--hashlimit-burst {_AT_ONCE} --hashlimit-htable-expire 60000".split()
    return [[*new, *counted, "-j", "DROP"] for counted in (held, often)]


def _set(program: str, *rule: str) -> None:
    must([program, "-w", *rule], seconds=_SECONDS, doing="starting the containers' firewall")
