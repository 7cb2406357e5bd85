"""What the program on a server says of it."""

from __future__ import annotations

import asyncio
import copy
import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from clawdet_infra.agent.status import look, overruled
from clawdet_infra.hosts import CommandResult, Host, HostError, HostPolicy
from clawdet_infra.hosts.reports import HostReport, read_reports
from clawdet_infra.inventory.instance import Instance, Server
from clawdet_infra.inventory.observation import HostFailure
from clawdet_infra.monitoring.checks import diagnose
from clawdet_infra.probe import Failure, ProbeResult
from tests.support.examples import examples
from tests.unit.hosts.docker_socket import container, docker


def instance(identity: str, plan: str = "pro") -> Instance:
    server = Server(name="host-1", stack="local", ipv4=IPv4Address("10.0.0.1"), host_key="ssh-ed25519 AAAA")
    return Instance(
        id=identity,
        stack="local",
        plan=plan,
        url=f"https://{identity}.clawdet.test",
        server=server,
        user=identity,
        image="openclaw:1@sha256:00",
        password=SecretStr("p" * 16),
        gateway_token=SecretStr("t" * 64),
    )


def report(said: dict[str, Any], one: Instance) -> HostReport:
    # As it travels: what JSON cannot carry is lost on the way.
    return read_reports("host-1", [one], json.loads(json.dumps(said)))[one.id]


def test_containers_tell_state_health_and_restarts(tmp_path: Path) -> None:
    containers = [
        container("gateway", State={"Health": {"Status": "unhealthy"}}, RestartCount=4),
        container("proxy", State={"Status": "exited"}),
        container("gateway", project="somebody-else"),
    ]
    with docker(tmp_path, containers) as socket:
        seen = report(look(["user123"], docker=socket), instance("user123")).look
    gateway, proxy = seen.containers
    assert (gateway.service, gateway.state, gateway.health, gateway.restarts) == ("gateway", "running", "unhealthy", 4)
    assert (proxy.service, proxy.state, proxy.health, proxy.memory_mib) == ("proxy", "exited", None, None)
    assert gateway.memory_limit_mib == 256
    assert 0 < seen.memory_available_mib <= seen.memory_total_mib
    assert 0 < seen.disk_used_share <= 1
    assert seen.uptime_seconds > 0


def test_a_customer_of_a_shared_host_sees_the_hosts_proxy_and_no_neighbour(tmp_path: Path) -> None:
    containers = [
        container("gateway", project="alice"),
        container("proxy", project="alice"),
        container("gateway", project="bob"),
        container("edge", project="clawdet-edge"),
    ]
    with docker(tmp_path, containers) as socket:
        said = look(["alice", "clawdet-edge"], docker=socket)
    seen = report(said, instance("alice", "free")).look
    assert [one.service for one in seen.containers] == ["gateway", "proxy", "edge"]


@pytest.mark.parametrize(
    ("line", "folder", "files"),
    [
        ("0::/system.slice/docker-1.scope", "system.slice/docker-1.scope", ("memory.current", "inactive_file")),
        ("5:cpu,memory:/docker/1", "memory/docker/1", ("memory.usage_in_bytes", "total_inactive_file")),
    ],
)
def test_memory_is_what_the_control_group_took_without_its_cache(
    tmp_path: Path, line: str, folder: str, files: tuple[str, str]
) -> None:
    (tmp_path / "proc" / "77").mkdir(parents=True)
    (tmp_path / "proc" / "77" / "cgroup").write_text(f"{line}\n")
    for name in ("meminfo", "loadavg", "uptime", "mounts"):
        (tmp_path / "proc" / name).write_text(Path(f"/proc/{name}").read_text())
    group = tmp_path / "cgroups" / folder
    group.mkdir(parents=True)
    (group / files[0]).write_text(f"{300 * 2**20}\n")
    (group / "memory.stat").write_text(f"anon 1\n{files[1]} {100 * 2**20}\n")
    with docker(tmp_path, [container("gateway", State={"Pid": 77})]) as socket:
        said = look(["user123"], docker=socket, proc=str(tmp_path / "proc"), cgroups=str(tmp_path / "cgroups"))
    assert report(said, instance("user123")).look.containers[0].memory_mib == 200


def test_a_container_that_goes_away_in_between_is_left_out(tmp_path: Path) -> None:
    gone = container("proxy")
    del gone["State"]
    with docker(tmp_path, [container("gateway"), gone]) as socket:
        said = look(["user123"], docker=socket)
    assert [one.service for one in report(said, instance("user123")).look.containers] == ["gateway"]


def test_settings_that_the_deployment_overruled_are_told(tmp_path: Path) -> None:
    lost = ["gateway.auth.token", "plugins.deny"]
    (tmp_path / "clawdet-settings.json").write_text(json.dumps({"overruled": [*lost, "x\x1b[2J", 5, "ü"]}))
    mounts = [
        {"Destination": "/etc/clawdet/x", "Source": "/x"},
        {"Destination": "/home/node/.openclaw", "Source": str(tmp_path)},
    ]
    with docker(tmp_path, [container("gateway", Mounts=mounts), container("gateway", project="other")]) as socket:
        said = look(["user123", "other"], docker=socket)
    assert report(said, instance("user123")).overruled == tuple(lost)
    assert report(said, instance("other")).overruled == ()


@pytest.mark.parametrize(
    "content",
    ["[" * 60_000, "5", "{}", '{"overruled": 5}', '{"overruled": {}}', "\x00", "", "\udcff"],
    ids=["nested", "a number", "nothing", "no list", "a mapping", "a null byte", "empty", "not UTF-8"],
)
def test_a_customer_cannot_disturb_the_look_by_what_is_in_the_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "clawdet-settings.json").write_text(content, errors="surrogateescape")
    assert overruled(str(tmp_path)) == []


