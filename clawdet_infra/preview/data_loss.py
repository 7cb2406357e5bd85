"""What an update would delete or replace, and whether anybody has said that it may.

Policies see what the program declares and never what it no longer does, so this is judged from the steps that the
engine plans: the `steps` of `pulumi preview --json`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clawdet_infra.checks.finding import Finding
from clawdet_infra.config import slug_of
from clawdet_infra.engine.owners import Owner, Owners, is_owner, name_of, type_of
from clawdet_infra.resources import DOCKER_VOLUME, REMOTE_COMMAND, REMOTE_COPY, SERVER, VOLUME, ZONE

MOST_UNNAMED = 5
"""The most customers and hosts that may lose something in one update without being named."""

_DELETES = frozenset({"delete"})
_REPLACES = frozenset({"replace", "create-replacement", "delete-replaced", "import-replacement"})
_DATA = {
    SERVER: "the server, and all data on it",
    VOLUME: "a volume, and all data on it",
    DOCKER_VOLUME: "a volume, and all data on it",
    ZONE: "the DNS zone, and all names in it",
}


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A resource that an update deletes, or deletes and makes anew.

    `owner` says in words whose it is, `owner_id` is that customer's or host's id (of what the fleet shares: `base` or
    the resource's own name).  `data` says what is gone with it for ever, None where it can be made again as it was.
    `reasons` are the properties whose change replaces it.  `names` are those by which it can be allowed.
    """

    urn: str
    name: str
    owner: str
    owner_id: str
    replaced: bool
    data: str | None
    reasons: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()

    def is_named(self, named: Collection[str]) -> bool:
        """Whether somebody named the resource or its owner, and thereby said that it may go."""
        return not self.names.isdisjoint(named)


def losses(steps: Iterable[Mapping[str, Any]]) -> list[Loss]:
    """Return what the steps of a preview delete or replace, one entry a resource, without Pulumi's mere groupings."""
    steps = list(steps)
    owners = Owners(steps)
    staying = _staying(steps)
    found: dict[str, Loss] = {}
    for step in steps:
        urn, state = step["urn"], step.get("oldState") or {}
        replaced = step["op"] in _REPLACES
        if (replaced or step["op"] in _DELETES) and owners.state(urn).get("custom") and _is_lost(urn, found):
            owner = owners.of(urn)
            found[urn] = Loss(
                urn=urn,
                name=name_of(urn),
                owner=str(owner),
                owner_id=owner.id,
                replaced=replaced,
                data=_data(type_of(urn), state, stays=replaced or owner.id in staying),
                reasons=tuple(step.get("replaceReasons") or ()),
                names=_names(urn, owner, owners),
            )
    return list(found.values())


def _is_lost(urn: str, found: Collection[str]) -> bool:
    # A file that was copied stays where it is.
    return urn not in found and type_of(urn) != REMOTE_COPY


def _names(urn: str, owner: Owner, owners: Owners) -> frozenset[str]:
    """Return what a loss can be named by: its URN, its owner's id, and its own name.

    Not by what is also the id of another customer or host: `acme-server` is `acme`'s server, and may be a customer.
    """
    own = {owner.id} if owner.kind != "shared" else {owner.id} - owners.ids
    return frozenset({urn} | own | ({name_of(urn)} - owners.ids))


def left_behind(steps: Iterable[Mapping[str, Any]]) -> list[tuple[Owner, str]]:
    """Return the customers whose deployment the steps give another server, and forget on the old one.

    That is so only where the deployment was last made by a release of before November 2026, whose resource has no name
    of its own for each server.  With each comes the server where it is.
    """
    steps = list(steps)
    owners = Owners(steps)
    hosts = {step["urn"]: ((step.get("oldState") or {}).get("outputs") or {}).get("host") for step in steps}
    found = []
    for step in steps:
        old, new = step.get("oldState") or {}, step.get("newState") or {}
        removable = type_of(step["urn"]) == REMOTE_COMMAND and (old.get("inputs") or {}).get("delete")
        if step["op"] not in ("update", "same") or not removable:
            continue
        owner = owners.of(step["urn"])
        was = next((host for urn, host in hosts.items() if host and owners.of(urn) == owner), None)
        place = name_of(step["urn"]).rpartition("@")[2] if "@" in name_of(step["urn"]) else None
        renamed = name_of(old.get("urn", step["urn"])) != name_of(step["urn"])
        elsewhere = renamed and was and place and not place.startswith("existing-") and slug_of(place) != was
        if elsewhere or not (new.get("inputs") or {}).get("delete"):
            found.append((owner, str(was or "its server")))
    return found


