"""What the state has on servers that the provider has not: somebody deleted them in the console.

The provider's plugin fails to delete such a server, and a deployment on one is removed over an SSH connection that is
never made; so nobody could remove their customers.  Both are taken out of the state where they were to be deleted
anyway, and the engine removes the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from clawdet_infra.engine.state import Resource
from clawdet_infra.engine.temporary import private_folder
from clawdet_infra.resources import REMOTE_COMMAND, SERVER, SERVER_ENDING

Exists = Callable[[Collection[int]], Collection[int]]
"""Returns which of some servers, by id, the provider has."""


def gone_servers(resources: Sequence[Resource], exists: Exists) -> dict[str, str]:
    """Return the servers among exported resources that the provider does not have: whose each is, by URN.

    The provider is not asked where there are none.  Raises what `exists` does.
    """
    ids = {str(one["urn"]): int(one["id"]) for one in resources if _is_server(one)}
    there = exists(ids.values()) if ids else ()
    return {urn: owner_of(urn) for urn, number in ids.items() if number not in there}


def owner_of(urn: str) -> str:
    """Return the id of the customer or shared host whose server a URN names."""
    return urn.rpartition("::")[2].removesuffix(SERVER_ENDING)


def commands_on(resources: Sequence[Resource], servers: Collection[str]) -> list[Resource]:
    """Return the commands that run on some servers, by the servers' URNs."""
    return [one for one in resources if one["type"] == REMOTE_COMMAND and not servers_of(one).isdisjoint(servers)]


def servers_of(command: Resource) -> set[str]:
    """Return the URNs that a command's connection comes from; the server that it runs on is one of them."""
    return set((command.get("propertyDependencies") or {}).get("connection") or ())


def forget(stack: str, urns: Collection[str], pulumi: Callable[[Sequence[str]], str]) -> None:
    """Take resources out of a stack's state, and nothing else; `pulumi` runs a command of the engine."""
    if not urns:
        return
    exported: dict[str, Any] = json.loads(pulumi(["stack", "export", "--stack", stack]))
    # Secrets are encrypted in it as they are in the backend; the folder is nobody else's all the same.
    with private_folder() as folder:
        file = folder / "state.json"
        file.write_text(json.dumps(without(exported, urns)), encoding="utf-8")
        pulumi(["stack", "import", "--stack", stack, "--file", str(file)])


def without(exported: Mapping[str, Any], urns: Collection[str]) -> dict[str, Any]:
    """Return an exported state without some resources, and without what others say of them."""
    deployment = exported["deployment"]
    kept = [dict(_cleaned(one, urns)) for one in deployment.get("resources") or () if one["urn"] not in urns]
    return {**exported, "deployment": {**deployment, "resources": kept}}


def _cleaned(resource: Resource, urns: Collection[str]) -> Iterator[tuple[str, Any]]:
    for key, value in resource.items():
        if key == "dependencies":
            yield key, [one for one in value or () if one not in urns]
        elif key == "propertyDependencies":
            yield key, {name: [one for one in found or () if one not in urns] for name, found in (value or {}).items()}
        elif key != "deletedWith" or value not in urns:
            yield key, value


def _is_server(resource: Resource) -> bool:
    return resource["type"] == SERVER and str(resource.get("id", "")).isdigit() and not resource.get("delete")
