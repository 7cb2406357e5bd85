"""`clawdet up`: `pulumi up`, after what a killed update left behind was taken up, and not where data would be lost."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clawdet_infra.cli import project, recover, servers
from clawdet_infra.cli.output import echo
from clawdet_infra.cli.project import ROOT, Exit

if TYPE_CHECKING:
    from clawdet_infra.changes.report import Report

POLICY_PACK = Path(__file__).resolve().parents[2] / "policy" / "run"
ALLOWED_VARIABLE = "CLAWDET_ALLOW_LOSS"

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}

WAIT_SECONDS = 1800.0
"""How long --wait waits by default: longer than the rollout of a large stack takes."""

_YES = ("--yes", "-y")
_SKIP = ("--skip-preview", "-f")
_OF_UPDATES = (*_YES, *_SKIP, "--continue-on-error", "--expect-no-changes", "--json", "-j")
"""What `pulumi up` takes and our preview must not."""
_WITH_A_VALUE = ("--plan", "--event-log")
"""The same, of those that the next argument belongs to."""

_ENGINE_TEXT = ("--diff", "--json", "-j", "--event-log", "--debug", "-d", "--strict")
"""What asks for the engine's own text, as does every `--show-…`; or for its own preview."""

_NON_INTERACTIVE = "--non-interactive"
_QUIETLY = (_NON_INTERACTIVE, "--color", "never", "--suppress-outputs", "--suppress-progress")

_IN_PART = ("--target", "-t", "--exclude", "-x", "--config", "-c", "--plan")
"""With these an update does not make all of what the stack's file says."""


def up(
    context: typer.Context,
    stack: Annotated[str, typer.Option("--stack", "-s", help="The stack to update.")],
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
        float, typer.Option("--wait-timeout", min=1, metavar="SECONDS", help="The longest that --wait waits.")
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
    events: Path | None = None,
) -> int:
    """Update a stack as `clawdet up` does, and return the exit code: the one way in which commands update stacks.

    `arguments` go to `pulumi up`. `named` is what may lose data, by default what the environment names. `waiting` waits
    for other updates of the stack, by default not at all. `engine_output` leaves the terminal to the engine; else its
    events are in the file `events` afterwards. Raises typer.Exit where recovery fails.
    """
    named = allowed([]) if named is None else named
    waiting = waiting or recover.Wait()
    if (base := _base_of(stack)) != stack:
        return _update_cell(stack, base, arguments, waiting, policies=policies, named=named)
    recover.run(stack, waiting)
    servers.prepare(stack)
    pack = str(POLICY_PACK) if policies else None
    # Imported where it is needed: it takes time that no other command should wait for.
    from clawdet_infra.changes.checkout import CheckoutSource
    from clawdet_infra.changes.previewing import Wish, preview

    source = CheckoutSource(stack, ROOT, _for_preview(arguments))
    held = ["--policy-pack", pack] if pack else []
    engine_output = engine_output or _asks_for_engine_text(arguments)
    while True:
        made_from = source.fingerprint(policies=policies)
        report = preview([source], Wish(policy_pack=pack, named=named, full=True))
        _show(report)
        if (code := exit_code(report)) != Exit.OK:
            return code
        if not engine_output and report.changes and not _said_yes(arguments):
            if (code := _ask(stack, arguments)) != Exit.OK:
                return code
            if CheckoutSource(stack, ROOT).fingerprint(policies=policies) != made_from:
                echo("The stack's file, the program or an image has changed meanwhile. As it is now:", err=True)
                source = CheckoutSource(stack, ROOT, _for_preview(arguments))
                continue
        if waiting.waits and _is_updated_by_another(stack):
            # It has begun since, and may change what was previewed.
            recover.run(stack, waiting)
            continue
        if engine_output:
            ended, tell = _engine_alone(stack, held, arguments), None
        else:
            ended, tell = _follow(stack, held, arguments, report, events)
        # An engine holds the lock for as long as it runs: where another has it right after, ours was refused.
        refused = ended != Exit.OK and _is_updated_by_another(stack)
        if tell and not (refused and waiting.waits):
            tell()
        if not refused:
            break
        if not waiting.waits:
            echo(f"hint: another process updates {stack}. Wait for it: clawdet up -s {stack} --wait", err=True)
            return ended
        recover.run(stack, waiting)
    if ended == Exit.OK and made_from is not None and not _in_part(arguments):
        _keep(stack, made_from, policies=policies)
    gone = servers.hint_at_gone(stack)
    if ended != Exit.OK:
        return ended
    # The engine compares with the state alone, so nothing has looked whether these serve.
    off = servers.switched_off(stack)
    for one in off:
        echo(f"error: server {one} is off. Switch it on with `clawdet power on {one}`", err=True)
    return Exit.RESOURCE if gone or off else Exit.OK


def _base_of(stack: str) -> str:
    from clawdet_infra.inventory.stacks import base_of

    return base_of(stack, ROOT)


def _is_updated_by_another(stack: str) -> bool:
    from clawdet_infra.inventory.versions import updating

    return bool(updating(stack))


