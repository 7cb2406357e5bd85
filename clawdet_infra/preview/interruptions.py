"""For how long, and why, customers get no answer while an update changes what they have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from clawdet_infra.engine.owners import is_gateway_secret, type_of
from clawdet_infra.layout import RECORD_TTL_SECONDS
from clawdet_infra.preview.field_changes import Step, differing, inputs, shown, summary_of
from clawdet_infra.preview.report import Interruption
from clawdet_infra.resources import RECORD_SET, REMOTE_COMMAND, SERVER

GATEWAY_SECONDS = 15
"""How long a gateway needs to stop and to start; see `bench.interruptions`."""

PROXY_SECONDS = 3
"""How long a proxy that is made anew answers nothing, at most."""

SERVER_SECONDS = 180
"""How long a server is away for another type, until the gateway on it answers: what clients of Hetzner's report."""

_COPIED = " longer with much data, which is copied first,"


def interruptions(steps: Iterable[Step]) -> tuple[Interruption, ...]:
    """Return the interruptions that the steps of one customer or shared host bring, the longest first.

    The steps are of somebody who was there before and stays.
    """
    steps = list(steps)
    found = [*_servers(steps), *_moves(steps)]
    if not found:
        # A server that goes down takes its containers along, and one that is new has none yet.
        found += _containers(steps)
    found += _addresses(steps)
    once = dict.fromkeys(found)
    return tuple(sorted(once, key=lambda one: (-one.seconds, one.sentence)))


def _servers(steps: Sequence[Step]) -> Iterator[Interruption]:
    for step in steps:
        if type_of(step["urn"]) != SERVER:
            continue
        kind = shown(inputs(step, "newState").get("serverType"))
        if step["op"] == "replace":
            yield Interruption(
                kind="server", seconds=SERVER_SECONDS, sentence="server made anew: some minutes without an answer"
            )
        elif step["op"] == "update" and inputs(step, "oldState").get("serverType") != kind:
            yield Interruption(
                kind="server",
                seconds=SERVER_SECONDS,
                sentence=f"server is off while it becomes a {kind}: some minutes without an answer",
            )


def _moves(steps: Sequence[Step]) -> Iterator[Interruption]:
    """Yield the move of a customer who leaves one server and gets a deployment on another."""
    made = [step for step in steps if step["op"] == "create" and type_of(step["urn"]) == REMOTE_COMMAND]
    records = [step for step in steps if _leads_elsewhere(step)]
    if made and records:
        seconds = _ttl(records[0])
        yield Interruption(
            kind="move",
            seconds=seconds,
            sentence="another server: without an answer until the deployment is done and DNS leads there, up to "
            f"{seconds} s after the change",
        )


def _containers(steps: Sequence[Step]) -> Iterator[Interruption]:
    again: set[str] = set()
    copied = ""
    shares = False
    for step in steps:
        kind = type_of(step["urn"])
        if step["op"] == "replace" and is_gateway_secret(step["urn"]):
            again |= {"gateway", "proxy"}
        if kind != REMOTE_COMMAND or step["op"] not in ("update", "replace"):
            continue
        before, after = summary_of(inputs(step, "oldState")), summary_of(inputs(step, "newState"))
        shares = shares or "shared host" in after
        again |= _made_anew(before, after)
        if before == after and "stdin" in differing(step):
            # Secrets alone, of which the gateway has most.
            again |= {"gateway", "proxy"}
        if before.get("gateway image") != after.get("gateway image"):
            copied = _COPIED
    if "gateway" in again:
        yield Interruption(
            kind="gateway",
            seconds=GATEWAY_SECONDS,
            sentence=f"gateway restarts, about {GATEWAY_SECONDS} s{copied and ','}{copied} without an answer",
        )
    elif "edge" in again and shares:
        yield Interruption(
            kind="proxy",
            seconds=PROXY_SECONDS,
            sentence=f"proxy restarts, up to {PROXY_SECONDS} s without an answer for each customer on this host",
        )
    elif "proxy" in again:
        yield Interruption(
            kind="proxy", seconds=PROXY_SECONDS, sentence=f"proxy restarts, up to {PROXY_SECONDS} s without an answer"
        )


def _made_anew(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """Return the services whose containers differ; all of them where an older release did not say."""
    old, new = (dict(one.split(" ") for one in side.get("services", "").split(", ") if one) for side in (before, after))
    return {name for name, mark in new.items() if old.get(name) != mark}


def _addresses(steps: Sequence[Step]) -> Iterator[Interruption]:
    records = [step for step in steps if type_of(step["urn"]) == RECORD_SET]
    renamed = [
        (_url(step, "oldState"), _url(step, "newState")) for step in steps if type_of(step["urn"]) == REMOTE_COMMAND
    ]
    for old, new in renamed:
        if old and new and old != new:
            seconds = max((_ttl(step) for step in records), default=RECORD_TTL_SECONDS)
            yield Interruption(
                kind="address",
                seconds=seconds,
                sentence=f"{new} answers when DNS has it and its certificate is there, at most {seconds} s after the "
                f"change; {old} answers no longer",
            )
    if any(old and new and old != new for old, new in renamed) or any(_moves(steps)):
        return
    for step in records:
        if _leads_elsewhere(step):
            yield Interruption(
                kind="address",
                seconds=_ttl(step),
                sentence="DNS leads to another address, which all resolvers have at most "
                f"{_ttl(step)} s after the change",
            )


def _leads_elsewhere(step: Step) -> bool:
    """Say whether a name that was there gets another address."""
    if type_of(step["urn"]) != RECORD_SET or step["op"] != "update":
        return False
    return bool(inputs(step, "oldState").get("records") != inputs(step, "newState").get("records"))


def _url(step: Step, which: str) -> str | None:
    return summary_of(inputs(step, which)).get("url")


def _ttl(step: Step) -> int:
    """Return for how many seconds a resolver keeps what a record said before."""
    ttl = inputs(step, "oldState").get("ttl") or inputs(step, "newState").get("ttl")
    return int(ttl) if isinstance(ttl, int | float) else RECORD_TTL_SECONDS
