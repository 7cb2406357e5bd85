"""The guard of a server, with containers that Docker really leaves alone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from clawdet_infra.layout import CustomerLayout
from clawdet_infra.probe import probe_until_healthy
from tests.contract.deploy.place import Place

pytestmark = pytest.mark.cloud

ALL = ("namespace", "gateway", "browser", "proxy")


def by_hand(place: Place) -> Iterator[Place]:
    """A server whose guard remembers nothing and makes rounds only when a test says so."""
    place.run("systemctl stop clawdet-guard.timer clawdet-guard.service && rm -f /var/lib/clawdet-guard/status.json")
    # The first round since the server started has rules of its own.
    place.guard()
    yield place
    place.run("rm -f /srv/clawdet/*/hold && systemctl start docker.service clawdet-guard.timer")


@pytest.fixture
def guarded(dedicated: Place) -> Iterator[Place]:
    yield from by_hand(dedicated)


@pytest.fixture
def guarded_host(shared: Place) -> Iterator[Place]:
    yield from by_hand(shared)


@pytest.fixture
def big(dedicated: Place) -> CustomerLayout:
    return dedicated.customer("big")


async def is_healthy(place: Place, customer: CustomerLayout, seconds: int = 180) -> bool:
    outcome = await probe_until_healthy(place.target(customer, deadline_seconds=seconds))
    return outcome.verdict.healthy


def status(place: Place, project: str) -> dict[str, Any]:
    return json.loads(place.run("cat /var/lib/clawdet-guard/status.json"))["deployments"][project]


def repairs(place: Place, project: str) -> dict[str, list[tuple[str, str]]]:
    """What was done, by service: the step and why."""
    found = status(place, project)["containers"]
    return {service: [(one["step"], one["what"]) for one in of["repairs"]] for service, of in found.items()}


def is_called(container: str, health: str) -> str:
    """A condition for a shell on the server: what Docker says of a container's health."""
    return f'[ "$(docker inspect --format "{{{{.State.Health.Status}}}}" {container})" = {health} ]'


@contextmanager
def frequent_rounds(place: Place) -> Iterator[None]:
    """The guard's timer with a period of three seconds; systemd allows five starts within ten."""
    folder = "/run/systemd/system/clawdet-guard.timer.d"
    reload = "systemctl daemon-reload && systemctl restart clawdet-guard.timer"
    # An empty value forgets all times before it.
    text = "[Timer]\nOnUnitInactiveSec=\nOnActiveSec=0s\nOnUnitInactiveSec=3s\n"
    place.run("systemctl reset-failed clawdet-guard.service || true")
    place.run(f"mkdir -p {folder} && cat > {folder}/period.conf && {reload}", text)
    yield
    place.run(f"rm -r {folder} && {reload}")


def test_rounds_are_made_without_a_word_where_nothing_is_wrong(dedicated: Place) -> None:
    timer = dedicated.run("systemctl show --property TimersMonotonic clawdet-guard.timer")
    assert "OnUnitInactiveUSec=30s" in timer, "the period in production"
    file = "/var/lib/clawdet-guard/status.json"
    # A round that starts what an earlier test left stopped says so; it is over when the command returns.
    dedicated.guard()
    since = dedicated.run("date +%s.%N").strip()
    with frequent_rounds(dedicated):
        # Starting the timer makes a round; it is the one after it that shows that there are more.
        for _ in range(2):
            before = dedicated.run(f"stat --format %y {file}").strip()
            dedicated.until(f'[ "$(stat --format %y {file})" != "{before}" ]', "a round", 60)
    assert status(dedicated, "big")["found"] == "watched"
    assert dedicated.run(f"stat --format %a {file}") == "644\n"
    said = dedicated.run(f"journalctl --unit clawdet-guard.service --since @{since} --output cat --quiet")
    assert said == ""


async def test_what_docker_did_not_start_is_started_in_one_round(guarded: Place, big: CustomerLayout) -> None:
    guarded.run("docker stop big-gateway-1 big-browser-1 big-namespace-1")
    assert not await is_healthy(guarded, big, 2)
    guarded.guard()
    assert guarded.states("big") == dict.fromkeys(ALL, "running")
    assert await is_healthy(guarded, big)
    assert repairs(guarded, "big") == {name: [("start", "is exited")] for name in ("namespace", "gateway", "browser")}
    said = guarded.run("journalctl --unit clawdet-guard.service --output cat --lines 3 --priority notice")
    assert "big: gateway is exited; docker start (repair 1 of 3 in an hour)" in said.splitlines()


