from __future__ import annotations

from datetime import timedelta

import pytest

from clawdet_infra.inventory.observation import Cause
from clawdet_infra.monitoring.alerts import AlertPolicy
from clawdet_infra.monitoring.alerts.policy import FleetOutage
from tests.unit.monitoring.alerts.world import MINUTE, Patient, Ward


def test_an_instance_that_is_down_is_told_of_once_and_its_end_once() -> None:
    ward = Ward(Patient("ada"), Patient("bob"))
    ward.patients["ada"].down()
    ward.rounds(10)
    ward.patients["ada"].well()
    ward.rounds(10)
    assert ward.told() == [("raised", "instance:ada"), ("resolved", "instance:ada")]
    assert not ward.open


def test_an_alert_comes_with_the_third_failure_and_ends_with_the_second_healthy_look() -> None:
    ward = Ward(Patient("ada"))
    ward.patients["ada"].down()
    assert not ward.rounds(2)
    assert [notice.kind for notice in ward.rounds(1)] == ["raised"]
    ward.patients["ada"].well()
    assert not ward.rounds(1)
    assert [notice.kind for notice in ward.rounds(1)] == ["resolved"]


def test_failures_that_pass_are_no_alert() -> None:
    ward = Ward(Patient("ada"))
    for _ in range(10):
        ward.patients["ada"].down()
        ward.rounds(2)
        ward.patients["ada"].well()
        ward.rounds(1)
    assert not ward.notices


def test_a_healthy_look_in_between_does_not_end_an_alert() -> None:
    ward = Ward(Patient("ada"))
    ada = ward.patients["ada"]
    ada.down()
    ward.rounds(5)
    ada.well()
    ward.rounds(1)
    ada.down()
    ward.rounds(5)
    assert ward.told() == [("raised", "instance:ada")]


def test_nobody_is_told_while_a_repair_may_heal_it() -> None:
    ward = Ward(Patient("ada"))
    ada = ward.patients["ada"]
    ada.down()
    ada.healing = True
    assert not ward.rounds(10)
    ada.well()
    assert not ward.rounds(10), "it was healed, and nobody had to get up"


def test_people_are_told_when_the_ladder_has_given_up() -> None:
    ward = Ward(Patient("ada"))
    ada = ward.patients["ada"]
    ada.down()
    ada.healing = True
    ward.rounds(10)
    ada.healing = False
    ada.done = ("Restarted the containers at 12:03.", "Rebooted the server at 12:07.")
    [notice] = ward.rounds(1)
    assert "Done: Restarted the containers at 12:03. Rebooted the server at 12:07." in notice.body


def test_what_was_done_is_said_anew_in_each_round_and_kept_to_the_end() -> None:
    ward = Ward(Patient("ada"))
    ada = ward.patients["ada"]
    ada.down()
    for number in range(30):
        ada.done = ("Restarted the containers.", f"No repair: {number} of 40 servers are down.")
        ward.round()
    [alert] = ward.open
    assert alert.done == ("Restarted the containers.", "No repair: 29 of 40 servers are down.")
    ada.well()
    ada.done = ()
    [notice] = ward.rounds(2)
    assert "Done: Restarted the containers." in notice.body


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (AlertPolicy(max_delay=timedelta(minutes=7), max_delay_failures=1000), 8),
        (AlertPolicy(max_delay=timedelta(days=7), max_delay_failures=6), 6),
    ],
    ids=["time", "looks"],
)
def test_a_repair_does_not_keep_people_from_being_told_for_ever(policy: AlertPolicy, expected: int) -> None:
    ward = Ward(Patient("ada"), policy=policy)
    ada = ward.patients["ada"]
    ada.down()
    ada.healing = True
    assert not ward.rounds(expected - 1)
    assert [notice.kind for notice in ward.rounds(1)] == ["raised"]


def test_a_slow_instance_is_told_of_after_ten_looks() -> None:
    ward = Ward(Patient("ada"))
    ward.patients["ada"].slow()
    assert not ward.rounds(9)
    [notice] = ward.rounds(1)
    assert notice.title == "[clawdet] ada is slow"
    ward.patients["ada"].well()
    assert [notice.kind for notice in ward.rounds(2)] == ["resolved"]


def test_reminders_come_after_an_hour_then_four_then_daily() -> None:
    ward = Ward(Patient("ada"))
    ward.patients["ada"].down()
    ward.rounds(3 * 24 * 60)
    raised = ward.notices[0][0]
    hours = [round((at - raised) / timedelta(hours=1)) for at, notice in ward.notices if notice.kind == "reminder"]
    assert hours == [1, 5, 29, 53]
    assert ward.notices[1][1].title == "[clawdet] Still: ada is down"


def test_what_nobody_took_is_told_again_until_somebody_does() -> None:
    ward = Ward(Patient("ada"))
    ward.patients["ada"].down()
    ward.reachable = False
    ward.rounds(5)
    ward.reachable = True
    assert [notice.kind for notice in ward.rounds(3)] == ["raised"]
    ward.patients["ada"].well()
    ward.reachable = False
    ward.rounds(5)
    assert len(ward.open) == 1, "an alert whose end nobody heard of is not over"
    ward.reachable = True
    assert [notice.kind for notice in ward.rounds(3)] == ["resolved"]


