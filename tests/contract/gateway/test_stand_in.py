"""What tests can ask of the stand-in only: faults by switches, and a later release."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from clawdet_infra.agent.readiness import has_started
from tests.contract.gateway.containers import Gateway, Lab, Service
from tests.support.gateways import STAND_IN, STAND_IN_NEXT

pytestmark = [pytest.mark.cloud, pytest.mark.xdist_group("gateway")]

SWITCHES = "/home/node/.openclaw/stand-in.json"
MOST_BYTES = 80 * 1024**2


@pytest.fixture(scope="module")
def gateway(stand_in: Lab, pro: Service) -> Gateway:
    return stand_in.start(pro)


@pytest.fixture(autouse=True)
def _clean(gateway: Gateway) -> Iterator[None]:
    yield
    gateway.inside("rm", "-f", SWITCHES)


def switch(gateway: Gateway, **switches: object) -> None:
    gateway.inside("sh", "-c", f"cat > {SWITCHES}", text=json.dumps(switches))


@pytest.fixture(scope="module")
def later(stand_in: Lab) -> Lab:
    reference = STAND_IN_NEXT.partition("/")[2]
    stand_in.docker.image(reference)
    return Lab(stand_in.docker, stand_in.docker.loaded(reference), stand_in.network)


def test_it_is_small_and_its_releases_differ_by_their_environment_only(stand_in: Lab, later: Lab) -> None:
    first, second = (stand_in.docker.image(one.partition("/")[2]) for one in (STAND_IN, STAND_IN_NEXT))
    assert first.layers == second.layers
    assert first.digest != second.digest
    assert first.size < MOST_BYTES


def test_a_channel_fails_as_long_as_the_switch_says(gateway: Gateway) -> None:
    switch(gateway, failing=["telegram"])
    answer = gateway.ask("/readyz")
    assert (answer.status, answer.json()["failing"]) == (503, ["telegram"])
    assert gateway.ask("/healthz").status == 200
    gateway.inside("rm", SWITCHES)
    assert gateway.ask("/readyz").json()["ready"] is True


def test_a_gateway_that_hangs_takes_connections_and_answers_none(gateway: Gateway) -> None:
    switch(gateway, hang=True)
    probe = ("curl", "--silent", "--max-time", "1", "--write-out", "%{time_connect}", "http://127.0.0.1:18789/healthz")
    done = gateway.docker.attempt("exec", gateway.name, *probe)
    assert done.returncode == 28, "curl's code for an answer that does not come in time"
    assert float(done.stdout) > 0, "the connection was made"
    gateway.inside("rm", SWITCHES)
    assert gateway.ask("/healthz").json() == {"ok": True, "status": "live"}


def test_a_slow_gateway_lives_before_it_is_ready(gateway: Gateway) -> None:
    switch(gateway, readyAfterSeconds=100_000)
    ready, started = gateway.ask("/readyz"), gateway.ask("/startupz")
    assert (ready.status, ready.json()["failing"]) == (503, ["startup-sidecars"])
    assert (started.status, started.json()["status"]) == (503, "starting")
    assert has_started(started.status, started.body) is False
    assert gateway.ask("/healthz").status == 200
    switch(gateway, readyAfterSeconds=0)
    assert gateway.ask("/readyz").json()["ready"] is True


def test_a_file_that_is_not_finished_switches_nothing(gateway: Gateway) -> None:
    for text in ("", '{"hang": tr', "null"):
        gateway.inside("sh", "-c", f"cat > {SWITCHES}", text=text)
        assert gateway.ask("/readyz").json()["ready"] is True, text


def test_a_later_release_migrates_the_data_and_the_first_one_refuses_it_then(
    stand_in: Lab, later: Lab, pro: Service
) -> None:
    volume = stand_in.volume()
    for lab, schema in ((stand_in, 1), (later, 2)):
        running = lab.start(pro, volume=volume)
        assert f"migrating the state database to schema {schema}" in running.logs()
        lab.docker.run("stop", running.name)
    refused = stand_in.refuse(pro, volume=volume)
    assert refused.returncode == 78
    assert "uses schema 2; this build supports 1" in refused.stderr
    again = later.start(pro, volume=volume)
    assert "migrating" not in again.logs()
