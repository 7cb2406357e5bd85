"""`clawdet test-deploy`: one throw-away customer, to see that a release works before anybody depends on it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from clawdet_infra.cli.output import Exit, echo, error, fail, print_json
from clawdet_infra.cli.project import ROOT, CommandError
from clawdet_infra.cli.stack import DEFAULT, choose_stack, complete_stack
from clawdet_infra.formatting.json_format import camel_keys, fields_of

if TYPE_CHECKING:
    from clawdet_infra.config import CloudAccess, Fleet
    from clawdet_infra.engine.stages import Passed
    from clawdet_infra.test_deploy.records import Record
    from clawdet_infra.test_deploy.result import Outcome
    from clawdet_infra.test_deploy.ssh import Ssh

LOCAL_STACK = "local"
_HOST_KEY = re.compile(r"(?:ssh|ecdsa)-[a-z0-9-]+ [A-Za-z0-9+/]+=*(?: .*)?")
LOCAL_CLOUD = Path(".clawdet") / "cloud" / "local" / "info.json"


def try_out(
    plan: Annotated[str | None, typer.Option("--plan", help="The customer's plan: free, pro or enterprise.")] = None,
    stack: Annotated[
        str | None,
        typer.Option(
            "--stack",
            "-s",
            help=f"Whose release, plans and cloud to use. {DEFAULT} With --local: the stack local.",
            autocompletion=complete_stack,
        ),
    ] = None,
    local: Annotated[bool, typer.Option("--local", help="Use the local cloud, and start it if it is not up.")] = False,
    host: Annotated[
        str | None, typer.Option("--host", help="Use this server (root by SSH, Docker) and no cloud.")
    ] = None,
    host_key: Annotated[
        str | None, typer.Option("--host-key", help="Its SSH host key, `ssh-ed25519 AAAA…`; else known_hosts has it.")
    ] = None,
    identity: Annotated[
        Path | None, typer.Option("--identity", help="File with the SSH key to log in with; else the agent's.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the customer there, and say how to remove it.")] = False,
    remove: Annotated[str | None, typer.Option("--remove", help="Remove this customer, which was kept.")] = None,
    clean: Annotated[bool, typer.Option("--clean", help="Remove what killed runs have left, and do no more.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Deploy one throw-away customer as any other, probe it, show each stage with its time, and remove it.

    It is removed also when it fails or is interrupted.  What a killed run has left is removed by the next one.

    Example: clawdet test-deploy --local --plan pro
    """
    tell = _Teller(json_output)
    if clean or remove:
        raise typer.Exit(_clean(remove, tell))
    # Imported where it is needed, here and below: no other command should wait for it.
    from clawdet_infra.config import PLANS

    if plan not in PLANS:
        _wrong(f"name a plan with --plan: {', '.join(PLANS)}")
    if local and host:
        _wrong("choose one of --local and --host")
    if (host_key or identity) and not host:
        _wrong("--host-key and --identity are for the server that --host names")
    if host_key is not None and not _HOST_KEY.fullmatch(host_key.strip()):
        _wrong("--host-key is a line as in /etc/ssh/ssh_host_ed25519_key.pub, such as `ssh-ed25519 AAAA…`")
    if identity is not None and not identity.is_file():
        _wrong(f"there is no file {identity}")
    if not local or stack is not None:
        stack = choose_stack(stack)
    try:
        settings = settings_of(stack, local=local, tell=tell)
    except CommandError as wrong:
        fail(str(wrong), Exit.CONFIGURATION)
    _remove_all(None, tell)
    # Imported where it is needed: Pulumi takes a third of a second.
    from clawdet_infra.test_deploy import cloud, records
    from clawdet_infra.test_deploy import server as hosts

    server = {"address": host, "host_key": host_key, "identity": str(identity.resolve()) if identity else None}
    record = records.begin(ROOT, {"stack": stack, "local": local, "host": server if host else None})
    tell(f"{record.name}: a customer of the plan {plan}{f' on {host}' if host else ''}")
    if host:
        outcome = hosts.run(record, settings, plan, _ssh(record), keep=keep, tell=tell.stage)  # type: ignore[arg-type]
    else:
        outcome = cloud.run(record, settings, plan, keep=keep, tell=tell.stage)  # type: ignore[arg-type]
    raise typer.Exit(_report(outcome, record, tell))


def settings_of(stack: str | None, *, local: bool, tell: _Teller) -> Fleet:
    """Return the settings to try out: a stack's, on its own cloud or on the local one.

    Raises CommandError with all that is wrong with them.
    """
    if not local:
        from clawdet_infra.cli.stack import fleet_of

        return fleet_of(str(stack))
    from clawdet_infra.config import ConfigurationError, dump_fleet, load_fleet, read_fleet
    from clawdet_infra.config.settings import local_cloud
    from clawdet_infra.test_deploy.customer import LOCAL_SOURCES

    # The file alone: whoever tries a release on this machine need not be able to decrypt the stack's secrets.
    path = ROOT / f"Pulumi.{stack or LOCAL_STACK}.yaml"
    fleet, problems = read_fleet(path)
    if fleet is None:
        raise CommandError("\n".join(str(one) for one in [one for one in problems if not one.warning] or problems))
    argv = [sys.executable, "-m", "localcloud", "up", "--home", str((ROOT / LOCAL_CLOUD).parent)]
    code = subprocess.run(argv, cwd=ROOT, stdout=sys.stderr if tell.json else None, check=False).returncode
    if code != Exit.OK:
        raise CommandError(f"the local cloud does not start; see `clawdet cloud up`, which ended with {code}")
    raw: dict[str, Any] = dump_fleet(fleet.model_copy(update={"customers": ()}))
    try:
        raw |= {"cloud": local_cloud(ROOT / LOCAL_CLOUD), "ssh": {"sources": LOCAL_SOURCES}}
        return load_fleet(raw)
    except ConfigurationError as wrong:
        raise CommandError(str(wrong)) from None


