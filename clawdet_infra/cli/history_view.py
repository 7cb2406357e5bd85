"""How the history of an instance looks in a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.table import Table
from rich.text import Text

from clawdet_infra.cli.console import Console
from clawdet_infra.cli.output import echo, print_table
from clawdet_infra.formatting.durations import describe
from clawdet_infra.inventory.observation import Condition, Event, State
from clawdet_infra.monitoring.history import RELATIVE_ERROR, Availability, Percentiles, Slot, Uptime

_SHOWN_EVENTS = 30
_AVAILABILITY_CELLS = 24
_LATENCY_CELLS = 20
# Told apart by their form as well, for those who see or print no colours.
_CELLS = {"healthy": ("█", "green"), "slow": ("▒", "yellow"), "down": ("x", "red"), "unknown": ("·", "bright_black")}


@dataclass(frozen=True, kw_only=True)
class Past:
    """What `clawdet history` knows of an instance: latency, slots and events go back to `since`."""

    state: State
    now: datetime
    since: datetime
    uptime: Uptime
    latency: Percentiles
    slots: Sequence[Slot]
    events: Sequence[Event]


def show(past: Past, plot: bool) -> None:
    """Print it."""
    echo(_headline(past))
    echo("")
    print_table(_uptime_rows(past.uptime))
    echo("")
    echo(_latency(past))
    if plot:
        echo("")
        console = Console(highlight=False)
        console.print(bars(past.slots))
        console.print(_legend())
    echo("")
    _show_events(past)


def bars(slots: Sequence[Slot]) -> Table:
    """Return a table with a line a slot: when it began, how available and how late the instance was."""
    longest = max((slot.latency.p90 or 0 for slot in slots), default=0)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("BEGINS (UTC)", "AVAILABILITY", "UP", "LATENCY p50 █ p90 ▒", "P90"):
        table.add_column(name, justify="right" if name in ("UP", "P90") else "left", no_wrap=True)
    for slot in slots:
        one = slot.availability
        table.add_row(
            f"{one.begins:%m-%d %H:%M}",
            _availability_bar(one),
            percent(one.share),
            _latency_bar(slot.latency, longest),
            seconds(slot.latency.p90),
        )
    return table


def percent(share: float | None) -> str:
    """Return a share for people.  It is rounded down, so that 100 % is said only where it is the truth."""
    return "-" if share is None else f"{math.floor(share * 1e5 + 1e-9) / 1e3:.3f}".rstrip("0").rstrip(".") + " %"


def seconds(value: float | None) -> str:
    """Return a latency for people, with the digits that are known."""
    if value is None:
        return "-"
    return f"{value * 1000:.0f} ms" if value < 0.9995 else f"{value:.1f} s"


def _headline(past: Past) -> str:
    state = past.state
    what = state.condition.value
    if state.condition is Condition.DOWN:
        what += "".join([f" ({state.cause})" if state.cause else "", f", {state.failures} looks in a row"])
    return (
        f"{state.instance} on {state.server}: {what}, since {state.since:%F %T} UTC; "
        f"looked at {describe(past.now - state.observed_at)} ago{f'. {state.sentence}' if state.sentence else ''}"
    )


def _uptime_rows(uptime: Uptime) -> list[tuple[str, ...]]:
    spans = {"24 h": uptime.day, "7 days": uptime.week, "30 days": uptime.month, "90 days": uptime.quarter}
    rows: list[tuple[str, ...]] = [("LAST", "UP", "SLOW", "DOWN", "LOOKED AT")]
    rows += [
        (name, percent(one.share), _length(one.slow), _length(one.down), percent(one.coverage))
        for name, one in spans.items()
    ]
    return rows


def _length(seconds: float) -> str:
    return describe(timedelta(seconds=round(seconds)))


def _latency(past: Past) -> str:
    since, one = f"{past.since:%F %R} UTC", past.latency
    if one.count == 0:
        return f"latency since {since}: no answers"
    shown = ", ".join(f"{name} {seconds(getattr(one, name))}" for name in ("p50", "p90", "p99"))
    return f"latency since {since}: {shown} ({one.count} answers, to {RELATIVE_ERROR:.0%})"


def _show_events(past: Past) -> None:
    if not past.events:
        echo(f"no events since {past.since:%F %R} UTC")
        return
    shown = past.events[:_SHOWN_EVENTS]
    rows = [
        ("TIME (UTC)", "KIND", "WHAT"),
        *((f"{one.at:%F %T}", one.kind, " ".join(one.what.split())) for one in shown),
    ]
    more = len(past.events) - len(shown)
    print_table(rows)
    if more:
        echo(f"… and {more} more before that; see them with --json")


def _availability_bar(one: Availability) -> Text:
    total = max((one.ends - one.begins).total_seconds(), one.observed)
    parts = {"down": one.down, "slow": one.slow, "unknown": total - one.observed, "healthy": one.healthy}
    left, bar = _AVAILABILITY_CELLS, {}
    for name, part in parts.items():
        # A minute of trouble is a cell, however long the slot; all that is left over is what is usual.
        cells = math.ceil(part / total * _AVAILABILITY_CELLS - 1e-9) if name in ("down", "slow") else 0
        cells = round(part / total * _AVAILABILITY_CELLS) if name == "unknown" else cells
        bar[name] = left if name == "healthy" and part else min(left, cells)
        left -= bar[name]
    bar["unknown"] += left
    text = Text()
    for name in ("healthy", "slow", "down", "unknown"):
        cell, style = _CELLS[name]
        text.append(cell * bar[name], style)
    return text


def _latency_bar(one: Percentiles, longest: float) -> Text:
    if one.p50 is None or one.p90 is None or longest == 0:
        return Text("")
    half, most = (max(1, round(value / longest * _LATENCY_CELLS)) for value in (one.p50, one.p90))
    return Text("█" * half, "cyan").append("▒" * (most - half), "cyan")


def _legend() -> Text:
    text = Text()
    for name, (cell, style) in _CELLS.items():
        text.append(cell, style).append(f" {name}  ")
    return text
