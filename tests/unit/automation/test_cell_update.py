"""What an update of a cell does before and after the engine, where something stands in its way."""

from __future__ import annotations

import json
import threading
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from clawdet_infra.automation import SetupError, cell_update, cleanup
from clawdet_infra.automation.base import Base
from clawdet_infra.automation.cell_update import CellUpdate
from clawdet_infra.automation.progress import UpdateProgress
from clawdet_infra.catalog import Desired, DesiredState, Record
from clawdet_infra.hosts import HostError
from clawdet_infra.resources import CUSTOMER, SERVER
from tests.unit.automation.samples import base, customer, hosts
from tests.unit.automation.world import CELL

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPHJrSmEsAEpu4Fq1J7aGFQ1BhJbGXBCfFBNGHa1DPtL"


def wish(record: Record, wanted: DesiredState = DesiredState.PRESENT) -> Desired:
    return Desired(
        id=str(record["id"]), wanted=wanted, revision=2, applied=1, has_data=True, failed=False, record=record
    )


class Update(CellUpdate):
    """An update of a cell whose engine knows of no resource but those that are put here."""

    resources: Sequence[Mapping[str, Any]] = ()
    imported: dict[str, Any] | None = None

    def _pulumi(self, arguments: Sequence[str]) -> str:
        if arguments[:2] == ["stack", "import"]:
            self.imported = json.loads(Path(arguments[-1]).read_text())
            return ""
        assert arguments[:2] == ["stack", "export"]
        return json.dumps({"deployment": {"resources": self.resources}})


def update(over: Base, *desired: Desired) -> Update:
    outputs = {**over.outputs, "login_key": "a key"}
    made = Base(over.name, over.fleet, outputs, over.version)
    return Update(made, CELL, desired, Path("/nowhere"), stop=threading.Event(), tell=lambda name, passed: None)