def test_an_alert_that_nobody_heard_of_ends_without_a_word() -> None:
    ward = Ward(Patient("ada"))
    ward.patients["ada"].down()
    ward.reachable = False
    ward.rounds(5)
    ward.patients["ada"].well()
    ward.rounds(5)
    ward.reachable = True
    assert not ward.rounds(5)
    assert not ward.open


def test_a_customer_who_was_taken_out_of_the_fleet_ends_the_alert() -> None:
    ward = Ward(Patient("ada"), Patient("bob"))
    ward.patients["ada"].down()
    ward.rounds(5)
    del ward.patients["ada"]
    [notice] = ward.rounds(5)
    assert notice.kind == "resolved"
    assert "ada is no longer in the fleet" in notice.title


def test_a_certificate_that_ends_soon_is_one_alert_for_all() -> None:
    ward = Ward(Patient("ada"), Patient("bob"), Patient("cyd"))
    ward.patients["ada"].certificate_days = 13.5
    ward.patients["bob"].certificate_days = 13.9
    [notice] = ward.rounds(5)
    assert notice.title == "[clawdet] certificates of 2 customers expire soon"
    assert "ada (https://ada.clawdet.test), server ada: 13 days left" in notice.body
    ward.patients["ada"].certificate_days = ward.patients["bob"].certificate_days = 89
    assert [notice.kind for notice in ward.rounds(5)] == ["resolved"]


def test_a_certificate_that_cannot_be_seen_is_not_taken_for_a_new_one() -> None:
    ward = Ward(Patient("ada"), Patient("bob"))
    ada = ward.patients["ada"]
    ada.certificate_days = 5
    ward.rounds(1)
    ada.certificate_days = None
    ada.down(Cause.GATEWAY_STOPPED)
    ward.rounds(5)
    assert ward.told() == [("raised", "certificates"), ("raised", "instance:ada")]
    assert {one.key for one in ward.open} == {"certificates", "instance:ada"}


def test_a_certificate_that_ended_becomes_the_alert_of_its_instance() -> None:
    ward = Ward(Patient("ada"), Patient("bob"))
    ada = ward.patients["ada"]
    ada.certificate_days = 0.1
    ward.rounds(1)
    ada.certificate_days = None
    ada.down(Cause.CERTIFICATE)
    ward.rounds(5)
    assert {one.key for one in ward.open} == {"instance:ada"}
    ada.well()
    ada.certificate_days = 89
    ward.rounds(5)
    assert ward.told() == [
        ("raised", "certificates"),
        ("raised", "instance:ada"),
        ("resolved", "instance:ada"),
    ]


def test_what_comes_and_goes_is_one_alert_that_says_so() -> None:
    ward = Ward(Patient("ada"))
    ada = ward.patients["ada"]
    for _ in range(6):
        ada.down()
        ward.rounds(4)
        ada.well()
        ward.rounds(4)
    assert ward.told() == [
        ("raised", "instance:ada"),
        ("resolved", "instance:ada"),
        ("raised", "instance:ada"),
    ], "the second alert stays open as long as it comes and goes"
    assert "flapping" in ward.notices[-1][1].title
    assert [notice.kind for notice in ward.rounds(40)] == ["resolved"]


def test_the_same_trouble_hours_later_is_not_flapping() -> None:
    ward = Ward(Patient("ada"))
    for _ in range(2):
        ward.patients["ada"].down()
        ward.rounds(5)
        ward.patients["ada"].well()
        ward.rounds(70)
    assert [kind for kind, _ in ward.told()] == ["raised", "resolved"] * 2
    assert not any("flapping" in notice.title for _, notice in ward.notices)


@pytest.mark.parametrize("jump", [timedelta(days=-400), timedelta(hours=-3), timedelta(hours=3), timedelta(days=400)])
def test_a_clock_that_jumps_is_neither_a_storm_nor_a_silence(jump: timedelta) -> None:
    ward = Ward(Patient("ada"), Patient("bob"))
    ward.patients["ada"].down()
    ward.rounds(5)
    ward.round(jump)
    assert len(ward.rounds(30)) <= 1
    reminders = [notice.kind for notice in ward.rounds(60 * 30)]
    assert 1 <= len(reminders) <= 3, "reminders go on at their pace"
    ward.patients["ada"].well()
    ward.round(jump)
    ward.rounds(5)
    assert ward.told()[-1] == ("resolved", "instance:ada")
    assert not ward.open


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"failure_threshold": 0}, "failure_threshold must be"),
        ({"reminders": ()}, "reminders"),
        ({"reminders": (MINUTE * 0,)}, "reminders"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AlertPolicy(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(("ratio", "servers"), [(0, 3), (1.1, 3), (0.5, 0)])
def test_an_outage_of_the_fleet_that_makes_no_sense_is_refused(ratio: float, servers: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        FleetOutage(max_down_ratio=ratio, min_servers=servers)
