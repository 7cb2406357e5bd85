"""Who is left as it is when a cell is updated for somebody else."""

from __future__ import annotations

from typing import Any

from clawdet_infra.automation.exclusions import aside
from clawdet_infra.catalog import Desired, DesiredState
from clawdet_infra.layout import plan_layout
from tests.unit.automation.exported_states import STACK, component, exported, inside
from tests.unit.automation.samples import base, customer, hosts

CELL = "prod-cell-1"
SERVER = "hcloud:index/server:Server"
AGENT = f"{STACK}::clawdet:index:Customer$command:remote:CopyToRemote"
DEPLOYMENT = f"{STACK}::clawdet:index:Customer$command:remote:Command"
FORMER = "clawdet:index:Deployment$"
HEALTH = f"{STACK}::clawdet:index:Customer$clawdet:index:HealthCheck$command:local:Command"


def asked(identity: str, **more: Any) -> Desired:
    values = {"wanted": DesiredState.PRESENT, "revision": 2, "applied": 2, "has_data": False, "failed": True, **more}
    return Desired(id=identity, record=customer(identity), **values)


def placed(identity: str) -> dict[str, Any]:
    return {**component(identity), "outputs": {"url": f"https://{identity}.clawdet.com", "ipv4": "192.0.2.7"}}


def found(desired: Desired, *resources: dict[str, Any], plan: str = "pro") -> dict[str, list[str]]:
    record = customer(desired.id, plan=plan)
    layout = plan_layout(base(sharedHosts=hosts(shared_1=3)).fleet_with([record], listed=False), cell=CELL)
    return aside(CELL, [desired], layout.customers, exported(*resources))


BOB = (placed("bob"), inside("bob", SERVER, "bob-server"), inside("bob", "random:x:P", "bob-token"))


def test_all_of_a_customer_whose_deployment_failed_stays_as_it_is() -> None:
    assert found(asked("bob"), *BOB) == {
        "bob": [
            BOB[2]["urn"],
            BOB[1]["urn"],
            f"{AGENT}::bob-agent",
            f"{DEPLOYMENT}::bob-deployment",
            f"{HEALTH}::bob-health",
        ]
    }


def test_a_deployment_that_was_there_before_is_named_once() -> None:
    before = [inside("bob", f"{within}command:remote:Command", "bob-deployment") for within in ("", FORMER)]
    for one in before:
        [urns] = found(asked("bob"), *BOB, one).values()
        assert len(urns) == len(set(urns)) == 5


def test_what_was_made_by_an_older_release_is_named_as_the_program_names_it_now() -> None:
    made = inside("bob", f"{FORMER}command:remote:Command", "bob-deployment")
    [urns] = found(asked("bob"), *BOB, made).values()
    assert made["urn"] not in urns
    assert f"{DEPLOYMENT}::bob-deployment" in urns


def test_who_is_well_or_was_asked_for_again_or_is_to_go_is_updated() -> None:
    assert found(asked("bob", failed=False), *BOB) == {}
    assert found(asked("bob", wanted=DesiredState.ABSENT), *BOB) == {}


def test_who_has_no_server_or_no_address_yet_is_made_as_ever() -> None:
    assert found(asked("bob"), *BOB[::2]) == {}, "the server was sold out"
    assert found(asked("bob"), component("bob"), *BOB[1:]) == {}, "nothing is known of where it is"
    assert found(asked("bob")) == {}


def test_a_customer_of_a_shared_host_needs_no_server() -> None:
    assert list(found(asked("bob"), *BOB[::2], plan="free")) == ["bob"]


def test_a_name_that_another_customer_has_by_now_is_updated_for_that_one() -> None:
    record = inside("bob", "hcloud:index/zoneRrset:ZoneRrset", "desk.clawdet.com/A")
    eve = asked("eve", failed=False)
    fleet = base(sharedHosts=hosts(shared_1=3)).fleet_with(
        [customer("bob"), customer("eve", subdomain="desk")], listed=False
    )
    layouts = plan_layout(fleet, cell=CELL).customers
    [urns] = aside(CELL, [asked("bob"), eve], layouts, exported(*BOB, record)).values()
    assert record["urn"] not in urns
    assert record["urn"] in aside(CELL, [asked("bob")], layouts[:1], exported(*BOB, record))["bob"]
