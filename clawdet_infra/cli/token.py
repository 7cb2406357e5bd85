"""`clawdet token`: a customer's secrets, shown to whoever asks for them, or made anew."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from clawdet_infra.cli.command import App
from clawdet_infra.cli.instances import Id, Ids, Json, find
from clawdet_infra.cli.output import ErrorCode, Exit, echo, fail, print_json, print_table, warn
from clawdet_infra.cli.project import ROOT, on_stderr
from clawdet_infra.cli.stack import Stack, Stacks, choose_base

if TYPE_CHECKING:
    from clawdet_infra.config.stack_edit import Edit

app = App(help="Show a customer's gateway token and password, or have new ones made.")

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Print secrets also where nobody sits at a terminal.")]


@app.command("show")
def show(customers: Ids, yes: Yes = False, stacks: Stacks = None, json_output: Json = False) -> None:
    """Print gateway tokens and passwords: to a terminal, and elsewhere only with --yes or --json.

    Example: clawdet token show user123
    """
    if not (sys.stdout.isatty() or yes or json_output):
        fail(
            "secrets are not printed where no terminal is; say --yes or --json where you mean it",
            Exit.CONFIGURATION,
            ErrorCode.NOT_CONFIRMED,
        )
    secrets = [
        {
            "customer": one.id,
            "url": one.url,
            "user": one.user,
            "password": one.password.get_secret_value(),
            "gatewayToken": one.gateway_token.get_secret_value(),
        }
        for one in find(customers, stacks)[1]
    ]
    if json_output:
        print_json(secrets)
        return
    for number, one in enumerate(secrets):
        if number:
            echo("")
        print_table(list(one.items()), header=False)


@app.command("rotate")
def rotate(
    customer: Id,
    up: Annotated[bool, typer.Option("--up", help="Update the stack at once, as `clawdet up` does.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --up: do not ask before the update.")] = False,
    stack: Stack = None,
    json_output: Json = False,
) -> None:
    """Have a new gateway token and password made: raises tokenVersion in the stack's file, and nothing else in it.

    The next update makes and deploys them, and only this customer's gateway restarts.  Until then the old ones hold.

    Example: clawdet token rotate user123 --up
    """
    from clawdet_infra.cli import up as updates

    if up and not (yes or updates.can_confirm()):
        fail(
            "nobody can confirm the update where no terminal is; say --yes too. Nothing was written",
            Exit.CONFIGURATION,
            ErrorCode.NOT_CONFIRMED,
        )
    name = choose_base(stack)
    from clawdet_infra.config.stack_edit import EditError, stack_file_of

    try:
        found = stack_file_of(ROOT, customer, name)
        version, edit = found.raise_token_version(customer)
        edit.check()
        edit.write()
    except EditError as error:
        fail(str(error), Exit.CONFIGURATION)
    file = found.file
    echo(f"{customer}: tokenVersion is now {version} in {file}", err=json_output)
    code: int = Exit.OK
    if up:
        # What the engine prints must not stand between the JSON.
        with on_stderr() if json_output else nullcontext(), _taken_back_unless_begun(edit, customer) as begins:
            code = updates.update(name, ["--yes"] if yes else [], begins=begins)
    else:
        echo(f"Nothing has changed yet; the new token is made by: clawdet up -s {name}", err=True)
    if json_output and code == Exit.OK:
        print_json({"customer": customer, "stack": name, "file": file, "tokenVersion": version, "updated": up})
    raise typer.Exit(code)


@contextmanager
def _taken_back_unless_begun(edit: Edit, customer: str) -> Iterator[Callable[[], None]]:
    """Yield what is to be called when the update begins; without that, the stack's file is as it was afterwards."""
    from clawdet_infra.config.stack_edit import EditError

    begun = threading.Event()
    try:
        yield begun.set
    finally:
        if not begun.is_set():
            try:
                replace(edit, before=edit.after, after=edit.before).write()
                echo(f"{customer}: tokenVersion is in {edit.file} as it was before: no update has begun", err=True)
            except EditError as error:
                warn(f"{customer}: tokenVersion stays raised in {edit.file}: {error}")
