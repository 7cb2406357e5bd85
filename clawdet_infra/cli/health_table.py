"""A round as people and programs read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group
from rich.text import Text

from clawdet_infra.agent.readiness import sentence
from clawdet_infra.formatting.columns import columns
from clawdet_infra.formatting.json_format import fields_of
from clawdet_infra.hosts.strays import StrayReport
from clawdet_infra.inventory.instance import Instance
from clawdet_infra.inventory.observation import HostFailure, HostLook, Observation
from clawdet_infra.monitoring.checks import CheckCycle

_COLOURS = {"healthy": "green", "slow": "yellow", "down": "bold red", "not looked at": "magenta"}
_HEAD = ("CUSTOMER", "PLAN", "SERVER", "CONDITION", "SECONDS", "CERTIFICATE")
_HOST_HEAD = ("CONTAINERS", "RESTARTS", "MEMORY", "DISK")
_CONDITION = _HEAD.index("CONDITION")
_UNSEEN = "not looked at"
_WORST_FIRST = ("down", _UNSEEN, "slow", "healthy")


def as_text(
    done: CheckCycle, instances: Mapping[str, Instance], *, host: bool = False, strays: StrayReport | None = None
) -> str:
    """The round in columns, one line an instance, then a line for each stray, and a line that sums it up."""
    head, *rows = _rows(done, instances, host)
    more = strays.sentences if strays else []
    return "\n".join(filter(None, (columns([head, *rows]) if rows else "", *more, _summary(done))))


def as_table(
    done: CheckCycle,
    instances: Mapping[str, Instance],
    *,
    host: bool = False,
    strays: StrayReport | None = None,
    width: int = 80,
) -> Group:
    """The round for a terminal, which has an end: the worst first, in colours, and sentences below the table."""
    head, *rows = _rows(done, instances, host)
    rows.sort(key=lambda row: _WORST_FIRST.index(row[_CONDITION]))
    # As Text: an answer with brackets in it is not markup.
    table = Text(columns([head[:-1], *(row[:-1] for row in rows)], width) if rows else "")
    for condition, colour in _COLOURS.items():
        table.highlight_regex(rf"(?<= ){condition}(?=\s|$)", colour)
    sentences = [Text.assemble((f"{row[0]}: ", _COLOURS[row[_CONDITION]]), row[-1]) for row in rows if row[-1]]
    sentences += [Text(one) for one in (strays.sentences if strays else [])]
    return Group(table, *sentences, Text(_summary(done)))


def facts(done: CheckCycle, instances: Mapping[str, Instance], strays: StrayReport | None = None) -> dict[str, Any]:
    """The round as plain values, for JSON; no secret is in it."""
    return {
        "seconds": done.seconds,
        "conditions": _counts(done),
        "instances": [
            {
                "plan": instances[one.instance].plan,
                "url": instances[one.instance].url,
                **fields_of(one, instance="customer"),
            }
            for one in done.observations
        ],
        "notChecked": done.unseen,
        "strays": strays.strays if strays else None,
    }


def _rows(done: CheckCycle, instances: Mapping[str, Instance], host: bool) -> list[tuple[str, ...]]:
    seen = {one.instance: one for one in done.observations}
    rows: list[tuple[str, ...]] = [(*_HEAD, *(_HOST_HEAD if host else ()), "WHY")]
    for identity in sorted({*seen, *done.unseen}):
        instance, one = instances[identity], seen.get(identity)
        named = (identity, instance.plan, instance.server.name)
        if one is None:
            nothing = ("",) * (2 + (len(_HOST_HEAD) if host else 0))
            rows.append((*named, _UNSEEN, *nothing, "the round's time was over"))
            continue
        days = "" if one.certificate_days is None else f"{one.certificate_days:.0f} days"
        at_host = _host(one.host) if host else ()
        rows.append((*named, one.condition.value, f"{one.latency_seconds:.2f}", days, *at_host, _why(one)))
    return rows


def _why(one: Observation) -> str:
    if one.diagnosis is not None:
        return f"{one.stage}: {one.diagnosis.sentence}"
    if isinstance(one.host, HostFailure):
        return f"The server could not be asked: {one.host.what}"
    if one.condition == "slow":
        stage, seconds = max(one.stage_seconds.items(), key=lambda entry: entry[1])
        return "; ".join(filter(None, (f"{stage} took {seconds:.1f} s", sentence(one.not_ready))))
    return sentence(one.not_ready)


def _host(look: HostLook | HostFailure | None) -> tuple[str, ...]:
    if not isinstance(look, HostLook):
        return ("?",) * len(_HOST_HEAD)
    running = [one for one in look.containers if one.state == "running" and one.health in (None, "healthy")]
    gateway = next((one for one in look.containers if one.service == "gateway"), None)
    memory = f"{look.memory_total_mib - look.memory_available_mib:.0f}/{look.memory_total_mib:.0f} MiB"
    if gateway is not None and gateway.memory_mib is not None:
        limit = f"/{gateway.memory_limit_mib:.0f}" if gateway.memory_limit_mib else ""
        memory = f"{gateway.memory_mib:.0f}{limit} MiB of {memory}"
    return (
        f"{len(running)}/{len(look.containers)}",
        str(sum(one.restarts for one in look.containers)),
        memory,
        f"{max(look.disk_used_share, look.inodes_used_share):.0%}",
    )


def _counts(done: CheckCycle) -> dict[str, int]:
    counts = dict.fromkeys(("healthy", "slow", "down"), 0)
    for one in done.observations:
        counts[one.condition.value] += 1
    return counts


def _summary(done: CheckCycle) -> str:
    counts = {name: count for name, count in {**_counts(done), _UNSEEN: len(done.unseen)}.items() if count}
    said = ", ".join(f"{count} {name}" for name, count in counts.items()) or "no instances"
    return f"{said}; the round took {done.seconds:.1f} s"