def test_a_customer_cannot_make_the_look_read_something_else(tmp_path: Path) -> None:
    file = tmp_path / "clawdet-settings.json"
    (tmp_path / "elsewhere").write_text('{"overruled": ["of the server"]}')
    file.symlink_to("elsewhere")
    assert overruled(str(tmp_path)) == []
    file.unlink()
    os.mkfifo(file)
    assert overruled(str(tmp_path)) == []
    file.unlink()
    file.mkdir()
    assert overruled(str(tmp_path)) == []


def test_a_docker_that_does_not_answer_is_a_failure_and_not_an_empty_server(tmp_path: Path) -> None:
    said = look(["user123"], docker=str(tmp_path / "none.sock"))
    with pytest.raises(HostError, match=r"Docker on host-1 does not answer \(No such file.*the disk is \d+% full"):
        report(said, instance("user123"))
    with docker(tmp_path, [], status=500) as socket, pytest.raises(HostError, match="HTTP 500"):
        report(look(["user123"], docker=socket), instance("user123"))


def test_release_and_guard_are_told_where_they_are_there(tmp_path: Path) -> None:
    folder = tmp_path / "deployments" / "user123"
    for number in ("000003", "000004"):
        (folder / "releases" / number).mkdir(parents=True)
        (folder / "releases" / number / "release.json").write_text(json.dumps({"digest": f"d{number}"}))
    (folder / "current").symlink_to("releases/000004")
    (folder / "good").symlink_to("releases/000003")
    guard = tmp_path / "status.json"
    guard.write_text(json.dumps({"checked_at": "2026-11-23T18:00:00", "deployments": {"user123": {"found": "ok"}}}))
    with docker(tmp_path, [container("gateway")]) as socket:
        said = look(["user123"], docker=socket, deployments=str(tmp_path / "deployments"), guard=str(guard))
        without = look(["user123"], docker=socket, deployments=str(tmp_path), guard=str(tmp_path / "none"))
    one = report(said, instance("user123"))
    assert (one.release, one.good_release, one.digest) == (4, 3, "d000004")
    assert one.guard == {"found": "ok"}
    none = report(without, instance("user123"))
    assert (none.release, none.good_release, none.digest, none.guard) == (None, None, None, None)


def test_a_deployment_and_a_hold_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "deployments"
    (folder / ".locks").mkdir(parents=True)
    (folder / "user123").mkdir()
    lock = folder / ".locks" / "user123.lock"

    def seen(socket: str) -> tuple[bool, bool]:
        one = report(look(["user123"], docker=socket, deployments=str(folder)), instance("user123")).look
        return one.deploying, one.held

    with docker(tmp_path, [container("gateway")]) as socket:
        assert seen(socket) == (False, False)
        assert not lock.exists(), "the question makes no lock"
        lock.touch()
        assert seen(socket) == (False, False)
        (folder / "user123" / "hold").touch()
        with lock.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            assert seen(socket) == (True, True)
        assert seen(socket) == (False, True)


def well() -> dict[str, Any]:
    """What a server says on which all is well."""
    one = {"service": "gateway", "state": "running", "health": "healthy", "restarts": 0, "started_at": "2026-01-01"}
    one |= {"image": "x", "memory_bytes": 2**28, "memory_limit_bytes": 2**30}
    release = {"release": 1, "good_release": 1, "digest": "d", "deploying": False, "held": False}
    server = {"memory_total_kib": 4000, "memory_available_kib": 2000, "disk_total_bytes": 2**34, "load": 0.5}
    server |= {"disk_used_share": 0.3, "inodes_used_share": 0.1, "uptime_seconds": 9.5}
    project = {"containers": [one], **release, "guard": None}
    return {"server": server, "docker": None, "projects": {"user123": project}, "guard_checked_at": None}


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


ODD = st.sampled_from(
    [None, True, -1, 10**400, float("nan"), float("inf"), "", "x" * 10_000, "\x1b[2J\ud800\0", [], {}, [1], {"a": []}]
)


@settings(max_examples=examples(300))
@given(st.sampled_from(list(places(well()))), ODD)
def test_whatever_a_server_says_is_a_report_that_can_be_judged_or_a_failure(path: tuple[Any, ...], odd: Any) -> None:
    said: Any = copy.deepcopy(well())
    if path:
        inside = said
        for key in path[:-1]:
            inside = inside[key]
        inside[path[-1]] = odd
    else:
        said = odd
    host = Saying(json.dumps(said))
    verdict = ProbeResult("user123", Failure("healthz", "no", "HTTP 502", status=502), {})
    try:
        found: Any = asyncio.run(host.report([instance("user123")]))["user123"].look
    except HostError as error:
        found = HostFailure(str(error))
    text = f"{diagnose(verdict, found).sentence} {found}"
    assert text.isprintable(), "nothing of it moves a terminal's cursor, or breaks a database"


@pytest.mark.parametrize("text", ["[" * 60_000, '{"server": ' * 9_000, "9" * 10_000, "", "null", "\ud800", "[]"])
async def test_output_that_no_parser_takes_is_a_failure_of_that_server(text: str) -> None:
    with pytest.raises(HostError, match="answered something else than was asked"):
        await Saying(text).report([instance("user123")])
    with pytest.raises(HostError, match="answered something else than was asked"):
        await Saying(text).restart(instance("user123"))


class Saying(Host):
    """A server whose commands all print the same."""

    def __init__(self, text: str) -> None:
        super().__init__(instance("user123").server, HostPolicy(), None)  # type: ignore[arg-type]
        self._text = text

    async def run(self, argv: Sequence[str], *, seconds: float | None = None, stdin: str = "") -> CommandResult:
        return CommandResult(0, self._text, "")
