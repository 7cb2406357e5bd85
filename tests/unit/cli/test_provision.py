"""`clawdet provision`, `deprovision`, `list` and `show`, over a provisioner that does what it is told to."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from clawdet_infra import automation
from clawdet_infra.automation import (
    AutomationError,
    BusyError,
    CancelledError,
    CapacityError,
    DeadlineError,
    DeploymentError,
    ImmutableError,
    InputError,
    Provisioned,
    Removed,
    SetupError,
    Signup,
    StageEvent,
    TakenError,
    UnknownCustomerError,
)
from clawdet_infra.automation.results import OnStage
from clawdet_infra.catalog import InstanceRow, Phase
from clawdet_infra.cli.main import app
from clawdet_infra.cli.project import ROOT
from clawdet_infra.formatting.json_format import camel
from clawdet_infra.inventory import Entry
from tests.unit.automation.rows import row

KEY, OTHER_KEY = "sk-ant-canary-one", "sk-ant-canary-two"
TOKEN, BOT = "canary0123456789" * 4, "123456789:canary"
KNOWN = ("prod", "prod-cell-1", "local")
NEW = ("provision", "--customer-id", "bob", "--plan", "pro")
DONE = Provisioned(
    success=True,
    customer="bob",
    access_url="https://bob.clawdet.com",
    deploy_time=31.4,
    cell="prod-cell-1",
    plan="pro",
    server="bob",
    ipv4="192.0.2.7",
    user="bob",
    created=True,
    changed=True,
    stages=(StageEvent(customer="bob", stage="healthy", seconds=31.0),),
)
ERRORS: list[tuple[type[AutomationError], int]] = [
    (InputError, 2),
    (TakenError, 2),
    (ImmutableError, 2),
    (UnknownCustomerError, 2),
    (BusyError, 4),
    (DeadlineError, 4),
    (CancelledError, 4),
    (CapacityError, 4),
    (DeploymentError, 4),
    (SetupError, 1),
]


class Fake:
    """Stands for the provisioner: keeps what it is asked, and fails with `error` where there is one."""

    def __init__(self) -> None:
        self.opened: list[dict[str, Any]] = []
        self.closed = 0
        self.signups: list[Signup] = []
        self.asked: list[tuple[Any, ...]] = []
        self.error: AutomationError | None = None
        self.result = DONE
        self.removed = Removed(success=True, customer="bob", existed=True, remove_time=5.0)
        self.rows = [row(id="ada", cell="prod"), row()]
        self.kept: list[tuple[Sequence[Entry], bool, Callable[[str], bool]]] = []
        self.meanwhile: Callable[[threading.Event], None] = lambda cancelled: None

    def __call__(self, base: str, **options: Any) -> Fake:
        self.opened.append({"base": base, **options})
        return self

    def __enter__(self) -> Fake:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed += 1

    def keep(self, entries: Sequence[Entry], *, complete: bool, covers: Callable[[str], bool]) -> None:
        self.kept.append((entries, complete, covers))

    def provision(
        self, customer: Signup, on_stage: OnStage, *, deadline: float, cancelled: threading.Event
    ) -> Provisioned:
        self.signups.append(customer)
        self._work("provision", customer.id, on_stage, deadline, cancelled)
        return self.result

    def deprovision(self, customer: str, on_stage: OnStage, *, deadline: float, cancelled: threading.Event) -> Removed:
        self._work("deprovision", customer, on_stage, deadline, cancelled)
        return self.removed

    def _work(self, what: str, customer: str, tell: OnStage, deadline: float, cancelled: threading.Event) -> None:
        self.asked.append((what, customer, deadline))
        tell(StageEvent(customer=customer, stage="server", seconds=2.5, note="192.0.2.7"))
        self.meanwhile(cancelled)
        self._fail()

    def status(self, customer: str) -> InstanceRow:
        self.asked.append(("status", customer))
        self._fail()
        return self.rows[-1]

    def list(self) -> list[InstanceRow]:
        self.asked.append(("list",))
        self._fail()
        return self.rows

    clashes: tuple[str, ...] = ()

    def rebuild(self) -> list[InstanceRow]:
        self.asked.append(("rebuild",))
        self._fail()
        return self.rows

    def _fail(self) -> None:
        if self.error is not None:
            raise self.error


@pytest.fixture
def fleet(monkeypatch: pytest.MonkeyPatch) -> Fake:
    made = Fake()
    monkeypatch.setattr(automation, "Provisioner", made)
    monkeypatch.setattr("clawdet_infra.inventory.write_entries", made.keep)
    for name in ("ANTHROPIC_API_KEY", "OPENCLAW_GATEWAY_TOKEN", "TELEGRAM_BOT_TOKEN", "CLAWDET_CELL_SIZE"):
        monkeypatch.delenv(name, raising=False)
    return made


def run(*arguments: str, stdin: str | bytes | None = None, **env: str) -> Result:
    result = CliRunner().invoke(app, arguments, input=stdin, env=env, catch_exceptions=False)
    assert "canary" not in result.output, "no secret is shown"
    return result


def secrets_of(customer: Signup) -> dict[str, str | None]:
    record = customer.record()
    return {name: record.get(name) for name in ("anthropicApiKey", "gatewayToken", "telegramBotToken")}


# --- where secrets come from --------------------------------------------------------------------------------------


def test_secrets_come_from_the_environment(fleet: Fake) -> None:
    env = {"ANTHROPIC_API_KEY": KEY, "OPENCLAW_GATEWAY_TOKEN": TOKEN, "TELEGRAM_BOT_TOKEN": BOT}
    assert run(*NEW, **env).exit_code == 0
    assert secrets_of(fleet.signups[0]) == {"anthropicApiKey": KEY, "gatewayToken": TOKEN, "telegramBotToken": BOT}


def test_secrets_come_from_stdin(fleet: Fake) -> None:
    stdin = json.dumps({"apiKey": KEY, "gatewayToken": TOKEN, "telegramBotToken": BOT})
    assert run(*NEW, "--stdin", stdin=stdin).exit_code == 0
    assert secrets_of(fleet.signups[0]) == {"anthropicApiKey": KEY, "gatewayToken": TOKEN, "telegramBotToken": BOT}


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_secrets_come_from_stdin_as_windows_writes_them(fleet: Fake, encoding: str) -> None:
    assert run(*NEW, "--stdin", stdin=json.dumps({"apiKey": KEY}).encode(encoding)).exit_code == 0
    assert fleet.signups[0].api_key.get_secret_value() == KEY


def test_secrets_come_from_arguments_as_they_did_before(fleet: Fake) -> None:
    assert run(*NEW, "--api-key", KEY, "--gateway-token", TOKEN).exit_code == 0
    assert secrets_of(fleet.signups[0]) == {"anthropicApiKey": KEY, "gatewayToken": TOKEN, "telegramBotToken": None}


def test_stdin_counts_more_than_an_argument_and_that_more_than_the_environment(fleet: Fake) -> None:
    run(*NEW, "--api-key", OTHER_KEY, ANTHROPIC_API_KEY=KEY)
    run(*NEW, "--stdin", "--api-key", KEY, stdin=json.dumps({"apiKey": OTHER_KEY}), ANTHROPIC_API_KEY=KEY)
    assert [one.api_key.get_secret_value() for one in fleet.signups] == [OTHER_KEY, OTHER_KEY]


def test_stdin_is_not_read_where_nobody_asks_for_it(fleet: Fake) -> None:
    assert run(*NEW, stdin=json.dumps({"apiKey": OTHER_KEY}), ANTHROPIC_API_KEY=KEY).exit_code == 0
    assert fleet.signups[0].api_key.get_secret_value() == KEY


WRONG = {
    "no JSON": f"apiKey={KEY}",
    "nothing": "",
    "a list": json.dumps([KEY]),
    "a text": json.dumps(KEY),
    "another key": json.dumps({"apiKey": KEY, "api_key": KEY}),
    "a number": json.dumps({"apiKey": 5}),
    "null": json.dumps({"apiKey": KEY, "gatewayToken": None}),
}


@pytest.mark.parametrize("stdin", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_stdin_is_refused_before_anything_is_touched(fleet: Fake, stdin: str) -> None:
    result = run(*NEW, "--stdin", stdin=stdin)
    assert result.exit_code == 2
    assert "stdin" in result.stderr
    assert "apiKey" in result.stderr, "it says how to write it"
    assert fleet.opened == []


@pytest.mark.parametrize("arguments", [(), ("--stdin",)])
def test_a_missing_key_is_refused_before_anything_is_touched(fleet: Fake, arguments: tuple[str, ...]) -> None:
    result = run(*NEW, *arguments, stdin=json.dumps({"apiKey": ""}))
    assert result.exit_code == 2
    assert "ANTHROPIC_API_KEY" in result.stderr
    assert fleet.opened == []


def test_the_help_says_where_secrets_are_given_better() -> None:
    shown = CliRunner().invoke(app, ["provision", "--help"], env={"COLUMNS": "200"}).output
    for name in ("ANTHROPIC_API_KEY", "OPENCLAW_GATEWAY_TOKEN", "TELEGRAM_BOT_TOKEN", "--stdin"):
        assert name in shown
    assert "visible to others" in shown


@pytest.mark.parametrize("command", ["provision", "deprovision", "list", "show"])
def test_the_help_has_an_example(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
    assert f"Example: clawdet {command}" in shown


# --- what is asked for, and what is told --------------------------------------------------------------------------


@pytest.mark.parametrize("server", ["--vps-ip", "--existing-server"])
def test_the_old_scripts_flags_ask_for_a_customer(fleet: Fake, server: str) -> None:
    more = ("--subdomain", "robert", server, "192.0.2.7", "--host-key", "ssh-ed25519 AAAA")
    options = ("-s", "local", "--cell-size", "7", "--deadline", "60")
    assert run(*NEW, *more, *options, ANTHROPIC_API_KEY=KEY).exit_code == 0
    assert fleet.opened == [{"base": "local", "cell_size": 7, "root": ROOT}]
    assert fleet.asked == [("provision", "bob", 60)]
    [asked] = fleet.signups
    assert (asked.id, asked.plan, asked.subdomain) == ("bob", "pro", "robert")
    assert (asked.server_ipv4, asked.server_host_key) == ("192.0.2.7", "ssh-ed25519 AAAA")
    assert fleet.closed == 1


def test_the_server_is_named_once(fleet: Fake) -> None:
    both = ("--vps-ip", "192.0.2.7", "--existing-server", "192.0.2.8")
    assert run(*NEW, *both, ANTHROPIC_API_KEY=KEY).exit_code == 2
    assert fleet.signups == []


def test_the_cell_size_is_a_setting_of_the_environment_too(fleet: Fake) -> None:
    run(*NEW, ANTHROPIC_API_KEY=KEY, CLAWDET_CELL_SIZE="3")
    assert fleet.opened[0]["cell_size"] == 3


def test_json_is_all_of_stdout_and_progress_goes_to_stderr(fleet: Fake) -> None:
    result = run(*NEW, "--json", ANTHROPIC_API_KEY=KEY)
    told = json.loads(result.stdout)
    assert told["success"] is True
    assert told["deployTime"] == 31.4
    assert told["accessUrl"] == "https://bob.clawdet.com"
    assert told["stages"] == [{"customer": "bob", "stage": "healthy", "seconds": 31.0, "note": ""}]
    assert "2.5 s  server      192.0.2.7" in result.stderr


def test_people_see_the_stages_and_where_the_customer_is(fleet: Fake) -> None:
    result = run(*NEW, ANTHROPIC_API_KEY=KEY)
    assert result.stdout.splitlines() == [
        "   2.5 s  server      192.0.2.7",
        "bob is healthy after 31 s: https://bob.clawdet.com (in prod-cell-1, on bob)",
    ]


@pytest.mark.parametrize(("kind", "code"), ERRORS, ids=lambda one: getattr(one, "__name__", str(one)))
def test_an_error_ends_with_the_code_for_what_can_be_done(fleet: Fake, kind: type[AutomationError], code: int) -> None:
    fleet.error = kind("customer bob: it cannot be.", "bob")
    result = run(*NEW, "--json", ANTHROPIC_API_KEY=KEY)
    assert result.exit_code == code
    assert json.loads(result.stdout) == {
        "success": False,
        "code": kind.code.value,
        "error": "customer bob: it cannot be.",
        "action": kind.action,
        "exitCode": code,
    }
    assert result.stderr.endswith("error: customer bob: it cannot be.\n")
    for command in (("deprovision", "bob", "--yes"), ("show", "bob"), ("list",), ("status", "bob")):
        assert run(*command).exit_code == code


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_the_call_and_is_then_as_before(fleet: Fake, number: signal.Signals) -> None:
    before = signal.getsignal(number)

    def meanwhile(cancelled: threading.Event) -> None:
        assert not cancelled.is_set()
        signal.raise_signal(number)
        if cancelled.is_set():
            raise CancelledError("customer bob: the call was cancelled; the next one goes on.", "bob")

    fleet.meanwhile = meanwhile
    assert run(*NEW, ANTHROPIC_API_KEY=KEY).exit_code == 4
    assert signal.getsignal(number) is before


# --- the other commands -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_nobody_is_removed_without_a_yes(fleet: Fake, arguments: tuple[str, ...]) -> None:
    result = run("deprovision", "bob", *arguments, stdin="y\n")
    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert fleet.opened == []


def test_who_is_removed_is_told(fleet: Fake) -> None:
    result = run("deprovision", "bob", "--yes", "--json")
    assert json.loads(result.stdout) == {"success": True, "customer": "bob", "existed": True, "removeTime": 5.0}
    assert run("deprovision", "bob", "--yes").stdout.endswith("bob: nothing of it is left\n")
    fleet.removed = Removed(success=True, customer="bob", existed=False, remove_time=0.0)
    assert run("deprovision", "bob", "--yes").stdout.endswith("there is no customer bob\n")


def test_show_ends_with_4_where_the_last_update_failed(fleet: Fake) -> None:
    assert run("show", "bob").exit_code == 0
    fleet.rows = [row(id="ada"), row(phase=Phase.FAILED, error="the disk is full")]
    result = run("show", "bob")
    assert result.exit_code == 4
    assert "error          the disk is full" in result.stdout.splitlines()
    [told] = json.loads(run("show", "bob", "--json").stdout)
    assert (told["phase"], told["error"], told["live"]) == ("failed", "the disk is full", None)
    assert run("show", "ada").exit_code == 0
    assert [one["customer"] for one in json.loads(run("show", "bob", "ada", "--json").stdout)] == ["bob", "ada"]


def test_an_unknown_customer_is_said_with_the_nearest_id(fleet: Fake) -> None:
    result = run("show", "bobb", "--json")
    assert result.exit_code == 2
    told = json.loads(result.stdout)
    assert told["code"] == "unknown-customer"
    assert "Did you mean `bob`" in told["error"]


def test_of_who_is_not_deployed_nothing_is_asked(fleet: Fake) -> None:
    fleet.rows = [row(url="", phase=Phase.WAITING)]
    assert json.loads(run("show", "bob", "--live", "--json").stdout)[0]["live"] is None
    assert "not deployed" in run("show", "bob", "--live").stdout


def test_status_prints_what_it_did_and_names_its_successor(fleet: Fake) -> None:
    assert run("status", "bob").exit_code == 0
    fleet.rows = [row(phase=Phase.FAILED, error="the disk is full")]
    result = run("status", "bob")
    assert result.exit_code == 4
    assert result.stderr.startswith("warning: `clawdet status` is now `clawdet show`")
    assert "error          the disk is full" in result.stdout.splitlines()
    told = json.loads(run("status", "bob", "--json").stdout)
    assert (told["phase"], told["error"]) == ("failed", "the disk is full")
    names = {camel(one.name) for one in fields(InstanceRow)}
    assert set(told) == {*(names - {"id", "desired"}), "customer", "wanted"}


def test_the_list_has_who_is_listed_and_who_signed_up(fleet: Fake) -> None:
    assert [(one["customer"], one["cell"], one["stack"]) for one in json.loads(run("list", "--json").stdout)] == [
        ("ada", "prod", "prod"),
        ("bob", "prod-cell-1", "prod-cell-1"),
    ]
    shown = run("list", COLUMNS="200").stdout
    assert "ada" in shown
    assert "prod-cell-1" in shown
    assert fleet.asked == [("list",), ("list",)]


def test_a_cell_alone_and_all_stacks_can_be_listed(fleet: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clawdet_infra.engine.versions.versions", lambda root: dict.fromkeys(KNOWN))
    assert [one["customer"] for one in json.loads(run("list", "-s", "prod-cell-1", "--json").stdout)] == ["bob"]
    assert fleet.opened == [{"base": "prod", "cell_size": 50, "root": ROOT}]
    fleet.opened.clear()
    run("list", "--all-stacks")
    assert [one["base"] for one in fleet.opened] == ["local", "prod"]
    assert run("list", "-s", "prod-cell-1", "--rebuild").exit_code == 2


def test_a_stack_that_was_never_brought_up_is_an_error(fleet: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.rows = []
    monkeypatch.setattr("clawdet_infra.engine.versions.versions", lambda root: {})
    assert "stack prod was never brought up" in run("list").stderr
    monkeypatch.setattr("clawdet_infra.engine.versions.versions", lambda root: dict.fromkeys(KNOWN))
    result = run("list")
    assert (result.exit_code, result.stdout) == (0, "there are no customers\n")


def test_what_was_listed_is_kept_for_those_who_do_not_ask_the_stacks(fleet: Fake) -> None:
    fleet.rows = [row(id="ada", cell="prod"), row(), row(id="new", url="", phase=Phase.WAITING)]
    run("list")
    [(kept, complete, covers)] = fleet.kept
    assert [(one.id, one.stack, one.url) for one in kept] == [
        ("ada", "prod", "https://bob.clawdet.com"),
        ("bob", "prod-cell-1", "https://bob.clawdet.com"),
    ]
    assert not complete
    assert (covers("prod-cell-7"), covers("local")) == (True, False)


def test_the_registry_is_made_anew_only_where_that_is_said(fleet: Fake) -> None:
    run("list", "--rebuild", "--json")
    assert fleet.asked == [("rebuild",)]


def test_a_customer_in_two_stacks_is_a_warning_beside_the_list(fleet: Fake) -> None:
    fleet.clashes = ("the customer eve is both in the stack prod and in prod-cell-1",)
    fleet.rows = [row(id="ada")]
    done = run("list", "--json")
    assert "warning: the customer eve is both in the stack prod" in done.stderr
    assert [one["customer"] for one in json.loads(done.stdout)] == ["ada"]
    assert done.exit_code == 0
