"""How deployments treat registries and Docker's own settings."""

from __future__ import annotations

import json
from ipaddress import ip_network
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from clawdet_infra import render
from clawdet_infra.agent import containers, server
from clawdet_infra.agent.commands import CommandResult
from clawdet_infra.agent.errors import DeploymentError
from clawdet_infra.config import SharedHost
from clawdet_infra.render.bundle import COMPOSE_FILE
from clawdet_infra.render.templates import text
from tests.unit.render.examples import PINNED, customer

LIMITED = CommandResult(1, "", "Error response from daemon: toomanyrequests: You have reached your pull rate limit.")
BROKEN = CommandResult(1, "", "Error response from daemon: unexpected EOF")
GONE = CommandResult(1, "", "Error response from daemon: manifest for gateway:gone not found: manifest unknown")
DONE = CommandResult(0, "sha256:1", "")


class Registry:
    """A registry that gives these answers, the last one again and again, and a clock that only sleeping moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: CommandResult, seconds: float = 1) -> None:
        self._answers = list(answers)
        self._seconds = seconds
        self.now = 0.0
        self.asked: list[float] = []
        self.bounds: list[float] = []
        monkeypatch.setattr(containers, "run", self._run)
        monkeypatch.setattr(containers.time, "monotonic", lambda: self.now)
        monkeypatch.setattr(containers.time, "sleep", self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def _run(self, command: list[str], *, seconds: float) -> CommandResult:
        if command[1] == "image":
            return CommandResult(1, "", "no such image")
        self.asked.append(self.now)
        self.bounds.append(seconds)
        self.now += min(self._seconds, seconds)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def test_a_registry_that_asks_for_fewer_requests_is_given_time(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(monkeypatch, LIMITED, LIMITED, DONE)
    containers.pull(["gateway:1"])
    assert registry.asked == [0, 16, 47]


def test_a_registry_that_goes_on_refusing_is_named_within_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(monkeypatch, LIMITED)
    with pytest.raises(DeploymentError) as failed:
        containers.pull(["gateway:1", "proxy:1"])
    assert str(failed.value) == (
        f"pulling the image gateway:1 failed: {LIMITED.errors} (6 tries in 471 s); the registry takes no more requests "
        "from this server for now: try later, or use a mirror"
    )
    pauses = [after - before for before, after in zip(registry.asked, registry.asked[1:], strict=False)]
    assert pauses == sorted(pauses)
    assert min(pauses) > 15


def test_all_images_together_have_one_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(monkeypatch, DONE, BROKEN, seconds=800)
    with pytest.raises(DeploymentError, match="pulling the image proxy:1 failed"):
        containers.pull(["gateway:1", "proxy:1"])
    assert registry.bounds == [900, 100]
    assert registry.now == 900


def test_what_may_pass_is_tried_again_and_what_is_not_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry(monkeypatch, BROKEN, BROKEN, DONE)
    containers.pull(["gateway:1"])
    assert registry.asked == [0, 2, 8]
    registry = Registry(monkeypatch, GONE)
    with pytest.raises(DeploymentError):
        containers.pull(["gateway:gone"])
    assert len(registry.asked) == 1


@pytest.fixture
def restarted(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was done to Docker; one container runs where the first entry says so."""
    done: list[list[str]] = []

    def must(command: list[str], **_: object) -> str:
        if command[0] == "systemctl":
            done.append(command)
        return "abc\n" if done and done[0] == ["runs"] else ""

    monkeypatch.setattr(server, "must", must)
    return done


def test_docker_gets_addresses_beside_what_is_set_already(tmp_path: Path, restarted: list[list[str]]) -> None:
    file = tmp_path / "docker" / "daemon.json"
    server.set_address_pools(file)
    assert json.loads(file.read_text()) == {"default-address-pools": server.ADDRESS_POOLS}
    assert restarted == [["systemctl", "restart", "docker.service"]]
    server.set_address_pools(file)
    assert len(restarted) == 1, "nothing has changed"
    file.write_text('{"live-restore": true}')
    server.set_address_pools(file)
    assert json.loads(file.read_text()) == {"live-restore": True, "default-address-pools": server.ADDRESS_POOLS}
    own = '{"default-address-pools": []}'
    file.write_text(own)
    server.set_address_pools(file)
    assert file.read_text() == own, "somebody has chosen"


def test_running_containers_are_not_restarted_for_addresses(tmp_path: Path, restarted: list[list[str]]) -> None:
    restarted.append(["runs"])
    server.set_address_pools(tmp_path / "daemon.json")
    assert restarted == [["runs"]]


def test_settings_that_docker_could_not_read_are_named(tmp_path: Path) -> None:
    file = tmp_path / "daemon.json"
    file.write_text("{")
    with pytest.raises(DeploymentError, match="is not JSON"):
        server.set_address_pools(file)


def test_a_new_server_is_prepared_with_the_same_addresses_as_a_deployment_sets() -> None:
    [line] = [one for one in text("host/clawdet-prepare.sh").splitlines() if one.startswith("{")]
    assert json.loads(line) == {"default-address-pools": server.ADDRESS_POOLS}


def test_the_fullest_shared_host_has_addresses_for_all_networks_of_its_customers() -> None:
    compose = yaml.safe_load(
        render.bundle(customer("free"), images=PINNED, acme_email="ops@clawdet.test").files[COMPOSE_FILE].content
    )
    # One more of each customer for the release that is tried out; the edge's, and Docker's own.
    each = len(compose["networks"]) + 1
    capacity = SharedHost.model_fields["capacity"]
    most = next(
        number for number in range(1000, 0, -1) if _is_valid(TypeAdapter(capacity.rebuild_annotation()), number)
    )
    for pool in server.ADDRESS_POOLS:
        networks = 2 ** (pool["size"] - ip_network(pool["base"]).prefixlen)
        assert networks >= most * each + 2
        assert 2 ** (32 - pool["size"]) - 3 >= len(compose["services"]) + 1, "addresses within one network"


def _is_valid(adapter: TypeAdapter[int], number: int) -> bool:
    try:
        adapter.validate_python(number)
    except ValueError:
        return False
    return True
