"""`clawdet alert`: try the channels, see the alerts, and keep them quiet during maintenance."""

from __future__ import annotations

import difflib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from clawdet_infra.cli.command import App
from clawdet_infra.cli.history import history_url
from clawdet_infra.cli.output import ErrorCode, Exit, echo, fail, print_json, print_table
from clawdet_infra.cli.project import ROOT
from clawdet_infra.formatting import durations
from clawdet_infra.formatting.json_format import fields_of

if TYPE_CHECKING:
    from clawdet_infra.inventory.observation import State
    from clawdet_infra.monitoring.history import History

_ALERT = {
    "instances": "customers",
    "seen": "message",
    "done": "actions",
    "raised": "raisedAt",
    "told": "notifiedAt",
    "notices": "notifications",
    "resolved": "resolvedAt",
}
_WINDOW = {"begins": "startsAt", "ends": "endsAt"}
"""The names that fields of alerts and windows have in JSON."""

app = App(help="Try the alert channels, see the alerts, and mute them during maintenance.")

_LONGEST = timedelta(days=90)
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command("test")
def try_channels(json_output: Json = False) -> None:
    """Send a test to every channel, and tell of each whether it arrived.

    Channels come from .clawdet/alerts.yaml, or the file that CLAWDET_ALERTS names, and from CLAWDET_ALERT_URLS.
    Ends with 4 where one of them took nothing.

    Example: clawdet alert test
    """
    # Imported where it is needed: apprise takes a third of a second.
    import asyncio

    from clawdet_infra.monitoring.alerts.channels import FILE_VARIABLE, ChannelsError, load_channels
    from clawdet_infra.monitoring.alerts.notification import sample_notification
    from clawdet_infra.monitoring.alerts.sender import Sender, SenderPolicy

    file = Path(os.environ.get(FILE_VARIABLE) or ROOT / ".clawdet" / "alerts.yaml")
    try:
        channels = load_channels(os.environ, file).channels
        sender = Sender(channels, policy=SenderPolicy(attempts=1))
    except ChannelsError as error:
        fail(str(error), Exit.CONFIGURATION)
    if not channels:
        _refuse(f"no channel is set up: list some in {file} (see docs/how-to/alerts.md)")
    deliveries = asyncio.run(sender.send(sample_notification(datetime.now(UTC), socket.gethostname())))
    if json_output:
        print_json(deliveries)
    else:
        rows = [("arrived" if one.arrived else "failed", one.channel, one.problem) for one in deliveries]
        print_table(rows, header=False)
    raise typer.Exit(Exit.OK if all(one.arrived for one in deliveries) else Exit.RESOURCE)


@app.command("list")
def list_alerts(
    since: Annotated[str, typer.Option("--since", help="How far to look back for resolved ones.")] = "7d",
    json_output: Json = False,
) -> None:
    """List the alerts that are open, and those that were resolved lately.

    Example: clawdet alert list --since 30d
    """
    now = datetime.now(UTC)
    begin = now - _duration(since)
    with _history() as history:
        alerts = sorted(history.alerts(begin), key=lambda one: (one.resolved is not None, one.raised))
    if json_output:
        print_json([{**fields_of(one, **_ALERT), "open": one.resolved is None} for one in alerts])
    elif not alerts:
        echo(f"No alert is open, and none was resolved since {_time(begin)}.")
    else:
        rows = [("STATE", "RAISED", "RESOLVED", "ALERT", "TOLD", "SEEN")]
        rows += [
            (
                "resolved" if one.resolved else "open",
                _time(one.raised),
                _time(one.resolved) if one.resolved else "-",
                one.key,
                f"{one.notices}x" if one.notices else "nobody",
                one.seen,
            )
            for one in alerts
        ]
        print_table(rows)


