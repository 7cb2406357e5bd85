"""Events as the engine writes them to its log, of updates of a stack `prod`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from clawdet_infra.resources import LOCAL_COMMAND, RECORD_SET, REMOTE_COMMAND, SERVER

STACK = "urn:pulumi:prod::clawdet"
CUSTOMER = "clawdet:index:Customer"
# The components that the resources are in, and the names of these.
_INSIDE = {
    SERVER: ("clawdet:index:Server", "-server"),
    RECORD_SET: ("clawdet:index:DnsRecords", "-dns"),
    REMOTE_COMMAND: ("clawdet:index:Deployment", "-deployment"),
    LOCAL_COMMAND: ("clawdet:index:HealthCheck", "-health"),
}
PARTS = (
    (SERVER, "-server"),
    (RECORD_SET, "-dns-a"),
    (REMOTE_COMMAND, "-deployment"),
    (LOCAL_COMMAND, "-health"),
)


def component(identity: str, *, op: str = "create", kind: str = "resourcePreEvent", **outputs: str) -> dict[str, Any]:
    """An event of a customer's own component."""
    urn = f"{STACK}::{CUSTOMER}::{identity}"
    return _event(kind, op, urn, {"type": CUSTOMER, "parent": f"{STACK}::pulumi:pulumi:Stack::s", "outputs": outputs})


def custom(kind: str, type_: str, name: str, *, parent: str, op: str = "create", chain: str = "") -> dict[str, Any]:
    """An event of a resource of a provider; `chain` has the types of the components around it."""
    urn = f"{STACK}::{chain}{type_}::{name}"
    return _event(kind, op, urn, {"type": type_, "parent": parent, "custom": True})


def _event(kind: str, op: str, urn: str, state: dict[str, Any]) -> dict[str, Any]:
    old, new = (state, None) if op.startswith("delete") else (None, state)
    return {"sequence": 1, "timestamp": 1, kind: {"metadata": {"op": op, "urn": urn, "old": old, "new": new}}}


def _part(kind: str, identity: str, type_: str, name: str, op: str) -> dict[str, Any]:
    inside, end = _INSIDE[type_]
    parent = f"{STACK}::{CUSTOMER}${inside}::{identity}{end}"
    return custom(kind, type_, name, parent=parent, op=op, chain=f"{CUSTOMER}${inside}$")


def starts(identity: str, type_: str, name: str, *, op: str = "create") -> dict[str, Any]:
    """The engine begins with a part of a customer."""
    return _part("resourcePreEvent", identity, type_, name, op)


def ends(identity: str, type_: str, name: str, *, op: str = "create") -> dict[str, Any]:
    """The engine has finished it."""
    return _part("resOutputsEvent", identity, type_, name, op)


def fails(identity: str, type_: str, name: str, message: str) -> list[dict[str, Any]]:
    """The engine could not finish it."""
    event = _part("resOpFailedEvent", identity, type_, name, "create")
    urn = event["resOpFailedEvent"]["metadata"]["urn"]
    return [{"diagnosticEvent": {"severity": "error", "message": message, "urn": urn}}, event]


def whole(identity: str, *, op: str = "create") -> Iterator[dict[str, Any]]:
    """All events of a customer with whom all goes well."""
    yield component(identity, op=op)
    for type_, end in PARTS:
        yield starts(identity, type_, f"{identity}{end}", op=op)
        yield ends(identity, type_, f"{identity}{end}", op=op)
    yield component(identity, op=op, kind="resOutputsEvent", url=f"https://{identity}.clawdet.com")


def failed(identity: str, message: str) -> Iterator[dict[str, Any]]:
    """Events of a customer whose deployment fails."""
    yield component(identity)
    yield starts(identity, REMOTE_COMMAND, f"{identity}-deployment")
    yield from fails(identity, REMOTE_COMMAND, f"{identity}-deployment", message)


def removed(identity: str) -> Iterator[dict[str, Any]]:
    """Events of a customer who goes: the parts before what they are in."""
    for type_, end in reversed(PARTS):
        yield starts(identity, type_, f"{identity}{end}", op="delete")
        yield ends(identity, type_, f"{identity}{end}", op="delete")
    yield component(identity, op="delete")
    yield component(identity, op="delete", kind="resOutputsEvent")
