"""What is read in the texts that were recorded of the engine; see `tests/contract/engine`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from pulumi.automation.events import EngineEvent

from clawdet_infra.automation.error_mapping import code_of
from clawdet_infra.automation.progress import UpdateProgress
from clawdet_infra.config.source import PROJECT
from clawdet_infra.engine.errors import explain
from clawdet_infra.engine.events import Problem, Violation, read_event
from clawdet_infra.engine.output import Cause, failure, printed_failure, updates_of
from clawdet_infra.engine.process import FailedError
from clawdet_infra.engine.progress import Progress
from clawdet_infra.engine.stack_locks import read_locks
from clawdet_infra.engine.stages import Watch
from clawdet_infra.layout import plan_layout
from clawdet_infra.preview.engine_plan import ask
from tests.contract.engine.lab import RECORDED, REFUSALS, SAID, SCENARIOS, UPDATE, Text
from tests.support.stack import ROOT
from tests.unit.automation.samples import base
from tests.unit.automation.samples import customer as record

PRINTED = {
    "wrong_passphrase": (Cause.WRONG_PASSPHRASE, "is not its passphrase"),
    "no_passphrase": (Cause.NO_PASSPHRASE, "cannot be decrypted without its passphrase"),
    "no_stack": (Cause.NO_STACK, "stack prod is not in the state's backend"),
    "no_login": (Cause.NO_LOGIN, "nobody is logged in"),
    "no_backend": (Cause.NO_BACKEND, "the state's backend, PULUMI_BACKEND_URL, cannot be opened: unable to open"),
    "no_project": (Cause.NO_PROJECT, "there is no Pulumi project in this folder"),
    "no_project_of_a_stack": (Cause.NO_PROJECT, "there is no Pulumi project in this folder"),
    "locked": (Cause.LOCKED, "clawdet recover -s prod"),
    "unknown_option": (Cause.OTHER, "stack prod cannot be read: unknown flag: --no-such-option"),
}
"""Of what is printed before there are events: the cause, and what an operator reads in `explain`."""

INJECTED = "injected error for POST /servers"
STATUS = "the gateway did not start"
URN = "urn:pulumi:prod::texts::hcloud:index/sshKey:SshKey::key"
ERRORS: dict[str, dict[str, tuple[Cause, str]]] = {
    "refused": {
        "resource-unavailable": (Cause.NO_CAPACITY, INJECTED),
        "resource-limit-exceeded": (Cause.NO_CAPACITY, INJECTED),
        "forbidden": (Cause.NO_ACCESS, INJECTED),
        "uniqueness-error": (Cause.OTHER, INJECTED),
    },
    "wrong_token": {"ada": (Cause.NO_ACCESS, "unable to authenticate (unauthorized")},
    "commands": {
        "local": (Cause.COMMAND, STATUS),
        "remote": (Cause.COMMAND, STATUS),
        "away": (Cause.OTHER, "after 2 failed attempts: dial tcp"),
    },
    "cut_off": {"fails": (Cause.COMMAND, "it went wrong")},
    "program_refuses": {"": (Cause.OTHER, "The configuration has 1 problem: - customers[0].plan")},
    "program_breaks": {"": (Cause.OTHER, "Program failed with an unhandled exception: KeyError: 'base'")},
    "no_output": {"": (Cause.OTHER, "Program failed with an unhandled exception: KeyError: 'base'")},
    "protected": {"key": (Cause.PROTECTED, "")},
    "protected_replaced": {"key": (Cause.PROTECTED, "")},
}
"""Of the errors among the events: whose each is, the cause, and how its sentence begins or what is in it."""


def test_every_text_is_recorded_and_read() -> None:
    recorded = {path.stem for path in RECORDED.glob("*.json")}
    assert recorded == SCENARIOS.keys()
    assert recorded == PRINTED.keys() | ERRORS.keys() | {"policies", "history"}


@pytest.mark.parametrize("name", PRINTED)
def test_what_the_engine_prints_is_understood(name: str) -> None:
    text = Text.read(name)
    cause, meant = PRINTED[name]
    assert text.code != 0
    assert not text.errors
    for printed in (text.stderr, f"\n code: {text.code}\n stdout: no stack named x found\n stderr: {text.stderr}"):
        assert printed_failure(printed).cause is cause
        assert meant in explain("prod", printed)


@pytest.mark.parametrize("name", ERRORS)
def test_what_the_engine_reports_is_understood(name: str) -> None:
    text = Text.read(name)
    assert text.code != 0
    found: dict[str, tuple[Cause, str]] = {}
    for owner, message in text.errors:
        said = failure(message)
        if said.cause is not Cause.CONSEQUENCE:
            found.setdefault(owner.removesuffix("texts-prod"), (said.cause, said.sentence))
    assert found.keys() == ERRORS[name].keys()
    for owner, (cause, sentence) in found.items():
        expected, begins = ERRORS[name][owner]
        assert cause is expected, sentence
        assert begins in sentence
        for around in ("Traceback", 'File "', "sdk.helper_schema", "provider=", "error occurred", "urn:pulumi", "\n"):
            assert cause is Cause.PROTECTED or around not in sentence


@pytest.mark.parametrize("name", ["protected", "protected_replaced"])
def test_what_is_protected_is_named(name: str) -> None:
    named = [failure(message).resources for _, message in Text.read(name).errors]
    assert (URN,) in named


@pytest.mark.parametrize("name", sorted(ERRORS))
def test_both_forms_of_an_event_say_the_same(name: str) -> None:
    events = Text.read(name).events
    read = [read_event(one) for one in events]
    assert read == [read_event(EngineEvent.from_json(dict(one))) for one in events]
    assert all(isinstance(one, Problem) for one in read)


def test_policies_are_understood() -> None:
    found = [one for one in map(read_event, Text.read("policies").events) if isinstance(one, Violation)]
    assert any(one.mandatory for one in found)
    assert {one.urn.rpartition("::")[2] for one in found} == {"ada"}


def test_a_preview_that_failed_says_why_and_nothing_twice() -> None:
    asked = {name: ask(_Saying(Text.read(name))) for name in ("refused", "program_breaks", "protected", "no_stack")}
    assert {name: one.failed for name, one in asked.items()} == {
        "refused": True,
        "program_breaks": True,
        "protected": False,
        "no_stack": True,
    }
    assert asked["protected"].protected == (URN,)
    assert asked["no_stack"].errors == ("no stack named 'nobody' found",)


class _Saying:
    """Says what was recorded."""

    def __init__(self, text: Text) -> None:
        self._text = text

    def preview(self, *, on_event: Callable[[object], object] | None = None, **_: object) -> None:
        for one in self._text.events:
            assert on_event is not None
            on_event(one)
        raise FailedError(["preview"], self._text.code, self._text.stderr or self._text.stdout)


def test_a_history_is_understood() -> None:
    updates = updates_of(Text.read("history").stdout)
    assert [one.succeeded for one in updates] == [False, True]


def test_a_lock_is_understood(tmp_path: Path) -> None:
    [lock] = [one["lock"] for one in Text.read("locked").events]
    file = tmp_path / ".pulumi" / "locks" / "organization" / PROJECT / "prod" / "1.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(lock), "utf-8")
    [read] = read_locks(f"file://{tmp_path}", PROJECT, "prod")
    assert (read.pid, read.hostname, f"{read.taken:%F %T}") == (4711, "machine", "2026-01-02 03:04:05")


def test_the_events_of_an_update_are_understood() -> None:
    events = [json.loads(line) for line in UPDATE.read_text("utf-8").splitlines()]
    told: list[tuple[str, str]] = []
    progress = Progress(lambda current, step: told.append((current.owner.id, step)))
    for one in events:
        progress(one)
    assert [step for owner, step in told if owner == "ada"] == ["server", "DNS", "deployment"]
    [bob] = [one for one in progress.by_owner.values() if one.owner.id == "bob"]
    assert (bob.failed, bob.on_server, bob.error) == (True, True, SAID.removeprefix("customer bob: "))
    assert not progress.errors
    [ada] = [one for one in progress.by_owner.values() if one.owner.id == "ada"]
    assert ada.url.startswith("https://ada.")


def test_the_same_events_are_understood_as_those_of_a_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Watch, "start", lambda *_: None)  # Nothing answers at the addresses that were recorded.
    fleet = base().fleet_with([record(one) for one in ("ada", "bob")], listed=False)
    customers = [_at_home(one) for one in plan_layout(fleet, cell="prod-cell-1").customers]
    passed: list[tuple[str, str]] = []
    follower = UpdateProgress(
        customers,  # type: ignore[arg-type]
        lambda identity, one: passed.append((identity, one.stage)),
        addresses={},
        ca_bundle=None,
    )
    for line in UPDATE.read_text("utf-8").splitlines():
        follower(EngineEvent.from_json(json.loads(line)))
    follower.end()
    assert [stage for identity, stage in passed if identity == "ada"] == ["server", "DNS", "deployment"]
    assert (follower.failed("ada"), follower.why("ada"), follower.general) == (False, None, [])
    assert follower.failed("bob")
    why = follower.why("bob")
    assert why is not None
    assert (why.sentence, why.cause, code_of(why)) == (SAID, Cause.COMMAND, "deployment")


def test_that_the_engine_goes_on_without_a_failed_resource_is_no_reason() -> None:
    """It tells the program, which ends with an exception, and that is an error of nobody's."""
    events = [json.loads(line) for line in UPDATE.read_text("utf-8").splitlines()]
    found = [one for one in map(read_event, events) if isinstance(one, Problem)]
    assert [one.failure.sentence for one in found if "ResourceRegistrationFailed" in one.message] == [""]


def _at_home(one: object) -> SimpleNamespace:
    """A customer of the update that was recorded: its names are those of its domain."""
    layout = SimpleNamespace(**{name: getattr(one, name) for name in ("id", "fqdn", "record", "deployment")})
    return SimpleNamespace(
        id=layout.id,
        fqdn=f"{layout.id}.clawdet.test",
        record=layout.record.replace(".clawdet.com", ".clawdet.test"),
        deployment=layout.deployment,
    )


def test_what_the_provider_refuses_is_recorded_for_each_code() -> None:
    assert {code.replace("_", "-") for code in REFUSALS} == ERRORS["refused"].keys()


@pytest.mark.parametrize("name", sorted({*PRINTED, *ERRORS, "policies", "history"}))
def test_no_path_or_secret_of_a_machine_is_recorded(name: str) -> None:
    text = (RECORDED / f"{name}.json").read_text("utf-8")
    for own in (f"{Path.home()}/", f"{ROOT}/", "/tmp/", "BEGIN OPENSSH", "token0"):
        assert own not in text
