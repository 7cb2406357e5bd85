"""What the guard of a server does, and above all what it does not do."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clawdet_infra.agent import docker, server
from clawdet_infra.agent.docker import Container
from clawdet_infra.agent.watchdog import run
from clawdet_infra.agent.watchdog.decide import WINDOW_SECONDS
from clawdet_infra.agent.watchdog.state import Instant
from tests.support.examples import examples
from tests.unit.agent.watched import ROUND_SECONDS, Guarded, refuse

HOUR = 3600.0


@pytest.fixture
def guarded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Guarded:
    one = Guarded(tmp_path, monkeypatch)
    one.round()
    return one


def test_what_is_well_is_left_alone(guarded: Guarded) -> None:
    guarded.add_enterprise()
    guarded.add("clawdet-edge", "edge", health="healthy")
    assert guarded.round() == []
    assert guarded.asked == [None, None], "one look at all containers is enough where nothing is wrong"


@pytest.mark.parametrize("status", ["created", "exited", "dead"])
def test_what_should_run_and_does_not_is_started(guarded: Guarded, status: str) -> None:
    name = guarded.add("pro", "gateway", status=status, network=None)
    assert guarded.round() == [("start", name)]
    assert guarded.round() == []


@pytest.mark.parametrize("health", ["unhealthy", "starting"])
def test_only_what_docker_calls_unhealthy_is_restarted(guarded: Guarded, health: str) -> None:
    name = guarded.add("pro", "gateway", health=health)
    assert guarded.round() == ([("restart", name)] if health == "unhealthy" else [])


@pytest.mark.parametrize("status", ["paused", "restarting", "removing"])
def test_what_docker_or_an_operator_is_busy_with_is_left_alone(guarded: Guarded, status: str) -> None:
    guarded.add("pro", "gateway", status=status, health="unhealthy")
    assert guarded.round() == []


def test_what_is_not_meant_to_keep_running_is_left_alone(guarded: Guarded) -> None:
    guarded.add("pro", "gateway", status="exited", policy="no")
    assert guarded.round() == []


def test_a_trial_is_left_alone(guarded: Guarded) -> None:
    guarded.add("pro", "gateway")
    guarded.add("pro_preflight", "gateway", status="exited")
    assert guarded.round() == []


def test_a_container_that_no_deployment_of_ours_has_is_left_alone(guarded: Guarded) -> None:
    guarded.add("other", "one", status="exited")
    (guarded.deployments / "other/current").rmdir()
    assert guarded.round() == []


def test_who_owns_a_network_is_started_before_those_who_share_it(guarded: Guarded) -> None:
    guarded.add_enterprise()
    for service in ("gateway", "namespace", "browser"):
        guarded.change(f"big/{service}", status="exited", network=None)
    assert guarded.round() == [("start", "big/namespace"), ("start", "big/gateway"), ("start", "big/browser")]
    assert guarded.round() == []


def test_who_is_left_in_a_network_that_ended_is_restarted(guarded: Guarded) -> None:
    guarded.add_enterprise()
    guarded.change("big/namespace", network="net:[another]")
    assert guarded.round() == [("restart", "big/gateway"), ("restart", "big/browser")]
    assert guarded.round() == []


def test_who_waits_for_the_owner_of_its_network_has_no_repair_counted(guarded: Guarded) -> None:
    guarded.add_enterprise()
    guarded.broken.add("big/namespace")
    for service in ("gateway", "namespace"):
        guarded.change(f"big/{service}", status="exited", network=None)
    for _ in range(100):
        guarded.round()
    assert {name for _, _, name in guarded.did} == {"big/namespace"}


def test_one_that_stays_broken_is_repaired_three_times_with_growing_pauses_and_given_up_once(
    guarded: Guarded, capsys: pytest.CaptureFixture[str]
) -> None:
    name = guarded.add("pro", "gateway", health="unhealthy")
    guarded.broken.add(name)
    for _ in range(720):
        guarded.round()
    times = [when for when, _, _ in guarded.did]
    assert [round(later - earlier) for earlier, later in itertools.pairwise(times)] == [60, 300]
    said = capsys.readouterr().out.splitlines()
    assert said == [
        "<5>pro: gateway is unhealthy; docker restart (repair 1 of 3 in an hour)",
        "<5>pro: gateway is unhealthy; docker restart (repair 2 of 3 in an hour)",
        "<5>pro: gateway is unhealthy; docker restart (repair 3 of 3 in an hour)",
        "<3>pro: gateway is unhealthy, also after 3 repairs; it is left alone until it has been well for an hour, "
        "or is deployed anew",
    ]
    assert guarded.status["deployments"]["pro"]["containers"]["gateway"]["given_up"]


def give_up(guarded: Guarded, name: str) -> None:
    guarded.broken.add(name)
    guarded.change(name, health="unhealthy")
    for _ in range(60):
        guarded.round()
    guarded.broken.remove(name)
    assert len(guarded.did) == 3


def test_one_that_was_given_up_is_repaired_again_after_an_hour_of_health(guarded: Guarded) -> None:
    name = guarded.add("pro", "gateway", health="healthy")
    give_up(guarded, name)
    guarded.change(name, health="healthy")
    guarded.round()
    guarded.round(after=HOUR - 60)
    guarded.change(name, health="unhealthy")
    assert guarded.round() == [], "59 minutes are no hour"
    guarded.change(name, health="healthy")
    guarded.round()
    guarded.round(after=HOUR)
    guarded.change(name, health="unhealthy")
    assert guarded.round() == [("restart", name)]


def test_a_container_that_was_deployed_anew_has_no_past(guarded: Guarded) -> None:
    name = guarded.add("pro", "gateway", health="healthy")
    give_up(guarded, name)
    guarded.change(name, id="another")
    assert guarded.round() == [("restart", name)]


def test_a_reboot_makes_nothing_forgotten(guarded: Guarded) -> None:
    name = guarded.add("pro", "gateway", health="healthy")
    give_up(guarded, name)
    guarded.reboot()
    assert guarded.round() == []
    assert guarded.round(after=2 * HOUR) == []


@pytest.mark.parametrize("starts", ["the server", "Docker"])
def test_what_a_start_left_out_is_started_however_often_that_happens(guarded: Guarded, starts: str) -> None:
    # Docker starts containers side by side, and one that shares a network fails where the network's owner is later.
    guarded.add_enterprise()
    for number in range(10):
        if starts == "the server":
            guarded.reboot()
        else:
            guarded.docker += 1
        guarded.change("big/namespace", network=f"net:[{number}]")
        guarded.change("big/gateway", status="exited", network=None)
        guarded.change("big/browser", network=f"net:[{number}]")
        assert guarded.round() == [("start", "big/gateway")]
        assert guarded.round() == []
    guarded.change("big/gateway", health="unhealthy")
    assert guarded.round() == [("restart", "big/gateway")], "those were no repairs that count"


def test_a_boot_starts_one_that_was_given_up_but_once(guarded: Guarded) -> None:
    name = guarded.add("pro", "gateway", health="healthy")
    give_up(guarded, name)
    guarded.reboot()
    guarded.change(name, status="exited")
    guarded.broken.add(name)
    assert guarded.round() == [("start", name)], "Docker would have, if it could"
    assert [guarded.round() for _ in range(200)] == [[]] * 200


def test_a_deployment_on_hold_is_left_alone(guarded: Guarded) -> None:
    name = guarded.add("pro", "gateway", status="exited")
    (guarded.deployments / "pro/hold").touch()
    assert guarded.round() == []
    assert guarded.status["deployments"]["pro"]["found"] == "held"
    (guarded.deployments / "pro/hold").unlink()
    assert guarded.round() == [("start", name)]


@pytest.mark.parametrize("moment", [1, 2])
def test_a_hold_counts_from_the_moment_at_which_it_is_made(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    for service in ("gateway", "proxy"):
        guarded.add("pro", service, status="exited")
    hold, looks = guarded.deployments / "pro/hold", itertools.count(1)
    look = run.look

    def looked(project: str | None = None) -> dict[str, list[Container]]:
        if next(looks) == moment:
            hold.touch()
        return look(project)

    monkeypatch.setattr(run, "look", looked)
    assert guarded.round() == [], "it was decided upon before, and is not begun"
    hold.unlink()
    assert len(guarded.round()) == 2


def test_a_deployment_that_is_under_way_is_left_alone(guarded: Guarded) -> None:
    guarded.add("pro", "gateway", status="exited")
    other = guarded.add("free", "gateway", status="exited")
    with server.locked(server.lock_file(guarded.deployments, "pro"), seconds=0):
        assert guarded.round() == [("start", other)]
    assert guarded.status["deployments"]["pro"]["found"] == "deploying"


def test_a_deployment_that_ended_since_the_look_is_looked_at_again(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded.add("pro", "gateway", status="exited")
    real = run.look

    def look(project: str | None = None) -> Any:
        found = real(project)
        guarded.change("pro/gateway", status="running")
        return found

    monkeypatch.setattr(run, "look", look)
    assert guarded.round() == []


def test_a_release_that_was_cut_off_while_it_was_exchanged_is_left_alone(guarded: Guarded) -> None:
    guarded.add("pro", "gateway", status="exited")
    guarded.add("pro", "proxy", status="exited")
    copy = guarded.deployments / "pro/state-before-upgrade"
    copy.mkdir()
    assert guarded.round() == [], "the gateway would write what the copy does not have"
    copy.rmdir()
    # Compose makes the new container under another name before it removes the old one.
    guarded.containers["pro/gateway again"] = guarded.containers["pro/gateway"]
    assert guarded.round() == [], "two gateways would write to one state"
    assert guarded.status["deployments"]["pro"]["found"] == "unfinished"


def test_a_release_that_was_cut_off_since_the_look_is_left_alone(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded.add("pro", "gateway", status="exited")
    real = run.look

    def look(project: str | None = None) -> Any:
        found = real(project)
        guarded.containers["pro/gateway again"] = guarded.containers["pro/gateway"]
        return found

    monkeypatch.setattr(run, "look", look)
    assert guarded.round() == []


def test_a_guard_that_is_killed_in_the_middle_of_a_repair_counts_it(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    guarded.add("pro", "gateway", health="unhealthy")
    killed = 0

    def act(*_: Any) -> None:
        nonlocal killed
        killed += 1
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "act", act)
    for _ in range(500):
        try:
            guarded.round()
        except KeyboardInterrupt:
            continue
    assert killed == 3
    (*_, last) = guarded.status["deployments"]["pro"]["containers"]["gateway"]["repairs"]
    assert last["worked"] is None


@settings(max_examples=examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["unhealthy", "healthy", "exited", "reboot", "date"]), min_size=30, max_size=300))
def test_whatever_happens_there_are_three_repairs_an_hour_and_a_minute_between_two(
    tmp_path_factory: pytest.TempPathFactory, happens: list[str]
) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        guarded = Guarded(tmp_path_factory.mktemp("guarded"), monkeypatch)
        monkeypatch.setattr(run, "wall_clock", lambda: dates[-1])
        dates = ["2026-01-01T00:00:00+00:00"]
        guarded.round()
        name = guarded.add("pro", "gateway", health="healthy")
        counted: list[float] = []
        for what in happens:
            if what == "reboot":
                guarded.reboot()
            elif what == "date":
                dates.append(f"{1970 + 7 * len(dates) % 100}-01-01T00:00:00+00:00")
            else:
                status = "exited" if what == "exited" else "running"
                guarded.change(name, status=status, health=None if what == "exited" else what)
            first = what == "reboot"
            for step, _ in guarded.round():
                if not (first and step == "start"):
                    counted.append(guarded.before + guarded.uptime)
    for earlier, later in itertools.pairwise(counted):
        assert later - earlier >= 2 * ROUND_SECONDS
    for first_one, fourth in zip(counted, counted[3:], strict=False):
        assert fourth - first_one >= WINDOW_SECONDS


def test_what_others_may_read_tells_repairs_and_nothing_secret(guarded: Guarded) -> None:
    guarded.add("pro", "gateway", status="exited")
    guarded.add("pro", "proxy", health="healthy")
    guarded.round()
    assert guarded.file.stat().st_mode & 0o777 == 0o644
    status = guarded.status
    assert set(status) == {"version", "checked_at", "clock", "deployments"}
    found = status["deployments"]["pro"]
    assert found["found"] == "watched"
    assert set(found["containers"]) == {"gateway"}, "what was never repaired is not mentioned"
    assert not found["containers"]["gateway"]["given_up"]
    (repair,) = found["containers"]["gateway"]["repairs"]
    assert (repair["what"], repair["step"], repair["worked"]) == ("is exited", "start", True)


def test_what_was_removed_is_forgotten(guarded: Guarded) -> None:
    guarded.add("pro", "gateway", status="exited")
    guarded.round()
    (guarded.deployments / "pro/current").rmdir()
    guarded.round()
    assert guarded.status["deployments"] == {}


@pytest.mark.parametrize("text", ["", "{", "[]", '{"clock": 1}', '{"clock": {"boot": "x"}}', "\x00\xff"])
def test_a_memory_that_cannot_be_read_is_begun_anew(guarded: Guarded, text: str) -> None:
    name = guarded.add("pro", "gateway", health="unhealthy")
    guarded.file.write_text(text)
    assert guarded.round() == [("restart", name)]
    assert guarded.status["deployments"]["pro"]["containers"]["gateway"]["repairs"]


def test_trouble_with_one_deployment_leaves_the_others_guarded(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    guarded.add("a", "gateway", status="exited")
    other = guarded.add("b", "gateway", status="exited")
    real = run.look
    monkeypatch.setattr(run, "look", lambda project=None: refuse() if project == "a" else real(project))
    assert guarded.round() == [("start", other)]
    assert "<4>a: listing containers failed: Cannot connect to the Docker daemon\n" in capsys.readouterr().out
    assert guarded.status["deployments"]["a"]["found"] == "unknown"


def test_a_docker_that_does_not_answer_is_said_in_one_line(
    guarded: Guarded, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "look", refuse)
    assert run.main(guarded.deployments, guarded.file.parent) == 1
    assert capsys.readouterr().out == "<3>listing containers failed: Cannot connect to the Docker daemon\n"


def test_there_are_never_two_rounds_at_once(guarded: Guarded) -> None:
    guarded.add("pro", "gateway", status="exited")
    with server.locked(guarded.file.parent / "lock", seconds=0):
        assert run.main(guarded.deployments, guarded.file.parent) == 0
    assert guarded.did == []
    assert run.main(guarded.deployments, guarded.file.parent) == 0
    assert len(guarded.did) == 1


def test_a_moment_is_told_by_the_kernels_clock_and_the_first_process() -> None:
    one, other = Instant.now(), Instant.now()
    assert one.boot == other.boot
    assert 0 <= one.uptime <= other.uptime


INSPECTED = """[{
 "Id": "f00", "State": {"Status": "running", "Pid": PID, "Health": {"Status": "unhealthy", "Log": []}},
 "HostConfig": {"NetworkMode": "container:ba5", "RestartPolicy": {"Name": "unless-stopped"}},
 "Config": {"Labels": {"com.docker.compose.project": "big", "com.docker.compose.service": "gateway"}}
}, {
 "Id": "ba5", "State": {"Status": "exited", "Pid": 0},
 "HostConfig": {"NetworkMode": "big_default", "RestartPolicy": {"Name": "no"}},
 "Config": {"Labels": {"com.docker.compose.project": "big", "com.docker.compose.service": "namespace"}}
}]"""


def test_containers_are_what_docker_and_the_kernel_say(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(command: list[str], *, seconds: float) -> docker.CommandResult:
        asked.append(command)
        return docker.CommandResult(0, "" if "ps" in command else INSPECTED.replace("PID", str(os.getpid())), "")

    monkeypatch.setattr(docker, "run", answer)
    monkeypatch.setattr(docker, "must", lambda command, *, seconds, doing: asked.append(command) or "f00 ba5")
    (gateway, namespace) = run.look("big")["big"]
    assert asked[0][-1] == "label=com.docker.compose.project=big"
    assert asked[1] == ["docker", "inspect", "f00", "ba5"]
    assert gateway.network == os.readlink("/proc/self/ns/net")
    assert (gateway.health, gateway.joined, gateway.keeps_running) == ("unhealthy", "ba5", True)
    assert (namespace.status, namespace.network, namespace.joined, namespace.keeps_running) == (
        "exited",
        None,
        None,
        False,
    )
