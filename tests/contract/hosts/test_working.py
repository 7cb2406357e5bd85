"""Work on a server over a real SSH connection: restart, look, logs, commands."""

from __future__ import annotations

import fcntl
import getpass
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from clawdet_infra.agent.package import build
from clawdet_infra.hosts import BusyError, ChangedError, Host, HostError, HostPolicy, Hosts, Login, connect
from clawdet_infra.inventory.instance import Instance, Server
from clawdet_infra.inventory.observation import HostFailure
from tests.contract.command_plugin.sshd import Keys, Sshd
from tests.contract.hosts.conftest import an_instance
from tests.contract.hosts.fake_docker import FakeDocker
from tests.unit.hosts.docker_socket import container


@dataclass(frozen=True)
class Place:
    """A server with a deployment, and a Docker that obeys the test."""

    docker: FakeDocker
    policy: HostPolicy
    instance: Instance
    folder: Path

    @property
    def lock(self) -> Path:
        return self.folder / ".locks" / f"{self.instance.project}.lock"


@pytest.fixture
def place(
    keys: Keys, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Place]]:
    started: list[Sshd] = []

    def make(plan: str = "pro", **changes: float) -> Place:
        shares = {"HostConfig": {"NetworkMode": "container:NS"}}
        containers = [container("gateway", Id="GW"), container("proxy", Id="PX")]
        if plan == "enterprise":
            containers = [
                container("gateway", Id="GW", **shares),
                container("browser", Id="BR", **shares),
                container("namespace", Id="NS"),
                container("proxy", Id="PX"),
            ]
        docker = FakeDocker(tmp_path / "docker", containers)
        # The server's own Python is asked for as `python3`.
        sshd = Sshd(keys, tmp_path / "sshd", settings=[f"SetEnv PATH={Path(sys.executable).parent}:{docker.path}"])
        started.append(sshd.start())
        folder = tmp_path / "srv"
        (folder / "user123").mkdir(parents=True)
        monkeypatch.setattr("clawdet_infra.inventory.instance.SERVER_ROOT", str(folder))
        policy = HostPolicy(
            port=sshd.port,
            user=getpass.getuser(),
            connect_seconds=5,
            command_seconds=10,
            agents=str(tmp_path / "agents"),
            **changes,  # type: ignore[arg-type]
        )
        return Place(docker, policy, an_instance(server, plan=plan), folder)

    yield make
    for one in started:
        one.stop()


async def test_a_restart_keeps_the_order_and_makes_what_is_missing(
    place: Callable[..., Place], server: Server, login: Login
) -> None:
    here = place("enterprise")
    async with connect(server, login, here.policy) as host:
        assert await host.restart(here.instance) == ["browser", "gateway", "namespace", "proxy"]
    done = [call for call in here.docker.calls() if call[0] in ("restart", "compose")]
    assert done[:3] == [["restart", "NS"], ["restart", "BR", "GW"], ["restart", "PX"]]
    assert "--no-recreate" in done[3]


async def test_the_agent_is_brought_once_and_again_where_it_is_gone(
    place: Callable[..., Place], server: Server, login: Login
) -> None:
    here = place()
    brought = Path(here.policy.agents) / f"{build().digest}.pyz"
    async with connect(server, login, here.policy) as host:
        await host.restart(here.instance)
        made = brought.stat().st_mtime_ns
        await host.restart(here.instance)
        assert brought.stat().st_mtime_ns == made
        assert brought.read_bytes() == build().content
        brought.unlink()
        assert await host.restart(here.instance) == ["gateway", "proxy"]
        assert list(brought.parent.iterdir()) == [brought]


async def test_a_server_that_does_not_take_the_agent_is_named(
    place: Callable[..., Place], server: Server, login: Login
) -> None:
    here = place()
    (here.folder.parent / "agents").write_text("no folder")
    async with connect(server, login, here.policy) as host:
        with pytest.raises(HostError, match="user123 does not take the agent: "):
            await host.restart(here.instance)


async def test_one_service_can_be_restarted(place: Callable[..., Place], server: Server, login: Login) -> None:
    here = place()
    async with connect(server, login, here.policy) as host:
        assert await host.restart(here.instance, "gateway") == ["gateway"]
    assert [call for call in here.docker.calls() if call[0] == "restart"] == [["restart", "GW"]]


async def test_a_deployment_that_holds_the_lock_is_waited_for_and_never_met(
    place: Callable[..., Place], server: Server, login: Login
) -> None:
    here = place(lock_seconds=1)
    here.lock.parent.mkdir()
    async with connect(server, login, here.policy) as host:
        with here.lock.open("w") as deployment:
            fcntl.flock(deployment, fcntl.LOCK_EX)
            with pytest.raises(BusyError, match="user123 was not restarted: a deployment has been under way"):
                await host.restart(here.instance)
            assert not [call for call in here.docker.calls() if call[0] == "restart"]
        assert await host.restart(here.instance) == ["gateway", "proxy"]


