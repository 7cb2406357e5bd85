"""`clawdet customer`: customers in a stack's file, which keeps its form."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from clawdet_infra.cli.command import App
from clawdet_infra.cli.instances import complete_id
from clawdet_infra.cli.output import ErrorCode, Exit, echo, fail, print_json, warn
from clawdet_infra.cli.project import ROOT
from clawdet_infra.cli.stack import Stack, choose_base

if TYPE_CHECKING:
    from clawdet_infra.config.stack_edit import Edit, EditableStackFile
    from clawdet_infra.preview.removal import Removal

app = App(help="Add, change and remove customers in a stack's file. Its comments and its layout stay.")

Id = Annotated[str, typer.Argument(metavar="ID", help="The customer's id.", autocompletion=complete_id)]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the change and write nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command("add")
def add(
    customer: Annotated[str, typer.Argument(metavar="ID", help="The customer's id. It never changes.")],
    plan: Annotated[str, typer.Option("--plan", help="free, pro or enterprise.")],
    subdomain: Annotated[str | None, typer.Option("--subdomain", help="Default: the id.")] = None,
    host: Annotated[
        str | None, typer.Option("--host", help="Free plan: the shared host. Needed if there are several.")
    ] = None,
    server_type: Annotated[str | None, typer.Option("--server-type", help="Default: the plan's.")] = None,
    location: Annotated[str | None, typer.Option("--location", help="Default: the plan's.")] = None,
    stack: Stack = None,
    dry_run: DryRun = False,
    json_output: Json = False,
) -> None:
    """Add a customer to a stack's file. The Anthropic API key is read from stdin, or asked for at a terminal.

    The key is encrypted with the stack's own secrets provider.  The next `clawdet up` deploys the customer.

    Example: clawdet customer add ada --plan pro -s prod < key.txt
    """
    server = {key: value for key, value in (("type", server_type), ("location", location)) if value}
    optional: Mapping[str, Any] = {"subdomain": subdomain, "host": host, "server": server}
    entry = {"id": customer, "plan": plan, **{key: value for key, value in optional.items() if value}}
    report = _Report(customer, dry_run=dry_run, json_output=json_output)
    with report:
        from clawdet_infra.config.stack_edit import EditableStackFile, EditCode, EditError

        file = EditableStackFile(ROOT / f"Pulumi.{choose_base(stack)}.yaml")
        key = _api_key(report)
        encryption = _encryption(file, report)
        if (known := file.entry(customer)) is not None:
            stated = {key: value for key, value in known.items() if key != "anthropicApiKey"}
            if stated != entry or not _has_key(file, customer, key, encryption):
                raise EditError(
                    EditCode.CUSTOMER_EXISTS,
                    f"{file.file.name} has a customer {customer} already, with other settings or another API key. "
                    f"Change the settings in the file, and the key by `clawdet customer set-key {customer}`",
                )
            report.unchanged(file, f"{customer} is in {file.file} already")
            return
        # The rules come first, so that a wrong plan is reported without waiting for the engine.
        file.add_customer(entry, "v1:unknown").check()
        report.edited(file, file.add_customer(entry, encryption.encrypt(key)))


@app.command("set-key")
def set_key(customer: Id, stack: Stack = None, dry_run: DryRun = False, json_output: Json = False) -> None:
    """Give a customer another Anthropic API key. It is read from stdin, or asked for at a terminal.

    The key is encrypted with the stack's own secrets provider.  At the next `clawdet up` the customer's gateway
    restarts with it.

    Example: clawdet customer set-key user123 < key.txt
    """
    report = _Report(customer, dry_run=dry_run, json_output=json_output)
    with report:
        from clawdet_infra.config.stack_edit import stack_file_of

        file = stack_file_of(ROOT, customer, choose_base(stack))
        key = _api_key(report)
        encryption = _encryption(file, report)
        if _has_key(file, customer, key, encryption):
            report.unchanged(file, f"{customer} has this API key already in {file.file}")
            return
        report.edited(file, file.set_api_key(customer, encryption.encrypt(key)))


@app.command("remove")
def remove(
    customer: Id,
    stack: Stack = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    dry_run: DryRun = False,
    json_output: Json = False,
) -> None:
    """Remove a customer from a stack's file, after saying what the next `clawdet up` deletes.

    Nothing is deleted before that update.

    Example: clawdet customer remove user123
    """
    report = _Report(customer, dry_run=dry_run, json_output=json_output)
    with report:
        from clawdet_infra.config.stack_edit import EditCode, EditError, stack_file_of

        try:
            file = stack_file_of(ROOT, customer, choose_base(stack))
        except EditError as error:
            if error.code is not EditCode.NO_CUSTOMER:
                raise
            report.unchanged(None, f"{error} Nothing to remove; `clawdet deprovision` removes who signed up")
            return
        edit = file.remove_customer(customer)
        edit.check()
        removal = _removal(file, customer)
        report.lost(file, removal)
        if not (yes or dry_run):
            if json_output or not _can_ask():
                report.fail(ErrorCode.NOT_CONFIRMED, f"this removes {customer} from {file.file}: add --yes to confirm")
            typer.confirm(f"Remove {customer} from {file.file}?", abort=True)
        report.edited(file, edit)


class _Report:
    """What a command prints: for people, or one JSON document for every outcome."""

    def __init__(self, customer: str, *, dry_run: bool, json_output: bool) -> None:
        self._customer = customer
        self._dry_run = dry_run
        self._json = json_output
        self._removal: Removal | None = None

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from clawdet_infra.config.stack_edit import EditError
        from clawdet_infra.engine.encryption import EncryptionError

        if isinstance(error, EditError):
            self.fail(str(error.code), str(error))
        if isinstance(error, EncryptionError):
            self.fail("encryption", str(error), Exit.ERROR)

    def fail(self, code: str, message: str, exit_code: Exit = Exit.CONFIGURATION) -> NoReturn:
        """End the command with an error."""
        fail(message, exit_code, code, customer=self._customer)

    def unchanged(self, file: EditableStackFile | None, message: str) -> None:
        """Say that there is nothing to write."""
        if self._json:
            self._print(file, changed=False, diff="")
        else:
            echo(message)

    def lost(self, file: EditableStackFile, removal: Removal | None) -> None:
        """Say what the next update deletes."""
        self._removal = removal
        if removal is None:
            echo(f"The next `clawdet up -s {file.stack}` deletes {self._customer} with all its data.", err=True)
            return
        echo(f"If {self._customer} is deployed, the next `clawdet up -s {file.stack}` permanently deletes:", err=True)
        for one in removal.lost:
            echo(f"  - {one}", err=True)
        if removal.protected:
            first = f"First set `protect: false` in its entry and run `clawdet up -s {file.stack}`; then remove it."
            echo(f"{self._customer} is protected, so that update is refused. {first}", err=True)
        elif removal.named:
            echo(
                f"It is refused until it names the loss: clawdet up -s {file.stack} --allow-loss {self._customer}",
                err=True,
            )

    def edited(self, file: EditableStackFile, edit: Edit) -> None:
        """Write a change if it breaks no rule, and show it."""
        remaining = edit.check()
        if not self._dry_run:
            edit.write()
        if self._json:
            self._print(file, changed=True, diff=edit.diff())
        else:
            echo(edit.diff(), verbatim=True)
            echo(f"{file.file}: {'not written (--dry-run)' if self._dry_run else 'written'}")
        for one in remaining:
            warn(f"was wrong before and still is: {one}")
        if not self._dry_run:
            echo(
                f"Nothing is deployed yet. See `clawdet preview -s {file.stack}`, then `clawdet up -s {file.stack}`",
                err=True,
            )

    def _print(self, file: EditableStackFile | None, *, changed: bool, diff: str) -> None:
        result: dict[str, Any] = {
            "success": True,
            "customer": self._customer,
            "stack": file.stack if file else None,
            "file": file.file if file else None,
            "changed": changed,
            "written": changed and not self._dry_run,
            "diff": diff.split("\n") if diff else [],
        }
        if self._removal:
            result |= {"lost": list(self._removal.lost), "protected": self._removal.protected}
        print_json(result)


def _can_ask() -> bool:
    return sys.stdin.isatty()


def _api_key(report: _Report) -> str:
    """Return the API key from stdin, or from a prompt at a terminal, if it has the form of one."""
    from pydantic import TypeAdapter, ValidationError

    from clawdet_infra.config.secrets import AnthropicApiKey

    if sys.stdin.isatty():
        key = typer.prompt("Anthropic API key", hide_input=True, err=True)
    else:
        key = sys.stdin.buffer.read().decode("utf-8-sig", errors="replace").removesuffix("\n").removesuffix("\r")
    try:
        TypeAdapter(AnthropicApiKey).validate_python(key)
    except ValidationError as error:
        context = error.errors(include_url=False, include_input=False)[0].get("ctx", {})
        sentence = f"{context.get('message', 'is no API key.')} {context.get('hint', '')}".strip()
        report.fail("invalid-key", f"what stdin has {sentence}")
    return str(key)


def _encryption(file: EditableStackFile, report: _Report) -> Any:
    """Return the encryption of a stack, unless its passphrase is the public one of the examples."""
    from clawdet_infra.config import read_fleet
    from clawdet_infra.config.passphrase import refusal
    from clawdet_infra.engine.encryption import StackEncryption

    fleet, _ = read_fleet(file.file)
    if why := refusal(file.stack, file.file, os.environ, local=fleet is not None and fleet.cloud.is_local):
        report.fail("public-passphrase", why)
    return StackEncryption(file.stack, file.encryption_settings(), ROOT)


def _has_key(file: EditableStackFile, customer: str, key: str, encryption: Any) -> bool:
    encrypted = file.encrypted_api_key(customer)
    return encrypted is not None and encryption.decrypt(encrypted) == key


def _removal(file: EditableStackFile, customer: str) -> Removal | None:
    """Return what is lost with a customer; None if the file is not valid, so that nothing is laid out."""
    from clawdet_infra.config import read_fleet
    from clawdet_infra.layout import plan_layout
    from clawdet_infra.preview.removal import removal_of

    fleet, _ = read_fleet(file.file)
    layouts = plan_layout(fleet).customers if fleet else ()
    return next((removal_of(one) for one in layouts if one.id == customer), None)
