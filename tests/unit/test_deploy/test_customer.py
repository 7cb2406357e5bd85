"""The fleet of a trial: a stack's settings and one customer, who shares no name with anything of the stack."""

from __future__ import annotations

from typing import Any

import pytest

from clawdet_infra.config import Fleet, load_fleet
from clawdet_infra.layout import plan_layout
from clawdet_infra.test_deploy.customer import trial_fleet
from tests.unit.render.examples import raw_fleet

NAME = "test-deploy-0a1b2c3d"
PLANS = ["free", "pro", "enterprise"]


def settings(**changes: Any) -> Fleet:
    return load_fleet({**raw_fleet(), **changes})


@pytest.mark.parametrize("plan", PLANS)
def test_there_is_one_customer_of_the_plan_and_only_what_it_needs(plan: Any) -> None:
    fleet = trial_fleet(settings(protect=True), plan, NAME, own_domain=True)
    assert [(one.id, one.plan) for one in fleet.customers] == [(NAME, plan)]
    assert len(fleet.shared_hosts) == (1 if plan == "free" else 0)
    layout = plan_layout(fleet, label=NAME)
    assert not any(one.protect for one in (*layout.customers, *layout.shared_hosts)), "a trial has to be removable"


@pytest.mark.parametrize("plan", PLANS)
def test_release_plans_and_servers_are_those_of_the_stack(plan: Any) -> None:
    stack = settings(plans={"pro": {"pids": 300}}, server={"image": "debian-13", "type": "cx33", "location": "nbg1"})
    fleet = trial_fleet(stack, plan, NAME, own_domain=False)
    same = ("release", "plans", "server", "ssh", "cloud", "acme_email", "domain")
    assert {name: getattr(fleet, name) for name in same} == {name: getattr(stack, name) for name in same}


@pytest.mark.parametrize("own_domain", [True, False])
@pytest.mark.parametrize("plan", PLANS)
def test_no_name_or_label_is_one_of_the_stacks(plan: Any, own_domain: bool) -> None:
    stack = plan_layout(settings())
    trial = plan_layout(trial_fleet(settings(), plan, NAME, own_domain=own_domain), label=NAME)

    def names(layout: Any) -> set[str]:
        owners = [*layout.customers, *layout.shared_hosts]
        return {layout.label, *(one.server_name for one in owners), *(one.fqdn for one in layout.customers)}

    assert not names(stack) & names(trial)
    assert {one.labels["clawdet-fleet"] for one in (*trial.customers, *trial.shared_hosts)} == {NAME}
    assert trial.server_selector == f"clawdet-fleet={NAME}"


def test_in_the_stacks_own_domain_the_zone_is_left_to_the_stack() -> None:
    assert trial_fleet(settings(zone="manage"), "pro", NAME, own_domain=False).zone == "existing"
    own = trial_fleet(settings(zone="existing"), "pro", NAME, own_domain=True)
    assert (own.zone, own.domain) == ("manage", f"{NAME}.test")


def test_each_trial_has_a_key_of_its_own_that_is_no_customers() -> None:
    keys = {
        trial_fleet(settings(), "pro", NAME, own_domain=True).customers[0].anthropic_api_key.get_secret_value()
        for _ in range(3)
    }
    assert len(keys) == 3
    assert not keys & {one.anthropic_api_key.get_secret_value() for one in settings().customers}
