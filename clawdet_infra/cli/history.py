"""`clawdet history`: how an instance was over the last days and months, and what happened to it."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from clawdet_infra.cli.output import ErrorCode, Exit, fail, print_json
from clawdet_infra.cli.project import ROOT
from clawdet_infra.formatting import durations
from clawdet_infra.formatting.json_format import fields_of

if TYPE_CHECKING:
    from clawdet_infra.cli.history_view import Past
    from clawdet_infra.monitoring.history import Availability, History

VARIABLE = "CLAWDET_HISTORY"
"""Names the history's database where it is not the one of the checkout."""
_LONGEST = timedelta(days=400)
_SLOTS = 28
_MOST_EVENTS = 1000


def history(
    instance: Annotated[str, typer.Argument(metavar="ID", help="The customer's id.")],
    plot: Annotated[bool, typer.Option("--plot", help="Show availability and latency as bars.")] = False,
    since: Annotated[
        str, typer.Option("--since", help="How far back latency, bars and events go: 90m, 12h, 7d, 4w.")
    ] = "7d",
    json_output: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
) -> None:
    """Show the uptime of an instance over 24 hours, 7, 30 and 90 days, how late it answers, and what happened to it.

    Example: clawdet history acme --plot --since 30d
    """
    # Imported here: the database's packages take longer to load than all other commands' start.
    from clawdet_infra.cli import history_view
    from clawdet_infra.monitoring.history import History, HistoryError

    try:
        span = durations.parse_span(since, _LONGEST)
    except ValueError as error:
        fail(f"--since {since}: {error}", Exit.CONFIGURATION, ErrorCode.USAGE)
    try:
        with History.open(history_url()) as past:
            found = _read(past, instance, datetime.now(UTC), span)
    except HistoryError as error:
        fail(str(error), code=ErrorCode.HISTORY)
    except KeyError as error:
        fail(str(error.args[0]), Exit.CONFIGURATION, ErrorCode.UNKNOWN_CUSTOMER)
    if json_output:
        print_json(_as_json(found, plot))
    else:
        history_view.show(found, plot)


def history_url() -> str:
    """Return the address of the history's database: CLAWDET_HISTORY, else a file of the checkout."""
    return os.environ.get(VARIABLE) or f"sqlite:///{ROOT}/.clawdet/history.db"


def _read(past: History, instance: str, now: datetime, span: timedelta) -> Past:
    from clawdet_infra.cli.history_view import Past

    states = past.states()
    if instance not in states:
        known = ", ".join(sorted(states)[:10]) or "none; looks are kept by: clawdet daemon"
        raise KeyError(f"the history has no looks at a customer {instance}; it has: {known}")
    begin = now - span
    return Past(
        state=states[instance],
        now=now,
        since=begin,
        uptime=past.uptime(instance, now),
        latency=past.latency(instance, begin, now),
        slots=past.timeline(instance, begin, _SLOTS, now),
        events=past.events(instance, since=begin, limit=_MOST_EVENTS),
    )


def _as_json(past: Past, plot: bool) -> dict[str, Any]:
    uptime = past.uptime
    spans = {"24h": uptime.day, "7d": uptime.week, "30d": uptime.month, "90d": uptime.quarter}
    found = {
        "customer": past.state.instance,
        "state": fields_of(past.state, instance="customer", sentence="message"),
        "uptime": {name: _availability(one) for name, one in spans.items()},
        "since": past.since,
        "latency": past.latency,
        "events": [fields_of(event, instance="customer", what="message") for event in past.events],
    }
    if plot:
        found["timeline"] = [{**_availability(one.availability), "latency": one.latency} for one in past.slots]
    return found


def _availability(one: Availability) -> dict[str, Any]:
    return {**fields_of(one, begins="startsAt", ends="endsAt"), "share": one.share, "coverage": one.coverage}
