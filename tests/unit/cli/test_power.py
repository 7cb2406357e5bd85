"""`clawdet power`, on servers of a provider that does what it is told to."""

from __future__ import annotations

import json
from ipaddress import IPv4Address

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from clawdet_infra import inventory
from clawdet_infra.cli.main import app
from clawdet_infra.config import CloudAccess
from clawdet_infra.hosts import hetzner
from clawdet_infra.hosts.hetzner import ProviderError
from clawdet_infra.inventory.instance import Instance, Inventory, Server

SHARED = Server(name="shared-1", stack="prod", ipv4=IPv4Address("192.0.2.1"), host_key="ssh-ed25519 AAAA")
OWN = Server(name="user-7", stack="prod", ipv4=IPv4Address("192.0.2.2"), host_key="ssh-ed25519 AAAA")


def instance(identity: str, plan: str, server: Server) -> Instance:
    secret = SecretStr("canary")
    url = f"https://{identity}.example.com"
    return Instance(
        id=identity,
        stack="prod",
        plan=plan,
        url=url,
        server=server,
        user="x",
        image="i:1",
        password=secret,
        gateway_token=secret,
    )


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What the provider was told: on or off, and the server's name."""
    found: list[tuple[str, str]] = []

    class Provider:
        def __init__(self, cloud: CloudAccess) -> None:
            pass

        async def power_on(self, name: str) -> None:
            found.append(("on", name))
            if name == "shared-1":
                raise ProviderError("power-on of server shared-1: the provider refuses")

        async def power_off(self, name: str) -> None:
            found.append(("off", name))

    tenants = [instance("alice", "free", SHARED), instance("bob", "free", SHARED), instance("user.7", "pro", OWN)]
    fleet = Inventory(
        instances={one.id: one for one in tenants},
        servers={one.name: one for one in (SHARED, OWN)},
        clouds={"prod": CloudAccess(token=SecretStr("t" * 64))},
        login_keys={},
    )
    monkeypatch.setattr(hetzner, "Provider", Provider)
    monkeypatch.setattr(inventory, "load", lambda stacks, **_: fleet)
    return found


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["power", *arguments])


def test_a_customers_server_is_switched_on(told: list[tuple[str, str]]) -> None:
    done = run("on", "user.7")
    assert (done.exit_code, done.stdout) == (0, "user-7: is on\n")
    assert told == [("on", "user-7")]


def test_off_and_on_again_is_in_this_order(told: list[tuple[str, str]]) -> None:
    assert run("cycle", "user-7", "--yes").exit_code == 0
    assert told == [("off", "user-7"), ("on", "user-7")]


@pytest.mark.parametrize("what", ["off", "cycle"])
def test_who_would_go_down_is_named_and_nothing_done_without_a_yes(told: list[tuple[str, str]], what: str) -> None:
    done = run(what, "alice")
    assert done.exit_code == 2
    assert "Customers on the server shared-1: alice, bob" in done.stderr
    assert told == []


def test_one_server_of_several_customers_is_told_once(told: list[tuple[str, str]]) -> None:
    assert run("off", "alice", "bob", "shared-1", "--yes").exit_code == 0
    assert told == [("off", "shared-1")]


def test_a_failure_is_told_and_the_others_are_done(told: list[tuple[str, str]]) -> None:
    done = run("on", "alice", "user.7", "--json")
    assert done.exit_code == 1
    failed, fine = json.loads(done.stdout)
    assert (failed["server"], failed["done"], fine["done"]) == ("shared-1", False, True)
    assert "the provider refuses" in failed["error"]


def test_a_stranger_is_refused_with_the_nearest_name(told: list[tuple[str, str]]) -> None:
    done = run("on", "alise")
    assert done.exit_code == 2
    assert "no stack has a customer or server alise. Did you mean `alice`?" in done.stderr
    assert told == []
