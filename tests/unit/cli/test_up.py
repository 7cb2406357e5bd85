from __future__ import annotations

import ast
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from clawdet_infra.automation import sync
from clawdet_infra.cli import engine_options, engine_update, recover, servers, token
from clawdet_infra.cli import up as module
from clawdet_infra.cli.main import app
from clawdet_infra.cli.up import POLICY_PACK
from clawdet_infra.engine.recovery import Recovered, refuse_locked
from clawdet_infra.preview import run
from clawdet_infra.preview.sources import CheckoutSource
from tests.unit.engine import engine_events

QUIET = [
    *("up", "--stack", "prod", "--yes", "--skip-preview", "--non-interactive", "--color", "never"),
    *("--suppress-outputs", "--suppress-progress"),
]


STACK_FILE = """\
config:
  clawdet:domain: clawdet.com
  clawdet:acmeEmail: ops@clawdet.com
  clawdet:ssh: {sources: [203.0.113.0/24]}
  clawdet:release:
    gateway: ghcr.io/openclaw/openclaw:2026.9.6
    proxy: docker.io/library/caddy:2.11.9
    browser: docker.io/chromedp/headless-shell:156.0.8078.79
  clawdet:customers:
    - {id: ada, plan: pro, anthropicApiKey: {secure: v1:AAAA:AAAA}}
    - {id: bob, plan: pro, subdomain: robert, anthropicApiKey: {secure: v1:AAAA:AAAA}}
    - {id: zoe, plan: pro, anthropicApiKey: {secure: v1:AAAA:AAAA}}
"""


STATE: Mapping[str, Any] = {"deployment": {"resources": []}}


class Started:
    """The commands that were started, out of sight or `shown`, and what was asked before."""

    def __init__(self) -> None:
        self.argvs: list[Sequence[str]] = []
        self.shown: list[Sequence[str]] = []
        self.events: list[Any] = []
        self.printed = ""
        self.wishes: list[run.PreviewOptions] = []
        self.off: list[str] = []
        self.gone = False
        self.hinted: list[str] = []
        self.states: list[Mapping[str, Any] | None] = []
        self.code = 0
        self.report = SimpleNamespace(misconfigured=False, failed=False, refused=False, changes=True, subjects=[])

    def follow(
        self,
        argv: Sequence[str],
        *,
        log: Path | None,
        text: Path | None,
        on_event: Callable[[Any], None],
        **_: Any,
    ) -> int:
        own = any(one.startswith("--event-log") for one in argv)
        assert (log is None) == own, "who names a log gets the events there"
        for one in self.events:
            on_event(one)
        if text is None:
            self.shown.append(argv)
        else:
            self.argvs.append(argv)
            text.parent.mkdir(parents=True, exist_ok=True)
            text.write_text(self.printed)
        return self.code

    def prepare(self, stack: str, cloud: servers.Cloud, state: Mapping[str, Any] | None) -> None:
        self.states.append(state)

    def hint(self, stack: str, cloud: servers.Cloud) -> bool:
        self.hinted.append(stack)
        return self.gone

    def preview(self, sources: Iterable[run.Source], wish: run.PreviewOptions) -> Any:
        self.wishes.append(wish)
        return self.report


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    found = Started()
    monkeypatch.setattr(recover, "run", lambda stack, wait: Recovered(False, (), STATE))
    monkeypatch.setattr(servers, "prepare", found.prepare)
    monkeypatch.setattr(servers, "switched_off", lambda stack, cloud: found.off)
    monkeypatch.setattr(servers, "hint_at_gone", found.hint)
    monkeypatch.setattr(engine_update, "follow", found.follow)
    monkeypatch.setattr(module, "ROOT", tmp_path)
    monkeypatch.setattr(engine_update, "ROOT", tmp_path)
    monkeypatch.setattr(run, "preview", found.preview)
    monkeypatch.setattr(module, "_show", lambda report: None)
    monkeypatch.setattr(CheckoutSource, "fingerprint", lambda self, *, policies: None)
    monkeypatch.setattr(CheckoutSource, "problems", lambda self: [])
    return found


@pytest.fixture
def locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The lock of an update of the stack `prod` by this process."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    lock = tmp_path / ".pulumi/locks/organization/clawdet/prod/1.json"
    lock.parent.mkdir(parents=True)
    taken = "2026-03-01T12:00:00.123456789Z"
    lock.write_text(json.dumps({"pid": os.getpid(), "hostname": socket.gethostname(), "timestamp": taken}))
    return lock


