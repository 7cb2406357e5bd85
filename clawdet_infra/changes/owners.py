"""Whose a resource is: a customer's, a shared host's, or everybody's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["customer", "shared host", "shared"]

STACK = "pulumi:pulumi:Stack"
_COMPONENTS: Mapping[str, Kind] = {"clawdet:index:Customer": "customer", "clawdet:index:SharedHost": "shared host"}


@dataclass(frozen=True, order=True)
class Owner:
    """A customer or shared host by its id; of what all share, the id is that of the outermost component around it."""

    kind: Kind
    id: str

    def __str__(self) -> str:
        return f"shared by all: {self.id}" if self.kind == "shared" else f"{self.kind} {self.id}"


class Owners:
    """Finds the owners of what the steps of a preview are about."""

    def __init__(self, steps: Iterable[Mapping[str, Any]]) -> None:
        self._states: dict[str, Mapping[str, Any]] = {}
        for step in steps:
            self._states.setdefault(step["urn"], step.get("oldState") or step.get("newState") or {})

    def state(self, urn: str) -> Mapping[str, Any]:
        """Return what is known of a resource: as it was before, else as it is to become."""
        return self._states.get(urn, {})

    def of(self, urn: str) -> Owner:
        """Return whose a resource is: that of the innermost customer or host around it."""
        chain = [urn]
        while (parent := self.state(chain[-1]).get("parent")) and parent not in chain:
            chain.append(parent)
        for one in chain:
            if kind := _COMPONENTS.get(type_of(one)):
                return Owner(kind, name_of(one))
        outermost = [one for one in chain if type_of(one) != STACK][-1]
        return _from_name(outermost) or Owner("shared", name_of(outermost))


def _from_name(urn: str) -> Owner | None:
    """Return whose a part is by its name, `ID-server` and the like.

    An engine that stops before its end may have told of the part and not of what it is in.
    """
    types = urn.split("::")[2].split("$")
    kind = _COMPONENTS.get(types[0])
    return Owner(kind, name_of(urn).rpartition("-")[0]) if kind and len(types) > 1 else None


def type_of(urn: str) -> str:
    """Return the type of a resource, without those of the components around it."""
    return urn.split("::")[2].rpartition("$")[2]


def name_of(urn: str) -> str:
    """Return the name that the program gave a resource."""
    return urn.split("::", 3)[3]