def guard(
    steps: Iterable[Mapping[str, Any]], *, named: Collection[str] = (), most: int = MOST_UNNAMED
) -> list[Finding]:
    """Return what must not happen unless it is named: the loss of data, and losses of more than `most` owners.

    `named` has ids of customers or hosts, names of resources, or URNs.  No secret is in a finding.
    """
    steps = list(steps)
    unnamed = [loss for loss in losses(steps) if not loss.is_named(named)]
    findings = [_data_finding(loss) for loss in unnamed if loss.data is not None]
    findings += [_left_finding(owner, server) for owner, server in left_behind(steps)]
    findings += _old_removals(steps)
    owners = sorted({loss.owner_id for loss in unnamed})
    if len(owners) > most:
        findings.append(
            Finding(
                rule="deletions",
                message=f"{len(owners)} customers, hosts or shared things would lose something in one update; "
                f"at most {most} may without being named.",
                hint="Look whether the list of customers is the one you meant; then name those that it is meant for, "
                "or make the change in several updates.",
                concerns=tuple(owners),
            )
        )
    return findings


def _old_removals(steps: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Return the removals that would take another customer's data with them.

    A deployment is removed by the program that made it.  That of releases of before November 2026, whose resources do
    not name the server, also removes what is called `ID-trial`.
    """
    owners = Owners(steps)
    staying = {slug_of(identity): identity for identity in _staying(steps)}
    findings = []
    for step in steps:
        urn, old = step["urn"], (step.get("oldState") or {}).get("inputs") or {}
        removed = step["op"] in _DELETES | _REPLACES and type_of(urn) == REMOTE_COMMAND and old.get("delete")
        other = staying.get(f"{slug_of(owners.of(urn).id)}-trial") if removed and "@" not in name_of(urn) else None
        if other is not None:
            findings.append(
                Finding(
                    rule="old_removal",
                    message=f"{name_of(urn)} would be removed by a program of before November 2026, which would remove "
                    f"customer {other} on the same server too.",
                    hint="First update without this change, which brings a newer program. Then make it.",
                    concerns=(str(owners.of(urn)),),
                )
            )
    return findings


def _left_finding(owner: Owner, server: str) -> Finding:
    return Finding(
        rule="left_behind",
        message=f"{owner} gets another server, and would go on running on {server} too, with all its data.",
        hint="First update without this change, so that the old deployment can be removed later. Then make it.",
        concerns=(str(owner),),
    )


def _staying(steps: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the ids of customers and hosts that are there after the steps too."""
    return {name_of(step["urn"]) for step in steps if is_owner(step["urn"]) and step["op"] not in _DELETES}


def _data_finding(loss: Loss) -> Finding:
    if type_of(loss.urn) == REMOTE_COMMAND and not loss.replaced:
        return Finding(
            rule="data_loss",
            message=f"{loss.owner} gets another server: {loss.name} would be deleted, with {loss.data}, "
            "and the new one begins without any.",
            hint=f"If that is meant, name it: `{loss.owner_id}`. Else take the change back.",
            concerns=(loss.owner,),
        )
    why = f" ({', '.join(loss.reasons)} changed)" if loss.reasons else ""
    what = f"would be replaced{why}: the old one goes with" if loss.replaced else "would be deleted, with"
    return Finding(
        rule="data_loss",
        message=f"{loss.name} {what} {loss.data}.",
        hint=f"If that is meant, name it: `{loss.owner_id}`. Else take the change back.",
        concerns=(loss.owner,),
    )


def _data(kind: str, state: Mapping[str, Any], *, stays: bool) -> str | None:
    # A tenant of a shared host leaves by the deployment's own removal.  That is how free customers go; but nobody means
    # it where the customer stays, and only the deployment is replaced or gets another server.
    if kind == REMOTE_COMMAND:
        return "all data of the customer" if stays and (state.get("inputs") or {}).get("delete") else None
    return _DATA.get(kind)
