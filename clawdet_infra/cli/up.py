"""`clawdet up`: `pulumi up`, after what a killed update left behind was taken up, and not where data would be lost."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from clawdet_infra.cli import project, recover, servers
from clawdet_infra.cli.output import echo
from clawdet_infra.cli.project import ROOT, Exit
from clawdet_infra.cli.stack import Stack, choose_stack

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

_IN_PART = ("--target", "-t", "--exclude", "-x", "--config", "-c", "--plan")
"""With these an update does not make all of what the stack's file says."""


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
        float, typer.Option("--wait-timeout", min=1, metavar="SECONDS", help="The longest that --wait waits.")
    ] = WAIT_SECONDS,
) -> None:
    """Recover from a killed update, then run `pulumi up` under the policies; further arguments are handed to it.

    Ends with 5, before anything is touched, where data would be lost that nobody has named.  An update that another
    process runs is an error, unless --wait is given.

    Example: clawdet up -s prod --diff
    """
    stack = choose_stack(stack)
    waiting = recover.Wait(wait_timeout if wait else 0)
    named = allowed(allow_loss or [])
    raise typer.Exit(update(stack, context.args, policies=not no_policy, named=named, waiting=waiting))


def update(
    stack: str,
    arguments: Sequence[str] = (),
    *,
    policies: bool = True,
    named: Collection[str] | None = None,
    waiting: recover.Wait | None = None,
    env: Mapping[str, str] | None = None,
) -> int:
    """Update a stack as `clawdet up` does, and return the exit code: the one way in which commands update stacks.

    `arguments` go to `pulumi up`, and `env` into its environment. `named` is what may lose data, by default what the
    environment names. `waiting` waits for other updates of the stack, by default not at all. Raises typer.Exit where
    recovery fails.
    """
    named = allowed([]) if named is None else named
    waiting = waiting or recover.Wait()
    if (base := _base_of(stack)) != stack:
        return _update_cell(stack, base, arguments, waiting, policies=policies, named=named)
    pack = str(POLICY_PACK) if policies else None
    # Imported where it is needed: it takes time that no other command should wait for.
    from clawdet_infra.changes.checkout import CheckoutSource
    from clawdet_infra.changes.previewing import Wish, preview

    source = CheckoutSource(stack, ROOT, _for_preview(arguments))
    if source.problems():  # Recovery changes the state, and must not do so for a configuration that is refused.
        report = preview([source], Wish())
        _show(report)
        return exit_code(report)
    recover.run(stack, waiting)
    servers.prepare(stack)
    held = ["--policy-pack", pack] if pack else []
    # A person who has to confirm sees the engine's own preview; who has said yes need not wait for a second one.
    skip = ["--skip-preview"] if not {*_SKIP}.intersection(arguments) and {*_YES}.intersection(arguments) else []
    while True:
        made_from = source.fingerprint(policies=policies)
        report = preview([source], Wish(policy_pack=pack, named=named, full=True))
        _show(report)
        if (code := exit_code(report)) != Exit.OK:
            return code
        if waiting.waits and _is_updated_by_another(stack):
            # It has begun since, and may change what was previewed.
            recover.run(stack, waiting)
            continue
        ended = project.run(["pulumi", "up", "--stack", stack, *held, *skip, *arguments], env=env)
        # An engine holds the lock for as long as it runs: where another has it right after, ours was refused.
        if ended == Exit.OK or not _is_updated_by_another(stack):
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

    if unknown := [one for one in arguments if one not in (*_YES, *_SKIP, "--non-interactive")]:
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
