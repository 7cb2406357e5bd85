"""What `clawdet up` asks the provider before the engine does anything."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import SecretStr

from clawdet_infra.cli import servers
from clawdet_infra.config import CloudAccess
from clawdet_infra.engine import process
from clawdet_infra.hosts import hetzner
from tests.unit.config.samples import customer, fleet

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPHJrSmEsAEpu4Fq1J7aGFQ1BhJbGXBCfFBNGHa1DPtL"
URN = "urn:pulumi:prod::clawdet::clawdet:index:Customer"


def server(owner: str, number: int) -> dict[str, Any]:
    kind = "hcloud:index/server:Server"
    return {"urn": f"{URN}$clawdet:index:Server${kind}::{owner}-server", "type": kind, "id": str(number)}


def deployment(owner: str, on: str = "") -> dict[str, Any]:
    kind = "command:remote:Command"
    urn = f"{URN}$clawdet:index:Deployment${kind}::{owner}-deployment"
    found = [server(on, 0)["urn"]] if on else []
    return {"urn": urn, "type": kind, "id": "x", "propertyDependencies": {"connection": found}, "dependencies": found}


def cloud() -> CloudAccess:
    return CloudAccess(token=SecretStr("t" * 64))


class World:
    """A checkout with a stack, its state, and a provider that has some servers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.resources: list[Mapping[str, Any]] = []
        self.there: set[int] = set()
        self.taken: dict[str, str] = {}
        self.asked: list[str] = []
        self.kept: list[str] | None = None
        """The logical names in the state that was written back."""

    def write(self, *customers: Mapping[str, Any]) -> None:
        config = {f"clawdet:{key}": value for key, value in fleet(*customers).items()}
        (self.root / "Pulumi.prod.yaml").write_text(yaml.safe_dump({"config": config}))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    made = World(tmp_path)

    class Provider:
        def __init__(self, cloud: CloudAccess) -> None:
            pass

        async def existing(self, ids: Collection[int]) -> set[int]:
            made.asked += [str(one) for one in ids]
            return made.there & set(ids)

        async def fleet_server_at(self, address: IPv4Address | IPv6Address) -> str | None:
            made.asked.append(str(address))
            return made.taken.get(str(address))

    def pulumi(arguments: Sequence[str]) -> str:
        if arguments[:2] == ["stack", "export"]:
            return json.dumps({"deployment": {"resources": made.resources}})
        assert arguments[:2] == ["stack", "import"]
        written = json.loads(Path(arguments[-1]).read_text())["deployment"]["resources"]
        made.kept = [one["urn"].rpartition("::")[2] for one in written]
        return ""

    monkeypatch.setattr(hetzner, "Provider", Provider)
    monkeypatch.setattr(servers, "ROOT", tmp_path)
    monkeypatch.setattr(process, "output", pulumi)
    return made


def test_nobody_is_asked_where_nothing_leaves_and_nothing_is_brought(world: World) -> None:
    world.write(customer("ada"))
    world.resources = [server("ada", 1), server("shared-1", 2)]
    servers.prepare("prod", cloud)
    assert (world.asked, world.kept) == ([], None)


def test_only_what_leaves_and_is_gone_is_forgotten(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.write(customer("ada"))
    world.resources = [server("ada", 1), server("bob", 2), server("carl", 3), server("shared-9", 4)]
    world.there = {2}
    servers.prepare("prod", cloud)
    assert world.kept == ["ada-server", "bob-server"]
    assert world.asked == ["2", "3", "4"]
    assert "The server of carl is gone" in capsys.readouterr().err


@pytest.mark.parametrize("host_stays", [True, False])
def test_a_free_customer_of_a_host_that_is_gone_leaves_without_it(world: World, host_stays: bool) -> None:
    """The host is named `shared-1` in the file."""
    host = "shared-1" if host_stays else "shared-9"
    world.write(customer("eve", "free", host="shared-1"))
    world.resources = [server(host, 4), deployment("ada", on=host), deployment("eve", on=host), deployment("gus")]
    servers.prepare("prod", cloud)
    assert world.asked == ["4"]
    staying = ["eve-deployment", "gus-deployment"]
    assert world.kept == ([f"{host}-server", *staying] if host_stays else staying)


def test_all_that_is_gone_is_named_and_nothing_is_changed(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    world.resources = [server("ada", 1), server("bob", 2)]
    world.there = {2}
    assert servers.hint_at_gone("prod", cloud)
    told = capsys.readouterr().err
    assert "the server of ada any more. `pulumi refresh -s prod`" in told
    assert "bob" not in told
    assert world.kept is None
    world.there = {1, 2}
    assert not servers.hint_at_gone("prod", cloud)


def brought(identity: str, **addresses: str) -> dict[str, Any]:
    return customer(identity, existingServer={"ipv4": "5.75.200.7", "hostKey": HOST_KEY, **addresses})


@pytest.mark.parametrize("taken", ["5.75.200.7", "2a01:4f8:c17:1::1"])
def test_an_existing_server_that_is_the_fleets_is_refused(
    world: World, taken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    world.write(brought("ada", ipv6="2a01:4f8:c17:1::1"))
    world.taken[taken] = "user123"
    with pytest.raises(typer.Exit) as ended:
        servers.prepare("prod", cloud)
    assert ended.value.exit_code == 2
    assert f"customer ada: existingServer: {taken} is user123" in capsys.readouterr().err


def test_an_existing_server_that_has_a_deployment_is_not_asked_about_again(world: World) -> None:
    world.write(brought("ada"))
    world.resources = [deployment("ada")]
    servers.prepare("prod", cloud)
    assert world.asked == []


def test_a_state_that_was_just_read_is_not_read_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(customer("ada"))
    world.resources = [server("ada", 1)]
    given = {"deployment": {"resources": [server("ada", 1), server("shared-9", 4)]}}
    world.there = {4}
    servers.prepare("prod", cloud, given)
    assert world.asked == ["4"], "what is given counts"