def _update_cell(
    cell: str, base: str, arguments: Sequence[str], waiting: recover.Wait, *, policies: bool, named: Collection[str]
) -> int:
    """Bring a cell to its base's present settings, and not where that would lose data that nobody has named."""
    from clawdet_infra.automation import AutomationError, LossError, Provisioner

    if unknown := [one for one in arguments if one not in (*_YES, *_SKIP, _NON_INTERACTIVE)]:
        echo(f"error: {cell} is a cell, whose update takes no {unknown[0]}", err=True)
        return Exit.CONFIGURATION
    if not policies:
        echo(f"error: {cell} is a cell, which is never updated without the policies", err=True)
        return Exit.CONFIGURATION
    from clawdet_infra.automation.cells import CellSource
    from clawdet_infra.changes.checkout import CheckoutSource
    from clawdet_infra.changes.previewing import Wish, preview

    waiting.until_unlocked(cell)
    source = CellSource(cell, CheckoutSource(base, ROOT))
    # Who was deprovisioned is meant to go.
    wish = Wish(policy_pack=str(POLICY_PACK), named={*named, *source.going()}, full=True)
    report = preview([source], wish)
    _show(report)
    if (code := exit_code(report)) != Exit.OK:
        return code
    if not {*_YES}.intersection(arguments):
        typer.confirm(f"Update {cell} to the settings of {base}?", abort=True)
    try:
        with Provisioner(base, root=ROOT) as fleet:
            rows = fleet.update(
                cell,
                lambda event: echo(f"{event.seconds:6.1f} s  {event.customer} {event.stage}"),
                allow_loss=named,
            )
    except LossError as error:
        echo(f"error: {error}", err=True)
        return Exit.POLICY
    except AutomationError as error:
        echo(f"error: {error}", err=True)
        return Exit.RESOURCE if error.action == "retry" else Exit.ERROR
    failed = [one for one in rows if one.phase == "failed"]
    for one in failed:
        echo(f"error: customer {one.id}: {one.error}", err=True)
    return Exit.RESOURCE if failed else Exit.OK


def _engine_alone(stack: str, held: Sequence[str], arguments: Sequence[str]) -> int:
    """Leave preview, question, progress and outputs to the engine, and return its exit code."""
    # Who has said yes need not wait for a second preview.
    skip = ["--skip-preview"] if _said_yes(arguments) and not {*_SKIP}.intersection(arguments) else []
    return project.run(["pulumi", "up", "--stack", stack, *held, *skip, *arguments])


def _follow(
    stack: str, held: Sequence[str], arguments: Sequence[str], report: Report, events: Path | None
) -> tuple[int, Callable[[], None]]:
    """Run an update of the engine out of sight and show how far it is.

    Returns the engine's exit code, and what prints what the update came to.
    """
    from clawdet_infra.cli.update_view import View
    from clawdet_infra.driver.event_log import follow

    text = ROOT / ".clawdet" / "updates" / f"{stack.replace('/', '_')}.log"
    argv = ["pulumi", "up", "--stack", stack, *held, "--yes", "--skip-preview", *_QUIETLY, *arguments]
    view = View(stack, report, live=sys.stdout.isatty() and _NON_INTERACTIVE not in arguments)
    try:
        with tempfile.TemporaryDirectory(prefix="clawdet-update-") as folder, view.shown() as progress:
            log = events or Path(folder) / "events"
            ended = follow(argv, cwd=ROOT, log=log, text=text, on_event=progress, on_interrupt=view.interrupted)
    except FileNotFoundError:
        echo(f"error: {project.not_found('pulumi')}", err=True)
        raise typer.Exit(Exit.ERROR) from None
    return ended, lambda: view.show_outcome(text, ended_well=ended == Exit.OK)


def _asks_for_engine_text(arguments: Sequence[str]) -> bool:
    return any(one.partition("=")[0] in _ENGINE_TEXT or one.startswith("--show-") for one in arguments)


def _said_yes(arguments: Sequence[str]) -> bool:
    """Return whether the update was confirmed already: by an option, or by a variable of the engine's."""
    told = os.environ.get("PULUMI_SKIP_CONFIRMATIONS", "").lower() in ("1", "true")
    return told or bool({*_YES, *_SKIP}.intersection(arguments))


def can_confirm() -> bool:
    """Return whether a person can be asked before an update, or need not be."""
    return _said_yes(()) or (sys.stdin.isatty() and sys.stderr.isatty())


def _ask(stack: str, arguments: Sequence[str]) -> Exit:
    """Ask for leave to update a stack, under the report of what that does."""
    if _NON_INTERACTIVE in arguments or not can_confirm():
        echo("error: nobody can confirm the update where no terminal is; say --yes. Nothing was changed", err=True)
        return Exit.CONFIGURATION
    if typer.confirm(f"Update {stack}?", err=True):
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


def _show(report: Report) -> None:
    from clawdet_infra.changes.as_text import as_text
    from clawdet_infra.cli.console import Console

    Console(stderr=True).print(as_text(report))


def _keep(stack: str, made_from: str, *, policies: bool) -> None:
    """Note what the stack was made from, if nobody has changed that meanwhile."""
    from clawdet_infra.changes.checkout import CheckoutSource
    from clawdet_infra.changes.marking import keep_mark

    source = CheckoutSource(stack, ROOT)
    if source.fingerprint(policies=policies) != made_from:
        return
    if why := keep_mark(source, made_from, ROOT):
        echo(f"warning: the next preview will ask the engine, since this update could not be noted: {why}", err=True)


def _for_preview(arguments: Sequence[str]) -> list[str]:
    """Return those arguments of an update that decide what it does."""
    kept: list[str] = []
    left_out = False
    for one in arguments:
        if left_out:
            left_out = False
        elif one in _WITH_A_VALUE:
            left_out = True
        elif one.partition("=")[0] not in (*_OF_UPDATES, *_WITH_A_VALUE):
            kept.append(one)
    return kept


def _in_part(arguments: Sequence[str]) -> bool:
    return any(one.partition("=")[0] in _IN_PART for one in arguments)
