"""`clawdet up`: recover, report, ask, update; and not where data would be lost."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clawdet_infra.cli import engine_options, recover, servers
from clawdet_infra.cli.output import ErrorCode, Exit, echo, error, warn
from clawdet_infra.cli.project import ROOT
from clawdet_infra.cli.seconds import METAVAR, seconds
from clawdet_infra.cli.stack import Stack, choose_stack

if TYPE_CHECKING:
    from clawdet_infra.automation import StageEvent
    from clawdet_infra.preview.report import Report

POLICY_PACK = Path(__file__).resolve().parents[2] / "policy" / "run"
ALLOWED_VARIABLE = "CLAWDET_ALLOW_LOSS"

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}

WAIT_SECONDS = 1800.0
"""How long --wait waits by default: longer than the rollout of a large stack takes."""

_OF_CELLS = (*engine_options.YES, *engine_options.SKIP_PREVIEW, engine_options.NON_INTERACTIVE)
"""The arguments that the update of a cell takes."""


def up(
    context: typer.Context,
    stack: Stack = None,
    no_policy: Annotated[
        bool, typer.Option("--no-policy", help="Do not hold the update against the policies.")
    ] = False,
    allow_loss: Annotated[
        list[str] | None,
        typer.Option(
            "--allow-loss", help=f"What may lose data, by id; may be repeated. Or {ALLOWED_VARIABLE}, with commas."
        ),
    ] = None,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait while another update of the stack runs; says for whom.")
    ] = False,
    wait_timeout: Annotated[
        float,
        typer.Option(
            "--wait-timeout", parser=seconds(), metavar=METAVAR, help="The longest that --wait waits, such as 30m."
        ),
    ] = WAIT_SECONDS,
    show_engine_output: Annotated[
        bool, typer.Option("--show-engine-output", help="Show Pulumi's own preview, question, progress and outputs.")
    ] = False,
) -> None:
    """Show what an update would do, ask, and do it; then say who changed, where each answers, and what failed.

    It first recovers from a killed update, and holds the update against the policies.  Ends with 5, before anything is
    touched, where data would be lost that nobody has named.  An update that another process runs is an error, unless
    --wait is given.  Without a terminal it needs --yes.  Further arguments are handed to `pulumi up`.

    Example: clawdet up -s prod
    """
    stack = choose_stack(stack)
    waiting = recover.Wait(wait_timeout if wait else 0)
    named = allowed(allow_loss or [])
    code = update(
        stack, context.args, policies=not no_policy, named=named, waiting=waiting, engine_output=show_engine_output
    )
    raise typer.Exit(code)


def update(
    stack: str,
    arguments: Sequence[str] = (),
    *,
    policies: bool = True,
    named: Collection[str] | None = None,
    waiting: recover.Wait | None = None,
    engine_output: bool = False,
    begins: Callable[[], None] = lambda: None,
) -> int:
    """Update a stack as `clawdet up` does, and return the exit code: the one way in which commands update stacks.

    `arguments` go to `pulumi up`. `named` is what may lose data, by default what the environment names. `waiting` waits
    for other updates of the stack, by default not at all. `engine_output` leaves the terminal to the engine.
    `begins` is called once nothing stands against the update, right before it begins. Raises typer.Exit where recovery
    fails.
    """
    named = allowed([]) if named is None else named
    waiting = waiting or recover.Wait()
    if (base := _base_of(stack)) != stack:
        return _update_cell(stack, base, arguments, waiting, policies=policies, named=named)
    pack = str(POLICY_PACK) if policies else None
    # Imported where it is needed: it takes time that no other command should wait for.
    from clawdet_infra.cli import engine_update
    from clawdet_infra.preview.run import PreviewOptions, preview
    from clawdet_infra.preview.sources import CheckoutSource

    source = CheckoutSource(stack, ROOT, engine_options.for_preview(arguments))
    if source.problems():  # Recovery changes the state, and must not do so for a configuration that is refused.
        report = preview([source], PreviewOptions())
        _show(report)
        return exit_code(report)
    recovered = recover.run(stack, waiting)
    servers.prepare(stack, lambda: source.cloud, recovered.state)
    held = ["--policy-pack", pack] if pack else []
    engine_output = engine_output or engine_options.asks_for_engine_text(arguments)
    while True:
        made_from = source.fingerprint(policies=policies)
        with _waiting_for(f"Previewing {stack}"):
            report = preview([source], PreviewOptions(policy_pack=pack, named=named, full=True))
        _show(report)
        if (code := exit_code(report)) != Exit.OK:
            return code
        if not engine_output and report.changes and not engine_options.is_confirmed(arguments):
            if (code := _ask(f"Update {stack}?", arguments)) != Exit.OK:
                return code
            if CheckoutSource(stack, ROOT).fingerprint(policies=policies) != made_from:
                echo("The stack's file, the program or an image has changed meanwhile. As it is now:", err=True)
                source = CheckoutSource(stack, ROOT, engine_options.for_preview(arguments))
                continue
        if waiting.waits and _is_updated_by_another(stack):
            # It has begun since, and may change what was previewed.
            recover.run(stack, waiting)
            continue
        begins()
        done = engine_update.run(stack, [*held, *arguments], report, engine_output=engine_output)
        # An engine holds the lock for as long as it runs: where another has it right after, ours was refused.
        refused = done.code != Exit.OK and _is_updated_by_another(stack)
        if refused and waiting.waits:
            recover.run(stack, waiting)
            continue
        done.show()
        break
    ended = done.code
    if refused:
        echo(f"hint: another process updates {stack}. Wait for it: clawdet up -s {stack} --wait", err=True)
        return ended
    if ended != Exit.OK:
        done.note_failures()
    if ended == Exit.OK and made_from is not None and not engine_options.is_partial(arguments):
        _keep(stack, made_from, policies=policies)
    gone = servers.hint_at_gone(stack, lambda: source.cloud)
    if ended != Exit.OK:
        return ended
    # The engine compares with the state alone, so nothing has looked whether these serve.
    off = servers.switched_off(stack, lambda: source.cloud)
    for one in off:
        error(f"server {one} is off. Switch it on with `clawdet power on {one}`", ErrorCode.RESOURCE)
    return Exit.RESOURCE if gone or off else Exit.OK


def _base_of(stack: str) -> str:
    from clawdet_infra.engine.stacks import base_of

    return base_of(stack, ROOT)


def _is_updated_by_another(stack: str) -> bool:
    from clawdet_infra.engine.versions import updating

    return bool(updating(stack))


def _update_cell(
    cell: str, base: str, arguments: Sequence[str], waiting: recover.Wait, *, policies: bool, named: Collection[str]
) -> int:
    """Bring a cell to its base's present settings, and not where that would lose data that nobody has named."""
    from clawdet_infra.automation import AutomationError, DataLossError, Provisioner

    if unknown := [one for one in arguments if one not in _OF_CELLS]:
        error(f"{cell} is a cell, whose update takes no {unknown[0]}", ErrorCode.USAGE)
        return Exit.CONFIGURATION
    if not policies:
        error(f"{cell} is a cell, which is never updated without the policies", ErrorCode.USAGE)
        return Exit.CONFIGURATION
    from clawdet_infra.automation.cells import CellSource
    from clawdet_infra.preview.run import PreviewOptions, preview
    from clawdet_infra.preview.sources import CheckoutSource

    waiting.until_unlocked(cell)
    source = CellSource(cell, CheckoutSource(base, ROOT))
    # Who was deprovisioned is meant to go.
    wish = PreviewOptions(policy_pack=str(POLICY_PACK), named={*named, *source.going()}, full=True)
    with _waiting_for(f"Previewing {cell}"):
        report = preview([source], wish)
    _show(report)
    if (code := exit_code(report)) != Exit.OK:
        return code
    confirmed = engine_options.is_confirmed(arguments)
    if not confirmed and (code := _ask(f"Update {cell} to the settings of {base}?", arguments)) != Exit.OK:
        return code
    touched: set[str] = set()

    def tell(event: StageEvent) -> None:
        touched.add(event.customer)
        echo(f"{event.seconds:6.1f} s  {event.customer}  {event.stage}")

    try:
        with Provisioner(base, root=ROOT) as fleet:
            rows = fleet.update(cell, tell, allow_loss=named)
    except DataLossError as failure:
        error(str(failure), failure.code)
        return Exit.POLICY
    except AutomationError as failure:
        error(str(failure), failure.code)
        return Exit.RESOURCE if failure.action == "retry" else Exit.ERROR
    failed = [one for one in rows if one.phase == "failed"]
    for one in rows:
        if one.phase == "healthy" and one.id in touched:
            echo(f"{one.id}  healthy after {one.deploy_seconds or 0:.0f} s  {one.url}")
    for one in failed:
        error(f"customer {one.id}: {one.error}", ErrorCode.RESOURCE)
    return Exit.RESOURCE if failed else Exit.OK