def test_another_update_is_waited_for(locked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    threading.Timer(0.3, locked.unlink).start()
    assert recover.Wait(30).until_free("prod", lambda: refuse_locked("prod")) == []
    who = f"process {os.getpid()} on {socket.gethostname()}"
    assert capsys.readouterr().err == (
        f"Waiting at most 30 s for {who}, which has been updating prod since 2026-03-01 12:00:00 UTC.\n"
    )


def test_one_that_takes_too_long_is_an_error_that_says_whose_it_is(locked: Path) -> None:
    done = CliRunner().invoke(app, ["up", "-s", "prod", "--wait", "--wait-timeout", "1"])
    assert done.exit_code == 1
    assert "prod was still locked after 1 s" in done.output
    assert f"stack prod is being updated by process {os.getpid()} on" in done.output


def test_nobody_is_waited_for_without_being_asked_to(locked: Path) -> None:
    begun = time.monotonic()
    done = CliRunner().invoke(app, ["up", "-s", "prod"])
    assert done.exit_code == 1
    assert f"stack prod is being updated by process {os.getpid()} on" in done.output
    assert "Waiting" not in done.output
    assert "`clawdet up -s prod --wait`" in done.output
    assert time.monotonic() - begun < 60


def test_an_update_that_began_during_the_preview_is_waited_for_and_previewed_again(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = ["another", ""]
    monkeypatch.setattr(module, "_is_updated_by_another", lambda stack: found.pop(0))
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--yes", "--wait"]).exit_code == 0
    assert len(started.wishes) == 2
    assert len(started.argvs) == 1


def test_an_update_that_takes_the_lock_before_the_engine_does_is_waited_for_and_previewed_over(
    started: Started, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = locked.read_text()
    locked.unlink()
    waited: list[str] = []

    def follow(argv: Sequence[str], **options: Any) -> int:
        ended = started.follow(argv, **options)
        if len(started.argvs) == 1:
            locked.write_text(taken)
            return 1
        return ended

    def recovered(stack: str, wait: recover.Wait) -> Recovered:
        if locked.exists():
            waited.append(stack)
            locked.unlink()
        return Recovered(False, ())

    monkeypatch.setattr(engine_update, "follow", follow)
    monkeypatch.setattr(recover, "run", recovered)
    done = CliRunner().invoke(app, ["up", "-s", "prod", "--yes", "--wait"])
    assert done.exit_code == 0
    assert "failed" not in done.output, "it only had to wait"
    assert (waited, len(started.wishes), len(started.argvs)) == (["prod"], 2, 2)


def test_whom_another_update_has_stopped_is_told_how_to_wait(started: Started, locked: Path) -> None:
    started.code = 1
    done = CliRunner().invoke(app, ["up", "-s", "prod", "--yes"])
    assert done.exit_code == 1
    assert "another process updates prod. Wait for it: clawdet up -s prod --wait" in done.output
    assert started.hinted == [], "the reason is known"


def test_an_update_is_held_against_the_policies(started: Started) -> None:
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--yes", "--refresh"]).exit_code == 0
    assert started.argvs == [[*QUIET, "--policy-pack", str(POLICY_PACK), "--yes", "--refresh"]]
    assert [one.policy_pack for one in started.wishes] == [str(POLICY_PACK)]
    assert os.access(POLICY_PACK, os.X_OK), "the engine starts it as a program"


def test_it_can_be_made_without_them(started: Started) -> None:
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--no-policy", "-y"]).exit_code == 0
    assert started.argvs == [[*QUIET, "-y"]]
    assert [one.policy_pack for one in started.wishes] == [None]


def test_whoever_has_said_yes_does_not_wait_for_a_second_preview(started: Started) -> None:
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--yes", "--allow-loss", "ada"]).exit_code == 0
    assert "--skip-preview" in started.argvs[0]
    assert [set(one.named) for one in started.wishes] == [{"ada"}]


@pytest.mark.parametrize(("what", "code"), [("misconfigured", 2), ("failed", 1), ("refused", 5)])
def test_nothing_is_started_where_the_preview_says_no(started: Started, what: str, code: int) -> None:
    setattr(started.report, what, True)
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--yes"]).exit_code == code
    assert started.argvs == []


def test_the_question_comes_under_the_report_and_no_is_taken_for_no(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "can_confirm", lambda: True)
    monkeypatch.setattr(module, "_show", lambda report: print("the report", file=sys.stderr))
    done = CliRunner().invoke(app, ["up", "-s", "prod"], input="n\n")
    assert done.exit_code == 1
    assert done.output.splitlines() == ["the report", "Update prod? [y/N]: n", "Nothing was changed."]
    assert (started.argvs, started.shown) == ([], [])
    assert CliRunner().invoke(app, ["up", "-s", "prod"], input="y\n").exit_code == 0
    assert len(started.argvs) == 1


def test_what_changes_while_the_question_stands_is_shown_before_it_is_done(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprints = iter(["one", "two", "two", "two"])
    monkeypatch.setattr(CheckoutSource, "fingerprint", lambda self, *, policies: next(fingerprints))
    monkeypatch.setattr(module, "can_confirm", lambda: True)
    monkeypatch.setattr(module, "_keep", lambda *_, **__: None)
    done = CliRunner().invoke(app, ["up", "-s", "prod"], input="y\ny\n")
    assert done.exit_code == 0
    assert done.output.count("Update prod?") == 2
    assert (len(started.wishes), len(started.argvs)) == (2, 1)


@pytest.mark.parametrize("more", [[], ["--non-interactive"]])
def test_nothing_is_changed_where_nobody_can_confirm_it(started: Started, more: list[str]) -> None:
    done = CliRunner().invoke(app, ["up", "-s", "prod", *more])
    assert done.exit_code == 2
    assert "--yes" in done.output
    assert started.argvs == []


def test_nobody_is_asked_where_nothing_changes_or_the_environment_has_said_yes(
    started: Started, monkeypatch: pytest.MonkeyPatch
) -> None:
    started.report.changes = False
    done = CliRunner().invoke(app, ["up", "-s", "prod"])
    assert (done.exit_code, len(started.argvs)) == (0, 1)
    assert "nothing changed" in done.output
    started.report.changes = True
    monkeypatch.setenv("PULUMI_SKIP_CONFIRMATIONS", "true")
    assert CliRunner().invoke(app, ["up", "-s", "prod"]).exit_code == 0


@pytest.mark.parametrize(
    "argument", ["--show-engine-output", "--diff", "--json", "--show-sames", "--event-log=log", "--strict"]
)
def test_who_asks_for_the_engines_own_text_gets_it_with_its_preview_and_its_question(
    started: Started, argument: str
) -> None:
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--no-policy", argument]).exit_code == 0
    handed = [] if argument == "--show-engine-output" else [argument]
    assert started.shown == [["up", "--stack", "prod", *handed]]
    assert started.argvs == []


def test_whoever_has_said_yes_waits_for_one_preview_of_the_engines_alone(started: Started) -> None:
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--no-policy", "--diff", "--yes"]).exit_code == 0
    assert started.shown == [["up", "--stack", "prod", "--skip-preview", "--diff", "--yes"]]


def test_the_state_that_recovery_has_read_is_not_read_again(started: Started) -> None:
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--yes"]).exit_code == 0
    assert started.states == [STATE]


def test_an_update_ends_with_what_became_of_each_and_keeps_who_failed(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noted: list[tuple[Any, ...]] = []
    monkeypatch.setattr(sync, "note_update", lambda _, *told: noted.append(told))
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(STACK_FILE)
    started.code = 255
    started.events = [*engine_events.whole("ada"), *engine_events.failed("bob", "error: it went wrong")]
    done = CliRunner().invoke(app, ["up", "-s", "prod", "--yes"])
    assert done.exit_code == 255
    assert re.sub(r" +\d+\.\d s", "N s", done.stdout).splitlines() == [
        "N s  ada  server",
        "N s  ada  DNS",
        "N s  ada  deployment",
        "N s  ada  healthy",
        "N s  bob  failed: it went wrong",
        "ada  healthy after 0 s  https://ada.clawdet.com",
        "bob  failed: it went wrong",
        "bob  what it printed: clawdet logs --failed bob",
    ]
    [failed, where] = done.stderr.splitlines()
    assert failed == "error: the update of prod failed after 0 s; what it had made stays"
    assert where.startswith("Pulumi's own text: ")
    bob = {"error": "it went wrong", "plan": "pro", "subdomain": "robert"}
    assert noted == [("prod", tmp_path, {"bob": bob}, {"zoe"})], "of zoe nothing new is known"


def test_what_failed_before_there_was_any_event_is_said(started: Started) -> None:
    started.code = 255
    started.printed = "Updating (prod):\nerror: incorrect passphrase\n"
    done = CliRunner().invoke(app, ["up", "-s", "prod", "--yes"])
    assert "error: incorrect passphrase" in done.stderr.splitlines()


def test_an_update_over_a_server_that_is_off_is_no_success(started: Started) -> None:
    started.off = ["ada"]
    done = CliRunner().invoke(app, ["up", "-s", "prod", "--yes"])
    assert done.exit_code == 4
    assert "server ada is off. Switch it on with `clawdet power on ada`" in done.output


def test_an_update_over_a_server_that_the_provider_does_not_have_is_no_success(started: Started) -> None:
    started.gone = True
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--yes"]).exit_code == 4
    assert started.hinted == ["prod"]


def test_after_an_update_that_failed_servers_that_are_gone_are_named(started: Started) -> None:
    started.code = 1
    assert CliRunner().invoke(app, ["up", "-s", "prod", "--yes"]).exit_code == 1
    assert started.hinted == ["prod"]


@pytest.mark.parametrize("yes", [[], ["--yes"]])
def test_a_rotation_updates_its_stack_in_the_same_way(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yes: list[str]
) -> None:
    monkeypatch.setattr(token, "ROOT", tmp_path)
    monkeypatch.setattr(module, "can_confirm", lambda: True)
    (tmp_path / "Pulumi.prod.yaml").write_text("config:\n  clawdet:customers:\n    - {id: ada, plan: pro}\n")
    assert CliRunner().invoke(app, ["token", "rotate", "ada", "--up", *yes], input="y\n").exit_code == 0
    assert started.argvs == [[*QUIET, "--policy-pack", str(POLICY_PACK), *yes]]
    assert [one.policy_pack for one in started.wishes] == [str(POLICY_PACK)]
    assert [one.named for one in started.wishes] == [set()]


def test_a_rotation_that_nobody_can_confirm_writes_nothing(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token, "ROOT", tmp_path)
    monkeypatch.delenv("PULUMI_SKIP_CONFIRMATIONS", raising=False)
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("config:\n  clawdet:customers:\n    - {id: ada, plan: pro}\n")
    done = CliRunner().invoke(app, ["token", "rotate", "ada", "--up"])
    assert done.exit_code == 2
    assert "--yes" in done.output
    assert "tokenVersion" not in file.read_text()
    assert started.argvs == []


def test_a_rotation_ends_as_an_update_does_that_would_lose_data(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token, "ROOT", tmp_path)
    (tmp_path / "Pulumi.prod.yaml").write_text("config:\n  clawdet:customers:\n    - {id: ada, plan: pro}\n")
    started.report.refused = True
    assert CliRunner().invoke(app, ["token", "rotate", "ada", "--up", "--yes"]).exit_code == 5
    assert started.argvs == []
    assert "tokenVersion" not in (tmp_path / "Pulumi.prod.yaml").read_text(), "a second try raises it by one, not two"


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_a_rotation_that_is_not_confirmed_leaves_the_file_as_it_was(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    monkeypatch.setattr(token, "ROOT", tmp_path)
    monkeypatch.setattr(module, "can_confirm", lambda: True)
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("config:\n  clawdet:customers:\n    - {id: ada, plan: pro}\n")
    before = file.read_bytes()
    done = CliRunner().invoke(app, ["token", "rotate", "ada", "--up"], input=answer)
    assert done.exit_code == 1
    assert "as it was before" in done.stderr
    assert file.read_bytes() == before
    assert started.argvs == []


def test_a_rotation_whose_update_fails_stays_in_the_file(
    started: Started, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(token, "ROOT", tmp_path)
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("config:\n  clawdet:customers:\n    - {id: ada, plan: pro}\n")
    started.code = 255
    assert CliRunner().invoke(app, ["token", "rotate", "ada", "--up", "--yes"]).exit_code == 255
    assert "tokenVersion: 2" in file.read_text(), "some of it may be deployed; the next update continues"


def test_the_preview_gets_none_of_the_arguments_that_only_updates_take(started: Started) -> None:
    assert engine_options.for_preview(["--yes", "--event-log", "log", "--plan=p", "--diff", "--event-log=log"]) == [
        "--diff"
    ]


def test_one_place_alone_starts_an_update_of_the_engine() -> None:
    """Whatever else called `pulumi up` or `pulumi destroy` would pass by the policies and the check for lost data.

    Recovery refreshes what it has taken over, and imports the state with it.  What forgets a server that is gone
    imports the state without it.
    """
    package = Path(module.__file__).parents[1]
    found = {
        (str(path.relative_to(package)), verb)
        for path in package.rglob("*.py")
        if "agent" not in path.parts  # It runs on servers, where `docker compose up` is.
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.List | ast.Tuple)
        for verb in [" ".join(str(one.value) for one in node.elts[:2] if isinstance(one, ast.Constant))]
        if re.fullmatch(r"(pulumi )?(up|update|destroy|refresh|import|stack import)( --stack)?", verb)
    }
    assert found == {
        ("cli/engine_update.py", "up --stack"),
        ("engine/recovery.py", "refresh --stack"),
        ("engine/recovery.py", "stack import"),
        ("engine/deleted_servers.py", "stack import"),
    }
