"""Servers that the state has and the provider has not: somebody deleted them in the console.

The provider's plugin fails to delete them, so nobody could remove their customers.  The engine's own refresh forgets
them; it is run for these servers alone, and only where they were to be deleted anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

SERVER = "hcloud:index/server:Server"
_END = "-server"

Exists = Callable[[Collection[int]], Collection[int]]
"""Returns which of some servers, by id, the provider has."""


def gone_servers(resources: Sequence[Mapping[str, Any]], exists: Exists) -> dict[str, str]:
    """Return the servers among exported resources that the provider does not have: whose each is, by URN.

    The provider is not asked where there are none.  Raises what `exists` does.
    """
    ids = {str(one["urn"]): int(one["id"]) for one in resources if _is_server(one)}
    there = exists(ids.values()) if ids else ()
    return {urn: owner_of(urn) for urn, number in ids.items() if number not in there}


def owner_of(urn: str) -> str:
    """Return the id of the customer or shared host whose server a URN names."""
    return urn.rpartition("::")[2].removesuffix(_END)


def forget(stack: str, urns: Collection[str], pulumi: Callable[[Sequence[str]], str]) -> None:
    """Take servers out of a stack's state that the provider does not have; `pulumi` runs a command of the engine."""
    if urns:
        targets = [f"--target={urn}" for urn in sorted(urns)]
        pulumi(["refresh", "--stack", stack, "--yes", "--skip-preview", *targets])


def _is_server(resource: Mapping[str, Any]) -> bool:
    return resource["type"] == SERVER and str(resource.get("id", "")).isdigit() and not resource.get("delete")