@app.command("mute")
def mute(
    scope: Annotated[str, typer.Argument(help="A customer's id, server:NAME, or all.")],
    duration: Annotated[str, typer.Option("--for", help="How long, such as 30m, 2h or 1d12h; at most 90d.")],
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever reads the list.")] = "",
    begin: Annotated[
        str | None, typer.Option("--from", help="When it begins, such as 2026-05-01T02:00Z; default: now.")
    ] = None,
    json_output: Json = False,
) -> None:
    """Open a maintenance window: no alerts and no repairs for a customer, a server, or all.

    Trouble that outlasts the window is told of at its end.

    Example: clawdet alert mute server:shared-1 --for 2h --reason "new kernel"
    """
    length = _duration(duration)
    now = datetime.now(UTC)
    begins = _moment(begin) if begin else now
    if begins + length <= now:
        _refuse(f"a window from {_time(begins)} for {duration} is over already")
    with _history() as history:
        whole = _scope(scope, history.states())
        window = history.add_window(whole, begins, begins + length, reason)
    if json_output:
        print_json(fields_of(window, **_WINDOW))
    else:
        echo(
            f"Muted {window.scope} from {_time(window.begins)} to {_time(window.ends)}. "
            f"To end it before: clawdet alert unmute {window.id}"
        )


@app.command("unmute")
def unmute(
    number: Annotated[int, typer.Argument(metavar="ID", help="The window's number in `clawdet alert windows`.")],
    json_output: Json = False,
) -> None:
    """End or cancel a maintenance window.

    Example: clawdet alert unmute 3
    """
    with _history() as history:
        removed = history.remove_window(number)
    if not removed:
        _refuse(f"there is no window {number}; see: clawdet alert windows")
    if json_output:
        print_json({"removed": number})
    else:
        echo(f"Window {number} is gone.")


@app.command("windows")
def windows(json_output: Json = False) -> None:
    """List the maintenance windows that are open or to come.

    Example: clawdet alert windows
    """
    now = datetime.now(UTC)
    with _history() as history:
        found = history.windows(now)
    if json_output:
        print_json([{**fields_of(one, **_WINDOW), "open": one.begins <= now} for one in found])
    elif not found:
        echo("Nothing is muted.")
    else:
        rows = [("ID", "STATE", "SCOPE", "FROM", "TO", "REASON")]
        for one in found:
            state = "open" if one.begins <= now else "to come"
            rows.append((str(one.id), state, one.scope, _time(one.begins), _time(one.ends), one.reason))
        print_table(rows)


@contextmanager
def _history() -> Iterator[History]:
    """Open the history, and tell what is wrong with it in a sentence."""
    # Imported where it is needed: the database's library takes half a second.
    from clawdet_infra.monitoring.history import History, HistoryError

    try:
        with History.open(history_url()) as history:
            yield history
    except HistoryError as error:
        fail(str(error), code=ErrorCode.HISTORY)


def _scope(text: str, states: dict[str, State]) -> str:
    """Return the scope that was meant.  A name that no checker has seen is refused: it would mute nothing."""
    if text == "all":
        return text
    kind, colon, name = text.partition(":")
    if not colon:
        kind, name = "instance", text
    known = {"instance": set(states), "server": {one.server for one in states.values()}}
    if kind not in known or not name:
        _refuse(f"`{text}` is no scope; name a customer's id, server:NAME, or all")
    # Before the first round nothing is known, and nothing can be checked.
    if states and name not in known[kind]:
        near = difflib.get_close_matches(name, known[kind], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        _refuse(f"no {'customer' if kind == 'instance' else kind} called {name} was ever looked at{hint}")
    return f"{kind}:{name}"


def _duration(text: str) -> timedelta:
    try:
        return durations.parse_span(text, _LONGEST)
    except ValueError as error:
        _refuse(str(error))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _refuse(f"`{text}` is no time; write it such as 2026-05-01T02:00Z")
    if moment.tzinfo is None:
        _refuse(f"`{text}` has no time zone; for UTC, write {text}Z")
    return moment.astimezone(UTC)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


def _refuse(message: str) -> NoReturn:
    fail(message, Exit.CONFIGURATION)
