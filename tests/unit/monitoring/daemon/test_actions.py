"""The hands of healing keep off what others work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from clawdet_infra.hosts import BusyError, ChangedError, HostError
from clawdet_infra.inventory.instance import Instance, Inventory, Server
from clawdet_infra.inventory.observation import HostFailure, HostLook
from clawdet_infra.monitoring.daemon.actions import FleetActions
from clawdet_infra.monitoring.daemon.clients import Clients
from clawdet_infra.monitoring.remediation import NotNowError, StepError
from tests.unit.monitoring.checks.samples import host
from tests.unit.monitoring.remediation.world import fleet, instance

ADA, BOB = instance("ada", on="shared-1"), instance("bob", on="shared-1")


@dataclass
class Reached:
    """Servers and a provider that say what a test wants, and note what is done."""

    looks: Mapping[str, HostLook | HostFailure] = field(default_factory=dict)
    refusal: Exception | None = None
    restarted: list[str] = field(default_factory=lambda: ["gateway", "proxy"])
    done: list[str] = field(default_factory=list)
    inventory: Inventory = field(default_factory=lambda: fleet(ADA, BOB))

    @property
    def hosts(self) -> Any:
        return self

    def provider(self, _: Server) -> Any:
        return self

    async def look(self, _: Server, instances: Sequence[Instance]) -> Mapping[str, HostLook | HostFailure]:
        return {one.id: self.looks.get(one.id, host()) for one in instances}

    async def restart(self, one: Instance, service: str | None, *, seen: float) -> list[str]:
        if self.refusal:
            raise self.refusal
        self.done.append(f"restart {one.id} as of {seen:g}")
        return self.restarted

    async def reboot(self, name: str) -> None:
        self.done.append(f"reboot {name}")


def hands(reached: Reached) -> FleetActions:
    return FleetActions(cast(Clients, reached), 1)


@pytest.mark.parametrize(
    ("look", "why"), [(host(deploying=True), "a deployment of it is under way"), (host(held=True), "it is on hold")]
)
async def test_a_server_on_which_others_work_is_not_rebooted(look: HostLook, why: str) -> None:
    reached = Reached({"bob": look})
    with pytest.raises(NotNowError, match=f"bob is on shared-1, and {why}"):
        await hands(reached).reboot(ADA.server)
    assert reached.done == []


async def test_a_server_that_cannot_be_asked_is_rebooted() -> None:
    reached = Reached(dict.fromkeys(("ada", "bob"), HostFailure("no connection")))
    await hands(reached).reboot(ADA.server)
    assert reached.done == ["reboot shared-1"]


async def test_a_restart_says_when_the_instance_was_seen_ill() -> None:
    reached = Reached()
    assert not await hands(reached).restart(ADA, None, 7)
    assert reached.done == ["restart ada as of 7"]


async def test_a_restart_says_that_docker_was_started() -> None:
    assert await hands(Reached(restarted=["docker"])).restart(ADA, None, 7)


@pytest.mark.parametrize("error", [BusyError("a deployment"), ChangedError("a hold"), HostError("no Docker")])
async def test_what_met_others_is_told_apart_from_what_failed(error: HostError) -> None:
    with pytest.raises(StepError, match=str(error)) as caught:
        await hands(Reached(refusal=error)).restart(ADA, None, 0)
    assert isinstance(caught.value, NotNowError) == (not str(error).endswith("Docker"))
