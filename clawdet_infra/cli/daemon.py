"""`clawdet daemon`: look after the fleet, day and night."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clawdet_infra.cli.output import ErrorCode, Exit, error, fail, note_lines, warn
from clawdet_infra.cli.project import ROOT
from clawdet_infra.cli.seconds import METAVAR, seconds
from clawdet_infra.cli.stack import ALL_STACKS_HINT, AllStacks, Stacks, choose_stacks

if TYPE_CHECKING:
    from collections.abc import Callable

    from clawdet_infra.cli.daemon_fleet import StackFleet
    from clawdet_infra.monitoring.alerts.channels import Channels
    from clawdet_infra.monitoring.daemon.config import DaemonConfig
    from clawdet_infra.monitoring.daemon.daemon import Daemon
    from clawdet_infra.monitoring.metrics import Readings


def daemon(
    interval: Annotated[
        float | None,
        typer.Option(
            "--interval", parser=seconds(), metavar=METAVAR, help="From one check cycle to the next, such as 1m."
        ),
    ] = None,
    once: Annotated[bool, typer.Option("--once", help="Make one round, with what follows from it, and end.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be repaired, and repair nothing.")] = False,
    stacks: Stacks = None,
    every_stack: AllStacks = False,
    metrics: Annotated[
        str | None, typer.Option(metavar="ADDRESS:PORT", help="Serve /metrics here; PORT alone is on loopback.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Instead of the file that CLAWDET_OPERATIONS names, or .clawdet/operations.yaml."),
    ] = None,
    json_output: Annotated[bool, typer.Option("--json", help="Log JSON, one object a line, to stdout.")] = False,
) -> None:
    """Look at all instances again and again, heal those that are down, and tell people of the rest.

    One process at a time does; a second one stands by.  With --once it ends with 4 where something is down, and with 1
    where the round could not be made.

    Example: clawdet daemon --interval 60 --metrics 127.0.0.1:9811
    """
    # Imported where it is needed: HTTP, SSH, the database and the engine take more than a second.
    import asyncio

    from clawdet_infra.cli.daemon_fleet import StackFleet
    from clawdet_infra.monitoring.alerts.channels import ChannelsError, load_channels
    from clawdet_infra.monitoring.daemon.config import DaemonConfigError
    from clawdet_infra.monitoring.daemon.metrics_server import parse_address

    try:
        address = parse_address(metrics) if metrics else None
        operations = _operations(config)
        if interval is not None:
            operations = replace(operations, interval_seconds=interval)
        channels = load_channels(os.environ, ROOT / ".clawdet" / "alerts.yaml")
    except (DaemonConfigError, ChannelsError, ValueError) as wrong:
        fail(str(wrong), Exit.CONFIGURATION)
    chosen = choose_stacks(stacks, every=every_stack, hint=ALL_STACKS_HINT)
    fleet = StackFleet(chosen, operations.inventory_interval_seconds)
    raise typer.Exit(
        asyncio.run(_look_after(operations, fleet, channels, address, once=once, dry_run=dry_run, as_json=json_output))
    )


def _operations(config: Path | None) -> DaemonConfig:
    from clawdet_infra.monitoring.daemon.config import VARIABLE, load_config

    named = os.environ.get(VARIABLE)
    file = config or (Path(named) if named else ROOT / ".clawdet" / "operations.yaml")
    return load_config(file, required=bool(config or named), warn=warn)


async def _look_after(
    operations: DaemonConfig,
    fleet: StackFleet,
    channels: Channels,
    address: tuple[str, int] | None,
    *,
    once: bool,
    dry_run: bool,
    as_json: bool,
) -> Exit:
    from clawdet_infra.cli.history import history_url
    from clawdet_infra.monitoring.alerts.channels import ChannelsError
    from clawdet_infra.monitoring.alerts.sender import Sender
    from clawdet_infra.monitoring.daemon import factory, logging
    from clawdet_infra.monitoring.daemon.secrets import FleetRedactor
    from clawdet_infra.monitoring.daemon.systemd import SystemdNotifier

    redact = FleetRedactor()
    logging.install(logging.Journal(redact, as_json=as_json, in_systemd="JOURNAL_STREAM" in os.environ))
    try:
        sender = Sender(channels.channels, redact)
    except ChannelsError as wrong:
        error(str(wrong), ErrorCode.CONFIGURATION)
        return Exit.CONFIGURATION
    async with factory.daemon(
        operations,
        fleet,
        history_url(),
        sender,
        heartbeat=channels.heartbeat,
        dry_run=dry_run,
        notifier=SystemdNotifier(os.environ),
        used=redact.use,
    ) as (made, readings):
        return await _once(made) if once else await _run(made, readings, address)


async def _once(made: Daemon) -> Exit:
    from clawdet_infra.monitoring.daemon.daemon import FleetError, HeldError
    from clawdet_infra.monitoring.history import HistoryError

    try:
        report = await made.once()
    except HeldError as held:
        error(str(held), ErrorCode.LOCKED)
        return Exit.ERROR
    except FleetError as unknown:
        error(str(unknown), ErrorCode.INVENTORY)
        return Exit.ERROR
    except HistoryError as broken:
        error(str(broken), ErrorCode.HISTORY)
        return Exit.ERROR
    note_lines()
    if report.down:
        return Exit.RESOURCE
    return Exit.ERROR if report.failed or report.round.unseen else Exit.OK


async def _run(made: Daemon, readings: Callable[[], Readings], address: tuple[str, int] | None) -> Exit:
    import contextlib
    import logging

    from clawdet_infra.monitoring.daemon.daemon import stop_on_signals
    from clawdet_infra.monitoring.daemon.metrics_server import served

    stop_on_signals(made)
    async with contextlib.AsyncExitStack() as stack:
        if address is not None:
            try:
                url = await stack.enter_async_context(served(*address, readings))
            except OSError as refused:
                where = ":".join(map(str, address))
                error(f"metrics cannot be served at {where}: {refused}", ErrorCode.CONFIGURATION)
                return Exit.CONFIGURATION
            logging.getLogger(__name__).info("metrics are at %s", url)
        await made.run()
    return Exit.OK
