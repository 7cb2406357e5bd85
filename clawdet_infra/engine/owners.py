"""Whose a resource is: a customer's, a shared host's, or everybody's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from clawdet_infra.resources import (
    AGENT_ENDING,
    CUSTOMER,
    DEPLOYMENT_ENDING,
    DNS_ENDING,
    EDGE_ENDING,
    FORMER_DEPLOYMENT,
    FORMER_DNS_RECORDS,
    FORMER_GATEWAY_TOKEN,
    FORMER_KEY_PAIR,
    FORMER_SERVER,
    HEALTH_CHECK,
    HEALTH_ENDING,
    HOST_KEY_ENDING,
    ID_LABEL,
    LOCAL_COMMAND,
    PASSWORD,
    RECORD_SET,
    REMOTE_COMMAND,
    REMOTE_COPY,
    SERVER,
    SERVER_ENDING,
    SHARED_HOST,
    STACK,
    TOKEN_ENDING,
)

Kind = Literal["customer", "shared host", "shared"]

_COMPONENTS: Mapping[str, Kind] = {CUSTOMER: "customer", SHARED_HOST: "shared host"}

_DEPLOYMENTS: Mapping[Kind, str] = {"customer": DEPLOYMENT_ENDING, "shared host": EDGE_ENDING}
_HOLD_NOTHING = (PASSWORD, LOCAL_COMMAND, REMOTE_COPY)
_TOKENS = (f"{TOKEN_ENDING}-password", TOKEN_ENDING)
# What the parts of a customer or host are called by their types, after its id; the second half until December 2026.
_ENDS: Mapping[str, Sequence[str]] = {
    SERVER: (SERVER_ENDING,),
    PASSWORD: (HOST_KEY_ENDING, *_TOKENS),
    REMOTE_COPY: (AGENT_ENDING,),
    REMOTE_COMMAND: tuple(_DEPLOYMENTS.values()),
    LOCAL_COMMAND: (HEALTH_ENDING,),
    HEALTH_CHECK: (HEALTH_ENDING,),
    FORMER_SERVER: (SERVER_ENDING,),
    FORMER_KEY_PAIR: (HOST_KEY_ENDING,),
    FORMER_DNS_RECORDS: (DNS_ENDING,),
    RECORD_SET: (f"{DNS_ENDING}-a", f"{DNS_ENDING}-aaaa"),
    FORMER_GATEWAY_TOKEN: (TOKEN_ENDING,),
    FORMER_DEPLOYMENT: tuple(_DEPLOYMENTS.values()),
}


@dataclass(frozen=True, order=True)
class Owner:
    """A customer or shared host by its id; of what all share, the id is that of the outermost component around it."""

    kind: Kind
    id: str

    def __str__(self) -> str:
        return f"shared by all: {self.id}" if self.kind == "shared" else f"{self.kind} {self.id}"


class Owners:
    """Finds the owners of what the steps of a preview are about, or the events of an update."""

    def __init__(self, steps: Iterable[Mapping[str, Any]] = ()) -> None:
        self._states: dict[str, Mapping[str, Any]] = {}
        self._parents: dict[str, str] = {}
        for step in steps:
            self.learn(step["urn"], step.get("oldState") or step.get("newState") or {})
            # A record that passes to another customer is that one's from then on.
            parents = [(step.get(which) or {}).get("parent") for which in ("newState", "oldState")]
            if parent := next(filter(None, parents), None):
                self._parents.setdefault(step["urn"], parent)

    def learn(self, urn: str, state: Mapping[str, Any]) -> None:
        """Take in what is known of a resource; what was known of it before stays."""
        self._states.setdefault(urn, state)

    def state(self, urn: str) -> Mapping[str, Any]:
        """Return what is known of a resource: as it was before, else as it is to become."""
        return self._states.get(urn, {})

    @property
    def ids(self) -> set[str]:
        """The ids of the customers and hosts that the steps are about."""
        return {name_of(urn) for urn in self._states if is_owner(urn)}

    def of(self, urn: str) -> Owner:
        """Return whose a resource is, or is to become: that of the innermost customer or host around it."""
        chain = [urn]
        while (parent := self._parents.get(chain[-1])) and parent not in chain:
            chain.append(parent)
        for one in chain:
            if kind := _COMPONENTS.get(type_of(one)):
                return Owner(kind, name_of(one))
        outermost = [one for one in chain if type_of(one) != STACK][-1]
        return _from_name(outermost) or self._from_labels(urn) or Owner("shared", name_of(outermost))

    def _from_labels(self, urn: str) -> Owner | None:
        """Return whose a record is, which is not named after its customer; the rest is as for `_from_name`."""
        within = urn.split("::")[2].split("$")[0] in _COMPONENTS
        identity = labelled(self.state(urn)) if within and type_of(urn) == RECORD_SET else None
        return Owner("customer", identity) if identity else None


def labelled(state: Mapping[str, Any]) -> str | None:
    """Return whose id the labels of a resource have, given one of its states; None where they have none."""
    labels = (state.get("inputs") or {}).get("labels")
    identity = labels.get(ID_LABEL) if isinstance(labels, Mapping) else None
    return identity if isinstance(identity, str) else None


def _from_name(urn: str) -> Owner | None:
    """Return whose a part is by its name, `ID-server` and the like.

    An engine that stops before its end may have told of the part and not of what it is in.
    """
    types = urn.split("::")[2].split("$")
    kind = _COMPONENTS.get(types[0])
    if kind is None or len(types) < 2:
        return None
    # A deployment's name goes on with its server.
    name = name_of(urn).partition("@")[0]
    # A record's name is a host name.
    if "/" in name_of(urn):
        return None
    # Ids may end so too, so the last one counts.
    end = next((one for one in _ENDS.get(type_of(urn), ()) if name.endswith(one)), None)
    if end is None or (end in _DEPLOYMENTS.values() and end != _DEPLOYMENTS[kind]):
        return None
    identity = name.removesuffix(end)
    return Owner(kind, identity) if identity else None


def is_gateway_secret(urn: str) -> bool:
    """Return whether a resource is a customer's gateway token or password, and no SSH key."""
    return type_of(urn) == PASSWORD and name_of(urn).endswith(_TOKENS)


def is_owner(urn: str) -> bool:
    """Return whether a resource is the component of a customer or of a shared host."""
    return type_of(urn) in _COMPONENTS


def type_of(urn: str) -> str:
    """Return the type of a resource, without those of the components around it."""
    return urn.split("::")[2].rpartition("$")[2]


def is_tidying(op: str, urn: str) -> bool:
    """Return whether a step takes away what something else has replaced, and nothing goes with it.

    Also an update that changes nothing of a resource does that, where one that failed before has replaced it.
    """
    return op == "delete-replaced" and type_of(urn) in _HOLD_NOTHING


def name_of(urn: str) -> str:
    """Return the name that the program gave a resource."""
    return urn.split("::", 3)[3]
