from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from clawdet_infra.inventory.observation import Cause, Condition, Diagnosis, Outcome, Repair, Step, Window
from clawdet_infra.monitoring.remediation import (
    Act,
    CircuitBreaker,
    Escalate,
    RemediationInput,
    RemediationPolicy,
    Wait,
    circuit_breaker,
    next_step,
)
from tests.unit.monitoring.remediation.world import NOON, POLICY, down, instance, up

ADA = instance("ada")
LATER = NOON + timedelta(minutes=10)


def repair(
    step: Step, outcome: Outcome | None = "failed", *, at: datetime = NOON, of: str = "ada", id: int = 1
) -> Repair:
    finished = None if outcome is None else at
    return Repair(id=id, instance=of, server="ada", step=step, owner="me", begun=at, finished=finished, outcome=outcome)


def case(cause: Cause = Cause.GATEWAY_STOPPED, **changes: Any) -> RemediationInput:
    state = down(ADA, cause)
    return RemediationInput(
        **{"state": state, "diagnosis": Diagnosis(cause, state.sentence), "tenants": (state,), **changes}
    )


def test_the_first_rung_is_a_restart_of_the_containers() -> None:
    assert next_step(case(), NOON, POLICY) == Act(Step.RESTART, "It has gateway-stopped.")


def test_the_second_rung_is_a_reboot_after_the_cooldown() -> None:
    once = case(repairs=(repair(Step.RESTART),))
    too_early = next_step(once, NOON + timedelta(seconds=299), POLICY)
    assert isinstance(too_early, Wait)
    assert too_early.until == NOON + timedelta(seconds=300), "it says when it goes on"
    decision = next_step(once, NOON + timedelta(seconds=300), POLICY)
    assert isinstance(decision, Act)
    assert decision.step is Step.REBOOT


def test_after_the_last_rung_people_are_asked() -> None:
    both = (repair(Step.RESTART), repair(Step.REBOOT, id=2))
    decision = next_step(case(repairs=both), LATER, POLICY)
    assert decision == Escalate("a restart and a reboot did not help")


@pytest.mark.parametrize("failures", [1, 2])
def test_a_look_or_two_that_failed_are_no_reason_yet(failures: int) -> None:
    decision = next_step(case(state=down(ADA, failures=failures)), NOON, POLICY)
    assert isinstance(decision, Wait)


@pytest.mark.parametrize("condition", [Condition.HEALTHY, Condition.SLOW])
def test_what_answers_is_left_alone(condition: Condition) -> None:
    decision = next_step(case(state=replace(up(ADA, condition), failures=9)), NOON, POLICY)
    assert isinstance(decision, Wait)


@pytest.mark.parametrize("cause", [Cause.DNS, Cause.PASSWORD, Cause.TOKEN, Cause.SERVER_GONE, Cause.DISK_FULL])
def test_what_no_step_mends_is_given_up_at_once(cause: Cause) -> None:
    assert isinstance(next_step(case(cause), NOON, POLICY), Escalate)


def test_who_has_to_make_a_lost_server_anew_is_told_both_steps() -> None:
    """An update alone compares with the state, which has the server still."""
    decision = next_step(case(Cause.SERVER_GONE), NOON, POLICY)
    assert "`pulumi refresh` and then `clawdet up`" in str(decision)


def test_a_server_that_is_off_is_powered_on_once() -> None:
    first = next_step(case(Cause.SERVER_OFF), NOON, POLICY)
    assert isinstance(first, Act)
    assert first.step is Step.POWER_ON
    then = next_step(case(Cause.SERVER_OFF, repairs=(repair(Step.POWER_ON),)), LATER, POLICY)
    assert then == Escalate("powering the server on did not help")


def test_for_a_certificate_the_proxy_alone_is_restarted_and_once() -> None:
    first = next_step(case(Cause.CERTIFICATE), NOON, POLICY)
    assert first == Act(Step.RESTART, "It has certificate.", "proxy")
    then = next_step(case(Cause.CERTIFICATE, repairs=(repair(Step.RESTART),)), LATER, POLICY)
    assert isinstance(then, Escalate), "a reboot brings no certificate"


