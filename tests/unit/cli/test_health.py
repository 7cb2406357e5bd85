"""`clawdet health` over a simulated fleet: what is shown, and what it ends with."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import NoReturn

import pytest
from pydantic import SecretStr
from rich.console import Console
from typer.testing import CliRunner

from clawdet_infra.cli import health, health_round
from clawdet_infra.cli.health_table import as_table, as_text, facts
from clawdet_infra.cli.main import app
from clawdet_infra.hosts import HostError
from clawdet_infra.inventory import InventoryError
from clawdet_infra.inventory.instance import Instance, Inventory, Server
from clawdet_infra.inventory.observation import Condition, HostFailure, HostLook, Observation
from clawdet_infra.monitoring.checks import CheckCycle, CheckPolicy
from tests.support.simulated.answers import PASSWORD, TOKEN
from tests.support.simulated.fleet import STACK, Simulated, simulated_fleet
from tests.unit.monitoring.checks.samples import container, host

runner = CliRunner()
WELL, DEAD, REFUSED, LATE = "c00000", "c00001", "c00002", "c00003"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulated]:
    folder: Path = tmp_path_factory.mktemp("fleet")
    with simulated_fleet(folder, ["healthy", "dead", "refused", "late"], processes=1) as made:
        yield made


class Hosts:
    """Servers that say what is set here; nobody logs in to anything."""

    said: HostLook | HostFailure = HostFailure("no connection")

    def __init__(self, login_keys: Mapping[str, SecretStr]) -> None:
        assert STACK in login_keys

    async def __aenter__(self) -> Hosts:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def on(self, server: Server) -> NoReturn:
        raise HostError(f"nobody logs in to {server.name}")

    async def look(self, _: Server, instances: Sequence[Instance]) -> Mapping[str, HostLook | HostFailure]:
        return {one.id: self.said for one in instances}


@pytest.fixture(autouse=True)
def world(monkeypatch: pytest.MonkeyPatch, fleet: Simulated) -> None:
    """Let the command find the simulated fleet in place of the stacks, and look at it quickly."""
    inventory = Inventory(
        instances={one.id: one for one in fleet.instances},
        servers={one.server.name: one.server for one in fleet.instances},
        clouds=fleet.clouds,
        login_keys={STACK: SecretStr("key")},
    )

    class Loader:
        def __init__(self, stacks: Sequence[str] | None) -> None:
            self._stacks = stacks

        def load(self) -> Inventory:
            if self._stacks == ["unheard-of"]:
                raise InventoryError("stack unheard-of is not in the state's backend")
            return inventory

    monkeypatch.setattr(health_round, "Loader", Loader)
    monkeypatch.setattr(health_round, "Hosts", Hosts)
    monkeypatch.setattr(
        health_round,
        "CheckPolicy",
        lambda cycle_timeout_seconds: CheckPolicy(confirm_delay_seconds=0.1, jitter_seconds=0),
    )


def test_all_is_well() -> None:
    result = runner.invoke(app, ["health", WELL])
    assert result.exit_code == 0, result.output
    head, line, summary = result.stdout.splitlines()
    assert head.split() == ["CUSTOMER", "PLAN", "SERVER", "CONDITION", "SECONDS", "CERTIFICATE", "WHY"]
    assert line.split()[:4] == [WELL, "pro", WELL, "healthy"]
    assert "60 days" in line
    assert summary.startswith("1 healthy; the round took ")


def test_what_is_late_is_slow_and_that_is_no_failure() -> None:
    result = runner.invoke(app, ["health", LATE])
    assert result.exit_code == 0, result.output
    assert re.search(rf"{LATE} .* slow .* took \d\.\d s", result.stdout), result.stdout


def test_what_is_down_is_named_with_its_stage_and_why() -> None:
    result = runner.invoke(app, ["health", "--all"])
    assert result.exit_code == 4
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert " down " in lines[DEAD]
    assert "healthz: The gateway is dead: the proxy says HTTP 502 in its place." in lines[DEAD]
    assert "The server could not be asked: no connection." in lines[DEAD]
    assert "tcp: Nothing listens on the server's HTTPS port" in lines[REFUSED]
    assert "1 healthy, 1 slow, 2 down" in result.stdout


def test_a_round_is_told_as_json_without_secrets() -> None:
    result = runner.invoke(app, ["health", "--json"])
    assert result.exit_code == 4
    told = json.loads(result.stdout)
    assert told["conditions"] == {"healthy": 1, "slow": 1, "down": 2}
    seen = {one["customer"]: one for one in told["instances"]}
    assert seen[DEAD]["diagnosis"]["cause"] == "gateway-stopped"
    assert seen[WELL]["diagnosis"] is None
    assert set(seen[WELL]["stageSeconds"]) == {"dns", "tcp", "tls", "healthz", "startupz", "auth", "api", "readyz"}
    assert told["notChecked"] == []
    assert PASSWORD not in result.stdout
    assert TOKEN not in result.stdout


def test_with_the_hosts_their_containers_memory_and_disk_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    said = host(container("gateway", restarts=3), container("proxy", health="unhealthy"))
    monkeypatch.setattr(Hosts, "said", said)
    result = runner.invoke(app, ["health", WELL, "--host"])
    assert result.exit_code == 0
    line = result.stdout.splitlines()[1]
    assert re.search(r" 1/2 +3 +300/1024 MiB of 2000/4000 MiB +30%$", line), line


def test_a_host_that_cannot_be_asked_is_told_so() -> None:
    result = runner.invoke(app, ["health", WELL, "--host"])
    assert result.exit_code == 0
    assert "The server could not be asked: no connection" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nobody"], 2, f"error: stack {STACK} has no customer nobody"),
        ([WELL, "--all"], 2, "error: name instances, or say --all"),
        (["-s", "unheard-of"], 2, "error: stack unheard-of has no file Pulumi.unheard-of.yaml"),
    ],
    ids=["an unknown id", "both", "an unknown stack"],
)
def test_what_cannot_be_looked_at_is_told_in_one_line(arguments: list[str], code: int, said: str) -> None:
    result = runner.invoke(app, ["health", *arguments])
    assert result.exit_code == code
    assert result.output.startswith(said)
    assert result.output.count("\n") == 1


def test_watching_looks_again_until_it_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    naps = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", nap)
    result = runner.invoke(app, ["health", DEAD, "--watch", "--interval", "3", "--json"])
    assert result.exit_code == 4, "the last round counts"
    rounds = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["conditions"]["down"] for one in rounds] == [1, 1]
    assert all(0 <= one <= 3 for one in naps)


def test_what_was_not_looked_at_in_time_is_told_and_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hurried = CheckPolicy(cycle_timeout_seconds=0.4, confirm=False, jitter_seconds=0)
    monkeypatch.setattr(health_round, "CheckPolicy", lambda cycle_timeout_seconds: hurried)
    result = runner.invoke(app, ["health", LATE])
    assert result.exit_code == 1
    assert "not looked at" in result.stdout
    assert "the round's time was over" in result.stdout


def test_an_answer_with_brackets_is_not_taken_for_colours(fleet: Simulated) -> None:
    instances = {one.id: one for one in fleet.instances}
    slow = Observation(
        instance=WELL,
        server=WELL,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        condition=Condition.HEALTHY,
        latency_seconds=0.1,
        host=HostFailure("it said [bold]loud[/bold] [link=x]"),
    )
    console = Console(width=200, record=True, file=StringIO(), force_terminal=True)
    console.print(as_table(CheckCycle([slow], [DEAD], 0.1), instances, host=True))
    shown = console.export_text()
    assert "it said [bold]loud[/bold] [link=x]" in shown
    assert shown.index("not looked at") < shown.index("healthy"), "the worst comes first"
    assert as_text(CheckCycle([replace(slow, host=None)], [], 0.1), instances).startswith("CUSTOMER")
    assert facts(CheckCycle([slow], [DEAD], 0.1), instances)["notChecked"] == [DEAD]


def test_a_channel_that_is_not_ready_is_shown_beside_a_healthy_instance(fleet: Simulated) -> None:
    instances = {one.id: one for one in fleet.instances}
    well = Observation(
        instance=WELL,
        server=WELL,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        condition=Condition.HEALTHY,
        latency_seconds=0.1,
        not_ready=("telegram", "discord"),
    )
    done = CheckCycle([well], [], 0.1)
    assert re.search(r" healthy .* channels not ready: telegram, discord$", as_text(done, instances), re.MULTILINE)
    assert facts(done, instances)["instances"][0]["notReady"] == ["telegram", "discord"]
    assert health.exit_code(done) == 0
    console = Console(width=200, record=True, file=StringIO(), force_terminal=True)
    console.print(as_table(done, instances))
    assert "channels not ready: telegram, discord" in console.export_text()


def test_help_has_an_example_and_loads_nothing_heavy() -> None:
    assert "Example: clawdet health" in runner.invoke(app, ["health", "--help"]).output
    code = (
        "import sys; from clawdet_infra.cli.main import app\n"
        "try: app(['health', '--help'])\n"
        "except SystemExit: pass\n"
        "print([one for one in ('pulumi', 'aiohttp', 'hcloud', 'asyncssh', 'sqlalchemy') if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