@pytest.fixture(autouse=True)
def at_the_provider(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the servers that the provider has."""
    names = {"shared-1"}

    class There:
        def __init__(self, cloud: object) -> None:
            pass

        async def status(self, name: str) -> str | None:
            return "running" if name in names else None

        async def existing(self, ids: Collection[int]) -> set[int]:
            return {one for one in ids if f"server {one}" in names}

    monkeypatch.setattr(cell_update, "Provider", There)
    return names


@pytest.fixture
def removed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses of servers from which something was removed."""
    found: list[str] = []
    monkeypatch.setattr(cleanup, "remove_from", lambda server, *_: found.append(str(server.ipv4)))
    return found


def results(made: Update) -> Mapping[str, Any]:
    follower = UpdateProgress([], lambda name, passed: None, addresses={}, ca_bundle=None)
    return made._results(follower, "")


def test_a_server_that_does_not_answer_keeps_nobody_else_from_being_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise HostError("192.0.2.99 does not answer")

    monkeypatch.setattr(cleanup, "remove_from", fail)
    gone = wish(customer("ada", "free", host="shared-1"), DesiredState.ABSENT)
    made = update(base(sharedHosts=hosts(shared_1=3)), gone, wish(customer("bob")))
    assert made.prepare() == {"ada": 2, "bob": 2}
    ended = results(made)["ada"]
    assert (ended.ok, ended.error) == (False, "192.0.2.99 does not answer")


def test_a_server_whose_protection_stays_keeps_nobody_else_from_being_updated(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise cleanup.LeftoverError("the server's protection could not be taken away: locked")

    monkeypatch.setattr(cleanup, "unprotect_servers", fail)
    made = update(base(), wish(customer("ada"), DesiredState.ABSENT), wish(customer("bob")))
    assert made.prepare() == {"ada": 2, "bob": 2}
    assert "locked" in results(made)["ada"].error


@pytest.mark.parametrize(
    ("gone", "cleared"),
    [
        (customer("ada", "free", host="shared-1"), ["192.0.2.99"]),
        (customer("ada", "free", host="shared-1", limits={"memory": 10**6}), ["192.0.2.99"]),
        (customer("ada", "free", host="shared-1", release={"gateway": "no image"}), ["192.0.2.99"]),
        (customer("ada", "free", host="shared-9"), []),
        (customer("ada", existingServer={"ipv4": "5.75.200.7", "hostKey": HOST_KEY}), ["5.75.200.7"]),
        (customer("ada", existingServer={"ipv4": "127.0.0.1", "hostKey": HOST_KEY}), []),
        (customer("ada"), []),
    ],
    ids=range(7),
)
def test_who_goes_need_not_fit_the_present_settings(gone: Record, cleared: list[str], removed: list[str]) -> None:
    made = update(base(sharedHosts=hosts(shared_1=3)), wish(gone, DesiredState.ABSENT))
    assert made.prepare() == {"ada": 2}
    assert removed == cleared
    assert results(made)["ada"].ok


def test_a_host_that_is_gone_from_the_base_has_nothing_to_be_cleared(removed: list[str]) -> None:
    over = base(sharedHosts=hosts(shared_1=3))
    over.outputs["base"]["hosts"].clear()
    assert update(over, wish(customer("ada", "free", host="shared-1"), DesiredState.ABSENT)).prepare() == {"ada": 2}
    assert removed == []


def test_a_shared_host_that_is_not_up_is_told_with_what_to_do() -> None:
    over = base(sharedHosts=hosts(shared_1=3))
    over.outputs["base"]["hosts"].clear()
    with pytest.raises(SetupError, match=r"shared-1 of prod.* is not up\. Bring it up with `clawdet up -s prod`"):
        update(over, wish(customer("ada", "free", host="shared-1"))).prepare()


@pytest.mark.parametrize("deployed", [True, False])
def test_who_was_on_a_shared_host_that_the_provider_does_not_have_is_removed_without_it(
    deployed: bool, removed: list[str], at_the_provider: set[str]
) -> None:
    at_the_provider.clear()
    gone = wish(customer("ada", "free", host="shared-1"), DesiredState.ABSENT)
    made = update(base(sharedHosts=hosts(shared_1=3)), gone)
    component = {"urn": f"urn:pulumi:{CELL}::clawdet::{CUSTOMER}::ada", "type": CUSTOMER}
    within = f"urn:pulumi:{CELL}::clawdet::{CUSTOMER}"
    deployment = f"{within}$command:remote:Command::ada-deployment@shared-1"
    health = f"{within}$clawdet:index:HealthCheck$command:local:Command::ada-health"
    parts = [
        {"urn": deployment, "type": "command:remote:Command", "parent": component["urn"], "custom": True},
        {"urn": health, "type": "command:local:Command", "parent": component["urn"], "dependencies": [deployment]},
    ]
    made.resources = [component, *(parts if deployed else [])]
    assert made.prepare() == {"ada": 2}
    assert removed == [], "nothing connects to an address that is somebody else's by now"
    kept = made.imported and [one["urn"] for one in made.imported["deployment"]["resources"]]
    assert kept == ([component["urn"]] if deployed else None)


def test_a_customer_whose_server_the_provider_does_not_have_has_failed(at_the_provider: set[str]) -> None:
    """The engine leaves such a server alone, and says that its customer is as it was."""
    made = update(base(), wish(customer("ada")), wish(customer("bob")))
    within = f"urn:pulumi:{CELL}::clawdet::{CUSTOMER}${SERVER}"
    made.resources = [
        {"urn": f"{within}::{name}-server", "type": SERVER, "id": number}
        for name, number in (("ada", "1"), ("bob", "2"))
    ]
    at_the_provider.add("server 2")
    ended = results(made)
    assert not ended["ada"].ok
    assert f"does not have the server of ada any more; `pulumi refresh -s {CELL}` takes it out" in ended["ada"].error
    assert "provider" not in ended["bob"].error
