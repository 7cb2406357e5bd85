"""`clawdet provision` and `deprovision`: customers who sign up, as the signup backend has them."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from clawdet_infra.cli.catalog import end, provisioner
from clawdet_infra.cli.output import ErrorCode, Exit, echo, fail, print_json
from clawdet_infra.cli.seconds import METAVAR, seconds
from clawdet_infra.cli.stack import DEFAULT, choose_base, complete_stack

if TYPE_CHECKING:
    from clawdet_infra.automation import StageEvent

API_KEY, GATEWAY_TOKEN, TELEGRAM = "ANTHROPIC_API_KEY", "OPENCLAW_GATEWAY_TOKEN", "TELEGRAM_BOT_TOKEN"
_FROM_STDIN = {"apiKey": API_KEY, "gatewayToken": GATEWAY_TOKEN, "telegramBotToken": TELEGRAM}

Base = Annotated[
    str | None,
    typer.Option(
        "--stack", "-s", help=f"The stack whose base the customers stand on. {DEFAULT}", autocompletion=complete_stack
    ),
]
Deadline = Annotated[
    float, typer.Option("--deadline", parser=seconds(), metavar=METAVAR, help="When the call is stopped, such as 15m.")
]
CellSize = Annotated[
    int, typer.Option("--cell-size", envvar="CLAWDET_CELL_SIZE", help="The most customers of a cell.", min=1, max=500)
]
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON; progress goes to stderr.")]
Customer = Annotated[str, typer.Argument(help="The customer's id.", metavar="ID")]


def provision(
    customer_id: Annotated[str, typer.Option("--customer-id", help="Names the customer for ever.")],
    plan: Annotated[str, typer.Option("--plan", help="free, pro or enterprise.")],
    subdomain: Annotated[str | None, typer.Option("--subdomain", help="Default: the id.")] = None,
    api_key: Annotated[
        str | None,
        typer.Option("--api-key", help=f"Anthropic's. Others on this machine see it: better {API_KEY}, or --stdin."),
    ] = None,
    gateway_token: Annotated[
        str | None,
        typer.Option(
            "--gateway-token", help=f"64 hexadecimal digits, else one is made. Better {GATEWAY_TOKEN}, or --stdin."
        ),
    ] = None,
    existing_server: Annotated[
        str | None, typer.Option("--existing-server", help="Address of a server that exists; else one is rented.")
    ] = None,
    vps_ip: Annotated[str | None, typer.Option("--vps-ip", help="Another name of --existing-server.")] = None,
    host_key: Annotated[
        str | None, typer.Option("--host-key", help="That server's SSH host key; else the one it shows is pinned.")
    ] = None,
    stdin: Annotated[
        bool, typer.Option("--stdin", help='Read secrets from stdin: {"apiKey": …, "gatewayToken": …}.')
    ] = False,
    stack: Base = None,
    cell_size: CellSize = 50,
    deadline: Deadline = 900,
    json_output: Json = False,
) -> None:
    """Make a customer, or change one, and wait until the gateway is healthy.

    Arguments of a program are visible to others on the machine, so secrets are better given in the environment
    (ANTHROPIC_API_KEY, OPENCLAW_GATEWAY_TOKEN, TELEGRAM_BOT_TOKEN) or on stdin.  Calling again goes on where a call
    was stopped, and changes nothing where all is done.

    Example: clawdet provision --customer-id user123 --plan pro --json
    """
    if existing_server and vps_ip:
        _wrong("--existing-server and --vps-ip are one option; leave one out")
    base = choose_base(stack)
    secrets = _secrets(stdin, {API_KEY: api_key, GATEWAY_TOKEN: gateway_token})
    if not secrets.get(API_KEY):
        _wrong(f"the Anthropic API key is missing: set {API_KEY}, or say --stdin")
    from pydantic import SecretStr

    from clawdet_infra.automation import AutomationError, Signup

    def secret(name: str) -> SecretStr | None:
        return SecretStr(secrets[name]) if secrets.get(name) else None

    wanted = Signup(
        id=customer_id,
        plan=plan,
        api_key=SecretStr(secrets[API_KEY]),
        subdomain=subdomain,
        gateway_token=secret(GATEWAY_TOKEN),
        telegram_bot_token=secret(TELEGRAM),
        server_ipv4=existing_server or vps_ip,
        server_host_key=host_key,
    )
    tell = _Teller(json_output)
    try:
        with provisioner(base, cell_size) as fleet, _cancelled_by_signals() as cancelled:
            result = fleet.provision(wanted, tell.stage, deadline=deadline, cancelled=cancelled)
    except AutomationError as error:
        end(error)
    if json_output:
        print_json(result)
        return
    what = "is there" if not result.changed else f"is healthy after {result.deploy_time:.0f} s"
    tell(f"{result.customer} {what}: {result.access_url} (in {result.cell}, on {result.server})")


def deprovision(
    customer: Customer,
    stack: Base = None,
    deadline: Deadline = 900,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    json_output: Json = False,
) -> None:
    """Remove a customer who signed up, with the server and all data, also one that never became healthy.

    Example: clawdet deprovision user123 --yes
    """
    from clawdet_infra.automation import AutomationError

    base = choose_base(stack)
    if not yes:
        if json_output or not sys.stdin.isatty():
            fail(
                f"this removes {customer} and all its data: say --yes where you mean it",
                Exit.CONFIGURATION,
                ErrorCode.NOT_CONFIRMED,
            )
        typer.confirm(f"Remove {customer} and all its data?", abort=True)
    tell = _Teller(json_output)
    try:
        with provisioner(base) as fleet, _cancelled_by_signals() as cancelled:
            result = fleet.deprovision(customer, tell.stage, deadline=deadline, cancelled=cancelled)
    except AutomationError as error:
        end(error)
    if json_output:
        print_json(result)
        return
    tell(f"{customer}: nothing of it is left" if result.existed else f"there is no customer {customer}")


class _Teller:
    """Says what happens as it happens: on stdout, or on stderr where stdout is for JSON."""

    def __init__(self, json_output: bool) -> None:
        self._err = json_output

    def __call__(self, text: str) -> None:
        echo(text, err=self._err)

    def stage(self, event: StageEvent) -> None:
        """Tell that a stage was passed."""
        self(f"{event.seconds:6.1f} s  {event.stage:11} {event.note}".rstrip())


@contextmanager
def _cancelled_by_signals() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets, so that the engine ends what it is at."""
    cancelled = threading.Event()
    before = {one: signal.signal(one, lambda *_: cancelled.set()) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancelled
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _secrets(stdin: bool, given: dict[str, str | None]) -> dict[str, str]:
    """Return the secrets by the name of their variable: from stdin, else from arguments, else from the environment."""
    found = {name: os.environ[name] for name in (API_KEY, GATEWAY_TOKEN, TELEGRAM) if os.environ.get(name)}
    found |= {name: value for name, value in given.items() if value}
    if not stdin:
        return found
    try:
        # Bytes, because JSON tells its encoding itself: Windows writes a byte order mark, and UTF-16 too.
        read = json.loads(sys.stdin.buffer.read())
    except ValueError:
        _wrong('stdin is no JSON; write for example {"apiKey": "…", "gatewayToken": "…"}')
    known = isinstance(read, dict) and set(read) <= set(_FROM_STDIN)
    if not known or not all(isinstance(value, str) for value in read.values()):
        _wrong(f"stdin has to be a JSON object with texts, and no other keys than {', '.join(_FROM_STDIN)}")
    return found | {_FROM_STDIN[key]: value for key, value in read.items()}


def _wrong(text: str) -> NoReturn:
    fail(text, Exit.CONFIGURATION)