def _clean(name: str | None, tell: _Teller) -> int:
    """Remove the trial of this name, or else all that were killed; say which, and return the exit code."""
    removed, code = _remove_all(name, tell)
    if tell.json and code == Exit.OK:
        print_json({"removed": removed})
    elif not removed and code == Exit.OK:
        tell("nothing to remove: no killed run has left anything")
    return code


def _remove_all(name: str | None, tell: _Teller) -> tuple[list[str], int]:
    """Remove the trial of this name, or else all that were killed; return their names, and the exit code."""
    from clawdet_infra.test_deploy import records

    found = [one for one in records.all_records(ROOT) if (one.name == name if name else not one.kept)]
    if name and not found:
        _wrong(f"there is no {name} on this machine; there are: {_named(records.all_records(ROOT)) or 'none'}")
    removed, code = [], Exit.OK
    for record in found:
        # One that another process is at is no leftover.
        if not record.take_over():
            if name:
                tell.problem(f"{record.name} is still being worked on; wait for it, or stop it with Ctrl-C")
                code = Exit.ERROR
            continue
        ended = _remove(record, tell)
        removed += [record.name] if ended == Exit.OK else []
        code = ended or code
    return removed, code


def _remove(record: Record, tell: _Teller) -> Exit:
    from clawdet_infra.test_deploy.failures import TrialError

    try:
        gone = _gone(record)
        record.forget()
    except (CommandError, TrialError) as failed:
        tell.problem(f"{record.name} could not be removed: {failed}")
        record.release()
        return Exit.ERROR
    tell(f"{record.name}: removed ({', '.join(gone) or 'nothing was left of it'})")
    return Exit.OK


def _gone(record: Record) -> list[str]:
    """Remove what a trial has made, and return what that was, in words."""
    if not record.facts:  # It was killed before it made anything.
        return []
    if record.facts["host"]:
        from clawdet_infra.test_deploy import server

        return server.remove(record, _ssh(record))
    from clawdet_infra.test_deploy.cleanup import sweep

    cloud = _cloud_of(record)
    domain = record.facts.get("domain")
    return sweep(cloud, record.name, str(domain), unsure=True) if cloud and domain else []


def _ssh(record: Record) -> Ssh:
    from clawdet_infra.test_deploy.ssh import Ssh

    return Ssh(folder=record.folder, **record.facts["host"])


def _cloud_of(record: Record) -> CloudAccess | None:
    """Return the cloud that a trial was made at; None where it is gone with all that it had."""
    if not record.facts["local"]:
        from clawdet_infra.cli.stack import cloud_of

        return cloud_of(str(record.facts["stack"]))
    if not (ROOT / LOCAL_CLOUD).exists():
        return None
    from clawdet_infra.config import CloudAccess, ConfigurationError
    from clawdet_infra.config.settings import local_cloud

    try:
        return CloudAccess.model_validate(local_cloud(ROOT / LOCAL_CLOUD), by_alias=True, by_name=False)
    except ConfigurationError as wrong:
        raise CommandError(str(wrong.problems[0])) from None


def _named(found: Iterable[Record]) -> str:
    return ", ".join(one.name for one in found)


def _report(outcome: Outcome, record: Record, tell: _Teller) -> Exit:
    ok = outcome.healthy and not outcome.failure and not outcome.remains
    if tell.json:
        print_json(
            {
                **fields_of(outcome, name="customer"),
                "probe": camel_keys(outcome.probe),
                "kept": record.kept,
                "access": str(record.folder / "access.json") if record.kept else None,
            }
        )
    if outcome.failure:
        tell.problem(outcome.failure)
    if outcome.remains:
        tell.problem(f"{outcome.remains}. Try again with: clawdet test-deploy --clean")
    if record.kept:
        tell(f"{outcome.url} at {outcome.address} stays; its secrets are in {record.folder / 'access.json'}")
        tell(f"Remove it with: clawdet test-deploy --remove {record.name}")
    elif outcome.removed:
        tell(f"{record.name}: {'worked' if ok else 'failed'}, and nothing of it is left")
    if outcome.interrupted:
        return Exit.ERROR
    return Exit.OK if ok else Exit.RESOURCE


class _Teller:
    """Says what happens as it happens: on stdout, or on stderr where stdout is for JSON."""

    def __init__(self, json_output: bool) -> None:
        self.json = json_output

    def __call__(self, text: str) -> None:
        echo(text, err=self.json)

    def problem(self, text: str) -> None:
        """Tell what went wrong."""
        error(text)

    def stage(self, passed: Passed) -> None:
        """Tell that a stage was passed."""
        self(f"{passed.seconds:6.1f} s  {passed.stage:11} {passed.note}".rstrip())


def _wrong(text: str) -> NoReturn:
    fail(text, Exit.CONFIGURATION)