def can_confirm() -> bool:
    """Return whether a person can be asked before an update, or need not be."""
    return engine_options.is_confirmed(()) or (sys.stdin.isatty() and sys.stderr.isatty())


def _ask(question: str, arguments: Sequence[str]) -> Exit:
    """Ask for leave to update a stack, under the report of what that does."""
    if engine_options.NON_INTERACTIVE in arguments or not can_confirm():
        error("no terminal is there to confirm the update; add --yes. Nothing was changed", ErrorCode.NOT_CONFIRMED)
        return Exit.CONFIGURATION
    if typer.confirm(question, err=True):
        return Exit.OK
    echo("Nothing was changed.", err=True)
    return Exit.ERROR


def allowed(named: Sequence[str]) -> Collection[str]:
    """Return what may lose data: what the options name and what the environment does."""
    listed = os.environ.get(ALLOWED_VARIABLE, "").split(",")
    return {one.strip() for one in (*named, *listed) if one.strip()}


def exit_code(report: Report) -> Exit:
    """Return how a command ends that has this report."""
    if report.misconfigured:
        return Exit.CONFIGURATION
    if report.failed:
        return Exit.ERROR
    return Exit.POLICY if report.refused else Exit.OK


def _waiting_for(what: str) -> AbstractContextManager[object]:
    """Show at a terminal, while it takes, what is waited for."""
    from clawdet_infra.cli.console import Console

    return Console(stderr=True).status(what)


def _show(report: Report) -> None:
    from clawdet_infra.cli.console import Console
    from clawdet_infra.preview.text import as_text

    Console(stderr=True).print(as_text(report))


def _keep(stack: str, made_from: str, *, policies: bool) -> None:
    """Note what the stack was made from, if nobody has changed that meanwhile."""
    from clawdet_infra.preview.saved_fingerprint import save_fingerprint
    from clawdet_infra.preview.sources import CheckoutSource

    source = CheckoutSource(stack, ROOT)
    if source.fingerprint(policies=policies) != made_from:
        return
    if why := save_fingerprint(source, made_from, ROOT):
        warn(f"the next preview will ask the engine, since this update could not be noted: {why}")