async def test_a_repair_neither_waits_for_a_deployment_nor_follows_one(
    place: Callable[..., Place], server: Server, login: Login
) -> None:
    here = place()
    here.lock.parent.mkdir()
    folder = here.folder / "user123"
    good = folder / "good"
    good.symlink_to("releases/000001")
    past = time.time() - 1000
    os.utime(good, (past, past), follow_symlinks=False)

    async def repair(host: Host, seen: float) -> list[str]:
        return await host.restart(here.instance, seen=seen)

    async with connect(server, login, here.policy) as host:
        with here.lock.open("w") as deployment:
            fcntl.flock(deployment, fcntl.LOCK_EX)
            began = time.monotonic()
            with pytest.raises(BusyError):
                await repair(host, time.monotonic())
            assert time.monotonic() - began < 10, "the policy of people who wait is a minute"
        seen = time.monotonic() - 5
        good.unlink()
        good.symlink_to("releases/000002")
        with pytest.raises(ChangedError, match="a deployment has been made since it was seen ill"):
            await repair(host, seen)
        os.utime(good, (past, past), follow_symlinks=False)
        (folder / "hold").touch()
        with pytest.raises(ChangedError, match=r"it is on hold: remove .*/user123/hold when done"):
            await repair(host, seen)
        assert not [call for call in here.docker.calls() if call[0] == "restart"]
        assert await host.restart(here.instance) == ["gateway", "proxy"], "an operator may"
        (folder / "hold").unlink()
        assert await repair(host, seen) == ["gateway", "proxy"]


async def test_a_docker_that_is_switched_off_is_started_and_nothing_restarted(
    place: Callable[..., Place], server: Server, login: Login
) -> None:
    here = place()
    here.docker.stop()
    async with connect(server, login, here.policy) as host:
        assert await host.restart(here.instance, seen=time.monotonic()) == ["docker"]
        calls = [call for call in here.docker.calls() if call[0] in ("systemctl", "restart", "compose")]
        assert [call[:2] for call in calls[:2]] == [["systemctl", "is-active"], ["systemctl", "start"]]
        assert [call[0] for call in calls[2:]] == ["compose"]
        assert await host.restart(here.instance, seen=time.monotonic()) == ["gateway", "proxy"]


async def test_a_docker_that_refuses_is_one_sentence_without_the_customers_secrets(
    place: Callable[..., Place], server: Server, login: Login
) -> None:
    here = place()
    here.docker.refuse("first line\nno such image canary-token-of-the-tests")
    async with connect(server, login, here.policy) as host:
        with pytest.raises(HostError, match=r"restarting user123 on user123 failed: .*no such image") as caught:
            await host.restart(here.instance)
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)


async def test_a_deployment_that_was_cut_off_is_finished_first(
    place: Callable[..., Place], server: Server, login: Login
) -> None:
    """A gateway that is started in between would write to data of which an old copy may be put back."""
    here = place()
    (here.folder / "user123" / "state-before-upgrade").mkdir()
    async with connect(server, login, here.policy) as host:
        with pytest.raises(HostError, match=r"a deployment was cut off in the middle, .* by `clawdet up` first"):
            await host.restart(here.instance)
    assert not [call for call in here.docker.calls() if call[0] in ("restart", "compose")]


async def test_an_instance_that_is_not_on_the_server_is_said_so(
    place: Callable[..., Place], server: Server, login: Login
) -> None:
    here = place()
    (here.folder / "user123").rmdir()
    async with connect(server, login, here.policy) as host:
        with pytest.raises(HostError, match="there is no deployment in"):
            await host.restart(here.instance)


async def test_the_pool_looks_restarts_and_answers_failures(
    place: Callable[..., Place], server: Server, login: Login
) -> None:
    here = place()
    async with Hosts({"local": login.key}, here.policy) as hosts:
        looked = await hosts.look(server, [here.instance])
        assert await hosts.restart(here.instance) == ["gateway", "proxy"]
    # No Docker listens on this machine's usual socket here, or one that has no such project.
    seen = looked["user123"]
    assert isinstance(seen, HostFailure) or seen.containers == ()
    async with Hosts({"local": login.key}, HostPolicy(port=1, connect_seconds=2)) as hosts:
        [failure] = (await hosts.look(server, [here.instance])).values()
    assert isinstance(failure, HostFailure)
    assert "takes no SSH connection" in failure.what