def test_for_a_certificate_on_a_shared_server_nothing_is_restarted() -> None:
    assert isinstance(next_step(case(Cause.CERTIFICATE, shared=True), NOON, POLICY), Escalate)


def test_a_server_that_cannot_be_reached_is_rebooted_without_a_restart() -> None:
    decision = next_step(case(Cause.NETWORK), NOON, POLICY)
    assert isinstance(decision, Act)
    assert decision.step is Step.REBOOT
    assert isinstance(next_step(case(Cause.NETWORK, repairs=(repair(Step.REBOOT),)), LATER, POLICY), Escalate)


class TestOnASharedServer:
    """A reboot takes down everybody on it, so nobody may be well."""

    bob = instance("bob", on="ada")
    tried = (repair(Step.RESTART),)

    def decide(self, *others: Any, **changes: Any) -> Any:
        return next_step(case(repairs=self.tried, tenants=(down(ADA), *others), **changes), LATER, POLICY)

    @pytest.mark.parametrize("condition", [Condition.HEALTHY, Condition.SLOW])
    def test_it_is_not_rebooted_while_another_tenant_answers(self, condition: Condition) -> None:
        decision = self.decide(up(self.bob, condition))
        assert decision == Escalate("the server is not rebooted, because 1 of its other tenants answer")

    def test_it_is_rebooted_when_all_tenants_are_down(self) -> None:
        assert self.decide(down(self.bob)).step is Step.REBOOT

    def test_a_tenant_that_only_just_went_down_is_waited_for(self) -> None:
        assert isinstance(self.decide(down(self.bob, failures=1)), Wait)

    def test_a_tenant_that_nobody_has_looked_at_is_waited_for(self) -> None:
        assert isinstance(self.decide(None), Wait)

    def test_a_tenant_in_a_maintenance_window_is_waited_for(self) -> None:
        window = Window(id=1, scope="instance:bob", begins=NOON, ends=LATER + timedelta(hours=1))
        assert self.decide(down(self.bob), windows=(window,)).until == window.ends

    def test_a_reboot_for_one_tenant_counts_for_the_others(self) -> None:
        rebooted = repair(Step.REBOOT, "healed", of="bob", id=2)
        decision = next_step(case(repairs=(*self.tried, rebooted)), LATER, POLICY)
        assert isinstance(decision, Escalate)

    def test_a_repair_of_another_tenant_that_is_open_is_waited_for(self) -> None:
        running = repair(Step.RESTART, None, of="bob")
        assert isinstance(next_step(case(repairs=(running,)), LATER, POLICY), Wait)


@pytest.mark.parametrize("scope", ["all", "server:ada", "instance:ada"])
def test_nothing_is_done_in_a_maintenance_window(scope: str) -> None:
    window = Window(id=1, scope=scope, begins=NOON, ends=LATER)
    during = next_step(case(windows=(window,)), NOON, POLICY)
    assert isinstance(during, Wait)
    assert during.until == LATER
    assert isinstance(next_step(case(windows=(window,)), LATER, POLICY), Act), "its end is not part of it"


def test_what_was_healed_and_broke_again_begins_at_the_first_rung() -> None:
    healed = (repair(Step.RESTART), repair(Step.REBOOT, "healed", id=2))
    again = replace(down(ADA), since=NOON + timedelta(hours=2))
    decision = next_step(case(state=again, repairs=healed), NOON + timedelta(hours=2), POLICY)
    assert isinstance(decision, Act)
    assert decision.step is Step.RESTART


def test_what_breaks_again_and_again_is_given_up() -> None:
    often = tuple(repair(Step.RESTART, "healed", at=NOON + timedelta(hours=n), id=n) for n in (1, 2, 3))
    again = replace(down(ADA), since=NOON + timedelta(hours=4))
    decision = next_step(case(state=again, repairs=often), NOON + timedelta(hours=4), POLICY)
    assert decision == Escalate("3 repairs within 6 h are the most, and all were made")
    much_later = NOON + timedelta(hours=8)
    assert isinstance(next_step(case(state=replace(again, since=much_later), repairs=often), much_later, POLICY), Act)


