"""Day-2 commands on running instances: list, look, restart, enter, rotate; as an operator would type them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.gateway import curl, invoke
from tests.support.live import BASELINE, LiveFleet
from tests.support.stack import Result, customer

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(900)]

Clawdet = Callable[..., Result]


@pytest.fixture
def clawdet(fleet: LiveFleet) -> Clawdet:
    """Run a command and hold its output against every secret of the stack."""
    outputs = fleet.stack.outputs()
    secrets = [value for one in outputs["tokens"].values() for value in one.values()]
    secrets += [outputs["login_key"].splitlines()[2], fleet.cloud["token"]]

    def run(*arguments: str, secret: bool = False) -> Result:
        result = fleet.stack.run("clawdet", *arguments)
        assert secret or not [one for one in secrets if one in result.output], f"{arguments} shows a secret"
        return result

    return run


def test_the_list_is_the_stacks_outputs_and_is_kept_without_secrets(fleet: LiveFleet, clawdet: Clawdet) -> None:
    listed = {one["customer"]: one for one in json.loads(clawdet("list", "--json").ok().output)}
    outputs = fleet.stack.outputs()
    assert {one: facts["url"] for one, facts in listed.items()} == {
        one: facts["url"] for one, facts in outputs["customers"].items()
    }
    assert "user123" in clawdet("list", "--cached").ok().output
    kept = (fleet.stack.folder / ".clawdet" / "inventory.json").read_text()
    assert not [value for one in outputs["tokens"].values() for value in one.values() if value in kept]


def test_show_knows_the_server_the_containers_and_the_release(clawdet: Clawdet) -> None:
    told = json.loads(clawdet("show", "user123", "alice", "--live", "--json").ok().output)
    known = {one["customer"]: one["live"] for one in told}
    for one in known.values():
        assert one["server"]["status"] == "running"
        assert one["health"]["healthy"] is True, one["health"]
        assert one["health"]["certificateDays"] > 1
        assert one["host"]["release"] == one["host"]["goodRelease"] > 0
        assert 0 < one["host"]["diskUsedShare"] < 1
    services = {name: {one["service"] for one in facts["host"]["containers"]} for name, facts in known.items()}
    assert services == {"user123": {"gateway", "proxy"}, "alice": {"gateway", "proxy", "edge"}}
    memory = {one["service"]: one["memoryMib"] for one in known["user123"]["host"]["containers"]}
    assert memory["gateway"] > memory["proxy"] > 0, "what the kernel counts for each container"
    assert "running" in clawdet("show", "user123", "--live").ok().output
    before = clawdet("details", "user123", "--json").ok().output
    assert json.loads(before[before.index("[") :])[0]["host"]["guard"] == known["user123"]["host"]["watchdog"], (
        "the old name shows the same"
    )


def test_logs_are_the_gateways(clawdet: Clawdet) -> None:
    assert "gateway" in clawdet("logs", "user123", "--tail", "500").ok().output
    assert len(clawdet("logs", "user123", "--tail", "2").ok().output.splitlines()) == 2
    assert clawdet("logs", "user123", "--service", "proxy", "--tail", "1").ok().output


def test_commands_run_inside_the_customers_own_container(clawdet: Clawdet) -> None:
    assert clawdet("exec", "user123", "--", "id", "-un").ok().output.strip() == "node"
    assert clawdet("exec", "user123", "--", "sh", "-c", "exit 42").code == 42
    assert clawdet("ssh", "user123", "--", "hostname | tr a-z A-Z").ok().output.strip() == "USER123"


def test_a_restart_is_new_processes_with_the_same_token_and_data(
    fleet: LiveFleet, clawdet: Clawdet, ask: Callable[[str], dict[str, Any]]
) -> None:
    one = ask("user123")
    server = fleet.server("user123")
    before = server.start_times()
    clawdet("exec", "user123", "--", "sh", "-c", "echo kept > /home/node/.openclaw/of-the-customer").ok()
    assert "restarted gateway, proxy" in clawdet("restart", "user123", "--wait").ok().output
    after = server.start_times()
    assert before.keys() == after.keys()
    assert all(after[name] > before[name] for name in before)
    assert clawdet("exec", "user123", "--", "cat", "/home/node/.openclaw/of-the-customer").ok().output == "kept\n"
    assert invoke(one["url"], one["ipv4"], fleet.cloud["ca"], one["gateway_token"]).status == 200


def test_a_restart_of_one_service_leaves_the_other(fleet: LiveFleet, clawdet: Clawdet) -> None:
    server = fleet.server("user123")
    before = server.start_times()
    clawdet("restart", "user123", "--service", "gateway", "--wait").ok()
    after = server.start_times()
    assert {name for name in before if after[name] != before[name]} == {"/user123-gateway-1"}


def test_a_container_that_somebody_removed_is_made_again(fleet: LiveFleet, clawdet: Clawdet) -> None:
    fleet.server("user123").run("docker rm --force user123-proxy-1")
    clawdet("restart", "user123", "--wait").ok()


def test_a_rotated_token_is_new_everywhere_and_the_old_one_is_dead(
    fleet: LiveFleet, clawdet: Clawdet, ask: Callable[[str], dict[str, Any]]
) -> None:
    old, neighbour = ask("user123"), ask("alice")
    clawdet("token", "rotate", "user123").ok()
    steps = fleet.stack.preview_steps()
    assert "user123-deployment" in steps
    assert "user123-server" not in steps, "a rotation must not rebuild the server"
    assert not [name for name in steps if name.startswith("alice")]
    # The file now says more than what the fixture has written, so whoever comes next deploys anew.
    fleet._deployed = None
    fleet.stack.clawdet_up().ok()
    new = ask("user123")
    shown = json.loads(clawdet("token", "show", "user123", "--json", secret=True).ok().output)
    assert shown[0]["gatewayToken"] == new["gateway_token"] != old["gateway_token"]
    assert clawdet("token", "show", "user123").code == 2, "nobody sits at a terminal"
    ca = fleet.cloud["ca"]
    assert invoke(new["url"], new["ipv4"], ca, old["gateway_token"]).status == 401
    assert invoke(new["url"], new["ipv4"], ca, new["gateway_token"]).status == 200
    assert curl(f"{new['url']}/", new["ipv4"], ca, user=f"{new['user']}:{old['auth_password']}").status == 401
    assert invoke(neighbour["url"], neighbour["ipv4"], ca, neighbour["gateway_token"]).status == 200


def test_a_token_that_was_given_is_not_rotated(fleet: LiveFleet) -> None:
    with fleet.file([*BASELINE[:1], customer("user123", "pro", gatewayToken="ab" * 32)]):
        result = fleet.stack.run("clawdet", "token", "rotate", "user123")
    assert result.code == 2
    assert "has its own gatewayToken" in result.output
    assert "ab" * 32 not in result.output
