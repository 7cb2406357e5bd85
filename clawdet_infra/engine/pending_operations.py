"""What an update that was killed leaves behind, and how the next one takes it up.

A killed `pulumi up` leaves traces of four kinds:

- its lock, which has no expiry in the file backend, and what it was writing beside its files
  (`clawdet_infra.engine.stack_locks`);
- operations that the state calls pending;
- things at Hetzner that such an operation had made already, and that the state does not know.  Made again under the
  same name they are refused, so the stack would be stuck; left alone they would be paid for and forgotten.

The functions here find them.  `clawdet recover` acts on what they find, with Pulumi's own commands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clawdet_infra.resources import FIREWALL, RECORD_SET, SERVER, SSH_KEY, ZONE

if TYPE_CHECKING:
    from hcloud import Client


@dataclass(frozen=True)
class PendingCreate:
    """A creation that was under way when the update died.

    `name` is what the thing is called at Hetzner, and `zone` and `record_type` are set for record sets only.
    """

    urn: str
    type: str
    name: str
    zone: str = ""
    record_type: str = ""

    @property
    def logical_name(self) -> str:
        """The last part of the URN, which begins with the customer's id, or for a record with the host name."""
        return self.urn.rpartition("::")[2]


def pending_creates(exported: Mapping[str, Any]) -> list[PendingCreate]:
    """The creations at Hetzner that `pulumi stack export` calls pending.

    Pending creations of other providers need no care: a random value nobody has seen is made anew, and commands are
    written to be run again.
    """
    operations = exported.get("deployment", {}).get("pending_operations") or []
    return [
        PendingCreate(
            urn=operation["resource"]["urn"],
            type=operation["resource"]["type"],
            name=inputs.get("name", ""),
            zone=inputs.get("zone", ""),
            record_type=inputs.get("type", "") if operation["resource"]["type"] == RECORD_SET else "",
        )
        for operation in operations
        if operation["type"] == "creating" and operation["resource"]["type"] in _FINDERS
        for inputs in [operation["resource"].get("inputs", {})]
    ]


def find_made(client: Client, creates: Sequence[PendingCreate], labels: Mapping[str, str]) -> dict[str, str]:
    """Which of the creations did happen: URN → the id by which the provider reads the thing.

    Only things that carry all of `labels` count: something of another owner that happens to have the same name is
    left alone, and the next update says that the name is taken.
    """
    found: dict[str, str] = {}
    for create in creates:
        thing = _FINDERS[create.type](client, create)
        if thing is not None and labels.items() <= (thing.labels or {}).items():
            found[create.urn] = _identifier(create, thing)
    return found


def adopt(exported: Mapping[str, Any], found: Mapping[str, str]) -> dict[str, Any]:
    """An exported state in which the creations of `found` (URN → id) are done and no creation is pending.

    What the engine notes of a pending creation is the resource as it was asked for; with its id it is a resource of
    the state, whose outputs a refresh fills in.  Where it replaces another one, that one is to be deleted, or was
    deleted before.
    """
    deployment = exported["deployment"]
    resources = deployment.get("resources", [])
    known = {(one["type"], one["id"]) for one in resources if one.get("id") and not one.get("pendingReplacement")}
    pending = deployment.get("pending_operations") or []
    made = [
        # Some of the provider's resources are read by the id among their outputs, others by the resource's own.
        {**resource, "id": identifier, "outputs": {**resource["inputs"], "id": identifier}}
        for operation in pending
        for resource in [operation["resource"]]
        if operation["type"] == "creating"
        and (identifier := found.get(resource["urn"]))
        # Of the same name, and made before.
        and (resource["type"], identifier) not in known
    ]
    left = [operation for operation in pending if operation["type"] != "creating"]
    changed = {**deployment, "resources": _with_made(resources, made), "pending_operations": left}
    return {**exported, "deployment": changed}


def _with_made(resources: Sequence[Mapping[str, Any]], made: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return resources with those that were made, in an order that the engine takes."""
    replaced = {one["urn"] for one in made} & {one["urn"] for one in resources if not one.get("delete")}
    if not replaced:
        # At the end: whatever a resource depends on was finished before it was begun.
        return [*resources, *made]
    going = [one for one in resources if one.get("delete")]
    staying = [*made]
    for one in resources:
        if one["urn"] not in replaced:
            staying += [] if one.get("delete") else [one]
        elif not (one.get("delete") or one.get("pendingReplacement")):
            going.append({**one, "delete": True})
    # What others depend on comes first, and what is to be deleted last: it may have the name of one that stays.
    position = {one["urn"]: number for number, one in enumerate(resources)}
    left = {one["urn"]: one for one in sorted(staying, key=lambda one: position.get(one["urn"], len(position)))}
    ordered: list[Mapping[str, Any]] = []
    while left:
        ready = [urn for urn, one in left.items() if not left.keys() & _needs(one) - {urn}]
        for urn in ready or list(left):
            ordered.append(left.pop(urn))
    return [*ordered, *going]


def _needs(resource: Mapping[str, Any]) -> set[str]:
    """Return the URNs of what has to come before a resource."""
    lists = [resource.get("dependencies") or [], *(resource.get("propertyDependencies") or {}).values()]
    provider = str(resource.get("provider") or "").rpartition("::")[0]
    more = (resource.get("parent"), resource.get("deletedWith"), provider)
    return {urn for urns in lists for urn in urns or []} | {str(urn) for urn in more if urn}


def _identifier(create: PendingCreate, thing: Any) -> str:
    if create.type == RECORD_SET:
        return f"{create.name}/{create.record_type}"
    return str(thing.id)


def _find_record_set(client: Client, create: PendingCreate) -> Any:
    zones = client.zones.get_all(name=create.zone)
    if not zones:
        return None
    record_sets = client.zones.get_rrset_all(zones[0], name=create.name, type=[create.record_type])  # type: ignore[list-item]
    return record_sets[0] if record_sets else None


_FINDERS: dict[str, Callable[[Client, PendingCreate], Any]] = {
    SERVER: lambda client, create: client.servers.get_by_name(create.name),
    SSH_KEY: lambda client, create: client.ssh_keys.get_by_name(create.name),
    FIREWALL: lambda client, create: client.firewalls.get_by_name(create.name),
    ZONE: lambda client, create: next(iter(client.zones.get_all(name=create.name)), None),
    RECORD_SET: _find_record_set,
}
