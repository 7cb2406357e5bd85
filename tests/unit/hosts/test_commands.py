"""The commands that servers are sent, as values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clawdet_infra.agent import restart
from clawdet_infra.agent.docker import Container
from clawdet_infra.hosts import commands
from tests.unit.hosts.docker_socket import container


def test_logs_name_one_container() -> None:
    assert commands.logs("user123", "gateway") == ["docker", "logs", "user123-gateway-1"]
    assert commands.logs("user123", "proxy", follow=True, tail=0, since="10m") == [
        *("docker", "logs", "--follow", "--tail", "0", "--since", "10m"),
        "user123-proxy-1",
    ]


@pytest.mark.parametrize("since", ["90s", "1h30m", "2026-11-23", "2026-11-23T18:00:00Z", "1795450126"])
def test_times_that_docker_knows_are_taken(since: str) -> None:
    assert since in commands.logs("user123", "gateway", since=since)


@pytest.mark.parametrize(("since", "seconds"), [("2d", "172800s"), ("1d12h", "129600s"), ("1w", "604800s")])
def test_days_and_weeks_become_what_docker_knows(since: str, seconds: str) -> None:
    assert seconds in commands.logs("user123", "gateway", since=since)


@pytest.mark.parametrize("since", ["", "yesterday", "10", "--follow", "10 m"])
def test_other_times_are_refused(since: str) -> None:
    with pytest.raises(ValueError, match="such as 90s, 10m or 2h"):
        commands.logs("user123", "gateway", since=since)


def test_a_command_in_a_container_gets_a_terminal_only_where_there_is_one() -> None:
    assert commands.execute("user123", "gateway", ["ls", "-l"]) == [
        *("docker", "exec", "--interactive", "user123-gateway-1", "ls", "-l"),
    ]
    assert "--tty" in commands.execute("user123", "gateway", ["sh"], terminal=True)


def test_the_agent_is_bounded_on_the_server_too() -> None:
    [shell, option, line] = commands.agent("/x/a.pyz", "status", "user123; true", seconds=30)
    assert [shell, option] == ["sh", "-c"]
    assert line == (
        "[ -e /x/a.pyz ] || exit 69; exec timeout --kill-after=5 30 python3 -I /x/a.pyz status 'user123; true'"
    )


def of(service: str, name: str, **facts: Any) -> Container:
    return Container.of(container(service, Id=name, **facts))


def enterprise() -> list[Container]:
    shares = {"HostConfig": {"NetworkMode": "container:NS"}}
    return [
        of("proxy", "PROXY"),
        of("gateway", "GATEWAY", **shares),
        of("browser", "BROWSER", **shares),
        of("namespace", "NS"),
    ]


def test_what_holds_the_network_restarts_first_and_the_proxy_last() -> None:
    assert restart.steps(enterprise(), None) == [
        ["docker", "restart", "NS"],
        ["docker", "restart", "BROWSER", "GATEWAY"],
        ["docker", "restart", "PROXY"],
    ]


def test_one_service_restarts_alone() -> None:
    assert restart.steps(enterprise(), "gateway") == [["docker", "restart", "GATEWAY"]]


def test_whoever_shares_a_network_restarts_with_what_holds_it() -> None:
    assert restart.steps(enterprise(), "namespace") == [
        ["docker", "restart", "NS"],
        ["docker", "restart", "BROWSER", "GATEWAY"],
    ]


def test_a_paused_container_is_thawed_first() -> None:
    paused = of("gateway", "GATEWAY", State={"Status": "paused"})
    assert restart.steps([paused], None) == [["docker", "unpause", "GATEWAY"], ["docker", "restart", "GATEWAY"]]


def test_what_is_missing_is_made_and_nothing_else_is_changed() -> None:
    command = restart.make_missing("user123", Path("/srv/clawdet/user123"), "gateway")
    assert "--no-recreate" in command
    assert command[-1] == "gateway"
    assert "/srv/clawdet/user123/current/.env" in command
