"""`clawdet token`: a customer's secrets, shown to whoever asks for them, or made anew."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from clawdet_infra.cli import project
from clawdet_infra.cli.columns import columns
from clawdet_infra.cli.instances import Id, Ids, Json, Stacks, fail, find
from clawdet_infra.cli.output import echo
from clawdet_infra.cli.project import ROOT, Exit

app = typer.Typer(help="Show a customer's gateway token and password, or have new ones made.", no_args_is_help=True)

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Print secrets also where nobody sits at a terminal.")]


@app.command("show")
def show(customers: Ids, yes: Yes = False, stacks: Stacks = None, json_output: Json = False) -> None:
    """Print gateway tokens and passwords: to a terminal, and elsewhere only with --yes or --json.

    Example: clawdet token show user123
    """
    if not (sys.stdout.isatty() or yes or json_output):
        fail("secrets are not printed where no terminal is; say --yes or --json where you mean it", Exit.CONFIGURATION)
    secrets = [
        {
            "id": one.id,
            "url": one.url,
            "user": one.user,
            "password": one.password.get_secret_value(),
            "gateway_token": one.gateway_token.get_secret_value(),
        }
        for one in find(customers, stacks)[1]
    ]
    if json_output:
        project.print_json(secrets)
    else:
        echo("\n\n".join(columns(list(one.items())) for one in secrets))


@app.command("rotate")
def rotate(
    customer: Id,
    up: Annotated[bool, typer.Option("--up", help="Update the stack at once, as `clawdet up` does.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --up: do not ask before the update.")] = False,
    stack: Annotated[
        str | None, typer.Option("--stack", "-s", help="The stack; needed where several have the customer.")
    ] = None,
    json_output: Json = False,
) -> None:
    """Have a new gateway token and password made: raises tokenVersion in the stack's file, and nothing else in it.

    The next update makes and deploys them, and only this customer's gateway restarts.  Until then the old ones hold.

    Example: clawdet token rotate user123 --up
    """
    from clawdet_infra.cli import up as updates

    if up and not (yes or updates.can_confirm()):
        fail(
            "nobody can confirm the update where no terminal is; say --yes too. Nothing was written", Exit.CONFIGURATION
        )
    from clawdet_infra.stackedit import EditError, raise_token_version, stack_file_of

    try:
        file = stack_file_of(ROOT, customer, stack)
        version = raise_token_version(file, customer)
    except EditError as error:
        fail(str(error), Exit.CONFIGURATION)
    name = file.name.removeprefix("Pulumi.").removesuffix(".yaml")
    if json_output:
        project.print_json({"id": customer, "stack": name, "file": str(file), "token_version": version})
    else:
        echo(f"{customer}: tokenVersion is now {version} in {file}")
    if not up:
        echo(f"Nothing has changed yet; the new token is made by: clawdet up -s {name}", err=True)
        return
    raise typer.Exit(updates.update(name, ["--yes"] if yes else []))