async def test_who_is_left_behind_by_a_new_namespace_is_moved_into_it(guarded: Place, big: CustomerLayout) -> None:
    guarded.run("docker restart big-namespace-1")
    assert guarded.states("big")["gateway"] == "running", "Docker notices nothing"
    assert not await is_healthy(guarded, big, 2)
    before = guarded.started("big")
    guarded.guard()
    after = guarded.started("big")
    assert {name for name in ALL if before[name] != after[name]} == {"gateway", "browser"}
    assert await is_healthy(guarded, big)
    version = (
        "docker exec big-gateway-1 curl --silent --retry 20 --retry-connrefused http://127.0.0.1:9222/json/version"
    )
    assert "webSocketDebuggerUrl" in guarded.run(version)
    guarded.guard()
    assert guarded.started("big") == after


def quick(compose: dict[str, Any]) -> None:
    """Shorten the times after which Docker calls a gateway unhealthy and kills one that does not stop."""
    gateway = compose["services"]["gateway"]
    gateway["healthcheck"]["interval"] = gateway["healthcheck"]["start_interval"] = "1s"
    gateway["stop_grace_period"] = "1s"


@pytest.fixture
def checked_often(guarded: Place, big: CustomerLayout) -> Iterator[Place]:
    """A server whose gateway Docker looks after each second."""
    guarded.must_deploy(guarded.payload(big, compose=quick))
    yield guarded
    guarded.must_deploy(guarded.payload(big))


async def test_a_gateway_that_hangs_is_restarted(checked_often: Place, big: CustomerLayout) -> None:
    place = checked_often
    # One that has just been started has minutes until Docker calls it unhealthy, so its time to start has to be over.
    place.until(is_called("big-gateway-1", "healthy"), "a healthy gateway", 120)
    place.guard()
    # Docker needs three checks of 4 s each to notice, so the guard's round comes before.
    place.run(
        # A health check of Docker's may have ended meanwhile.
        "docker top big-gateway-1 -eo pid | tail -n +2 | xargs kill -STOP 2>/dev/null;"
        " systemctl start clawdet-guard.service"
    )
    assert repairs(place, "big") == {}, "Docker still calls it healthy"
    place.until(is_called("big-gateway-1", "unhealthy"), "an unhealthy gateway", 240)
    place.guard()
    assert repairs(place, "big") == {"gateway": [("restart", "is unhealthy")]}
    place.guard()
    assert repairs(place, "big") == {"gateway": [("restart", "is unhealthy")]}, "it has its time to start"
    assert await is_healthy(place, big)


async def test_an_operator_can_hold_the_guard_back(guarded: Place, big: CustomerLayout) -> None:
    guarded.run("touch /srv/clawdet/big/hold && docker stop big-gateway-1")
    guarded.guard()
    assert guarded.states("big")["gateway"] == "exited"
    assert status(guarded, "big")["found"] == "held"
    guarded.run("rm /srv/clawdet/big/hold")
    guarded.guard()
    assert await is_healthy(guarded, big)


def test_a_docker_that_was_stopped_is_not_started_by_a_question(guarded: Place) -> None:
    guarded.run("systemctl stop docker.service")
    guarded.guard()
    assert guarded.ssh("systemctl is-active docker.service").output == "inactive\n"
    assert guarded.ssh("systemctl is-failed clawdet-guard.service").output == "inactive\n"
    # Docker starts containers side by side, so it may leave out those that share the network of a later one.
    guarded.run("systemctl start docker.service")
    guarded.guard()
    assert guarded.states("big") == dict.fromkeys(ALL, "running")


async def test_the_edge_and_those_behind_it_are_guarded_each_by_itself(guarded_host: Place) -> None:
    anna, bert = guarded_host.customer("anna"), guarded_host.customer("bert")
    before = guarded_host.started("bert")
    guarded_host.run("docker stop clawdet-edge-edge-1 anna-gateway-1")
    guarded_host.guard()
    for project, service in (("clawdet-edge", "edge"), ("anna", "gateway")):
        assert repairs(guarded_host, project) == {service: [("start", "is exited")]}
    assert guarded_host.started("bert") == before
    assert await is_healthy(guarded_host, anna)
    assert await is_healthy(guarded_host, bert)
