"""What an update would delete or replace, and whether anybody has said that it may.

Policies see what the program declares and never what it no longer does, so this is judged from the steps that the
engine plans: the `steps` of `pulumi preview --json`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from clawdet_infra.changes.owners import Owners, name_of, type_of
from clawdet_infra.checks.finding import Finding

MOST_UNNAMED = 5
"""The most customers and hosts that may lose something in one update without being named."""

_DELETES = frozenset({"delete"})
_REPLACES = frozenset({"replace", "create-replacement", "delete-replaced", "import-replacement"})
_SERVER = "hcloud:index/server:Server"
_DATA = {
    _SERVER: "the server, and all data on it",
    "hcloud:index/volume:Volume": "a volume, and all data on it",
    "docker:index/volume:Volume": "a volume, and all data on it",
    "hcloud:index/zone:Zone": "the DNS zone, and all names in it",
}
_COMMAND = "command:remote:Command"


@dataclass(frozen=True, kw_only=True)
class Loss:
    """A resource that an update deletes, or deletes and makes anew.

    `owner` says in words whose it is, `owner_id` is that customer's or host's id (of what the fleet shares: `base` or
    the resource's own name).  `data` says what is gone with it for ever, None where it can be made again as it was.
    `reasons` are the properties whose change replaces it.
    """

    urn: str
    name: str
    owner: str
    owner_id: str
    replaced: bool
    data: str | None
    reasons: tuple[str, ...] = ()

    def is_named(self, named: Collection[str]) -> bool:
        """Whether somebody named the resource or its owner, and thereby said that it may go."""
        return not {self.urn, self.name, self.owner_id}.isdisjoint(named)


def losses(steps: Iterable[Mapping[str, Any]]) -> list[Loss]:
    """Return what the steps of a preview delete or replace, one entry a resource, without Pulumi's mere groupings."""
    steps = list(steps)
    owners = Owners(steps)
    found: dict[str, Loss] = {}
    for step in steps:
        urn, state = step["urn"], step.get("oldState") or {}
        replaced = step["op"] in _REPLACES
        if (replaced or step["op"] in _DELETES) and owners.state(urn).get("custom") and urn not in found:
            owner = owners.of(urn)
            found[urn] = Loss(
                urn=urn,
                name=name_of(urn),
                owner=str(owner),
                owner_id=owner.id,
                replaced=replaced,
                data=_data(type_of(urn), state, replaced),
                reasons=tuple(step.get("replaceReasons") or ()),
            )
    return list(found.values())


def guard(
    steps: Iterable[Mapping[str, Any]], *, named: Collection[str] = (), most: int = MOST_UNNAMED
) -> list[Finding]:
    """Return what must not happen unless it is named: the loss of data, and losses of more than `most` owners.

    `named` has ids of customers or hosts, names of resources, or URNs.  No secret is in a finding.
    """
    unnamed = [loss for loss in losses(steps) if not loss.is_named(named)]
    findings = [_data_finding(loss) for loss in unnamed if loss.data is not None]
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


def _data_finding(loss: Loss) -> Finding:
    why = f" ({', '.join(loss.reasons)} changed)" if loss.reasons else ""
    what = f"would be replaced{why}: the old one goes with" if loss.replaced else "would be deleted, with"
    return Finding(
        rule="data_loss",
        message=f"{loss.name} {what} {loss.data}.",
        hint=f"If that is meant, name it: `{loss.owner_id}`. Else take the change back.",
        concerns=(loss.owner,),
    )


def _data(kind: str, state: Mapping[str, Any], replaced: bool) -> str | None:
    # A tenant of a shared host leaves by the deployment's own removal.  That is how free customers go; but nobody means
    # it where the deployment is only replaced.
    if kind == _COMMAND:
        return "all data of the customer" if replaced and (state.get("inputs") or {}).get("delete") else None
    return _DATA.get(kind)