def test_a_server_is_rebooted_once_an_hour() -> None:
    earlier = repair(Step.REBOOT, "healed", at=NOON)
    again = down(ADA, Cause.NETWORK, since=NOON + timedelta(minutes=30))
    asked = case(Cause.NETWORK, state=again, repairs=(earlier,))
    assert isinstance(next_step(asked, NOON + timedelta(minutes=59), POLICY), Escalate)
    assert isinstance(next_step(asked, NOON + timedelta(minutes=60), POLICY), Act)


def test_a_repair_that_was_left_behind_counts_as_one() -> None:
    decision = next_step(case(repairs=(repair(Step.RESTART, "abandoned"),)), LATER, POLICY)
    assert isinstance(decision, Act)
    assert decision.step is Step.REBOOT


class TestTheBrake:
    def states(self, broken: int, healthy: int) -> list[Any]:
        return [down(instance(f"d{n}")) for n in range(broken)] + [up(instance(f"u{n}")) for n in range(healthy)]

    @pytest.mark.parametrize(
        ("broken", "healthy", "braked"),
        [(3, 0, True), (2, 0, False), (3, 7, False), (4, 6, True), (30, 70, False), (31, 69, True)],
    )
    def test_it_is_on_when_much_of_the_fleet_fails_at_once(self, broken: int, healthy: int, braked: bool) -> None:
        assert bool(circuit_breaker(self.states(broken, healthy), [], NOON, POLICY)) == braked

    def test_a_shared_server_is_down_only_when_all_its_tenants_are(self) -> None:
        states = [state for n in range(5) for state in self.tenants(f"s{n}")]
        assert circuit_breaker(states, [], NOON, POLICY) is None

    def tenants(self, name: str) -> list[Any]:
        return [down(instance(f"{name}-a", on=name)), up(instance(f"{name}-b", on=name))]

    def test_what_is_in_a_maintenance_window_does_not_count(self) -> None:
        window = Window(id=1, scope="server:d0", begins=NOON, ends=LATER)
        assert circuit_breaker(self.states(4, 8), [], NOON, POLICY) is not None
        assert circuit_breaker(self.states(4, 8), [window], NOON, POLICY) is None, "3 of 11 are left"

    def test_it_names_the_numbers(self) -> None:
        why = circuit_breaker(
            self.states(4, 6), [], NOON, RemediationPolicy(circuit_breaker=CircuitBreaker(max_down_ratio=0.25))
        )
        assert why is not None
        assert why.startswith("4 of 10 servers are down at once, more than 25%")


@pytest.mark.parametrize("cause", [Cause.DEPLOYING, Cause.SERVER_BUSY])
def test_what_passes_by_itself_is_waited_for(cause: Cause) -> None:
    assert isinstance(next_step(case(cause), LATER, POLICY), Wait)


@pytest.mark.parametrize("why", ["held", "starting"])
def test_what_is_on_hold_or_starts_is_waited_for(why: str) -> None:
    assert isinstance(next_step(case(**{why: True}), LATER, POLICY), Wait)


def test_a_hold_covers_no_server_that_is_gone() -> None:
    assert isinstance(next_step(case(Cause.SERVER_GONE, held=True), LATER, POLICY), Escalate)


def test_a_server_is_not_rebooted_under_a_hold_or_a_deployment_of_a_neighbour() -> None:
    bob = replace(down(instance("bob", on="ada"), Cause.NETWORK), server="ada")
    both = (down(ADA, Cause.NETWORK), bob)
    assert isinstance(next_step(case(Cause.NETWORK, tenants=both), LATER, POLICY), Act)
    held = case(Cause.NETWORK, tenants=both, neighbour_held=True)
    deployed = case(Cause.NETWORK, tenants=(both[0], replace(bob, cause=Cause.DEPLOYING)))
    for one in (held, deployed):
        assert isinstance(next_step(one, LATER, POLICY), Wait)


def test_deployments_do_not_put_the_brake_on() -> None:
    sick = [down(instance(f"c{number}"), Cause.NETWORK) for number in range(5)]
    assert circuit_breaker(sick, (), NOON, POLICY)
    assert circuit_breaker([replace(one, cause=Cause.DEPLOYING) for one in sick], (), NOON, POLICY) is None
