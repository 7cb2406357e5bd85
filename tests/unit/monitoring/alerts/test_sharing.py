"""One cause is one alert: servers, the whole fleet, and maintenance windows."""

from __future__ import annotations

from datetime import timedelta

from clawdet_infra.inventory.observation import Cause, Condition
from clawdet_infra.monitoring.alerts.notification import Notification
from tests.unit.monitoring.alerts.world import MINUTE, Patient, Ward


def shared(count: int = 40) -> Ward:
    """A shared server with many tenants, and servers of their own for a few."""
    tenants = [Patient(f"free{number:02}", "shared-1") for number in range(count)]
    return Ward(*tenants, *(Patient(name) for name in ("ada", "bob", "cyd", "dan")))


def keys(ward: Ward) -> set[str]:
    return {one.key for one in ward.open}


def only(notices: list[Notification]) -> Notification:
    [notice] = notices
    return notice


def test_a_dead_server_is_one_alert_and_not_forty() -> None:
    ward = shared()
    tenants = [one for one in ward.patients.values() if one.server == "shared-1"]
    for one in tenants:
        one.down(Cause.SERVER_OFF, whole_server=True)
        one.sentence = "The server is off."
    notice = only(ward.rounds(30))
    assert notice.key == "server:shared-1"
    assert "server shared-1: 40 customers down" in notice.title
    assert "The server is off." in notice.body
    assert "free00 (https://free00.clawdet.test): down" in notice.body
    assert "and 20 more" in notice.body, "a notice does not grow without bounds"
    for one in tenants:
        one.well()
    assert only(ward.rounds(30)).kind == "resolved"


def test_tenants_seen_in_two_rounds_share_the_alert_all_the_same() -> None:
    ward = shared()
    tenants = [one for one in ward.patients.values() if one.server == "shared-1"]
    for one in tenants[:1]:
        one.down()
    ward.rounds(1)
    for one in tenants[1:]:
        one.down()
    ward.rounds(10)
    assert ward.told() == [("raised", "server:shared-1")]


def test_instances_join_and_leave_without_a_word() -> None:
    ward = shared()
    for name in ("free00", "free01"):
        ward.patients[name].down()
    ward.rounds(5)
    ward.patients["free02"].down()
    ward.patients["free00"].well()
    ward.rounds(5)
    [alert] = ward.open
    assert alert.instances == ("free01", "free02")
    assert ward.told() == [("raised", "server:shared-1")]


def test_a_server_alert_takes_the_place_of_an_instances_own() -> None:
    ward = shared()
    ward.patients["free00"].down()
    ward.rounds(5)
    ward.patients["free01"].down()
    ward.rounds(5)
    assert keys(ward) == {"server:shared-1"}
    for name in ("free00", "free01"):
        ward.patients[name].well()
    ward.rounds(5)
    assert ward.told() == [
        ("raised", "instance:free00"),
        ("raised", "server:shared-1"),
        ("resolved", "server:shared-1"),
    ]


def test_trouble_that_went_on_in_a_server_alert_is_not_flapping() -> None:
    ward = shared()
    ward.patients["free00"].down()
    ward.rounds(5)
    ward.patients["free01"].down()
    ward.rounds(5)
    for name in ("free00", "free01"):
        ward.patients[name].well()
    ward.rounds(5)
    ward.patients["free00"].down()
    assert "flapping" not in only(ward.rounds(5)).title, "its own alert was never said to be over"


def test_a_server_of_one_that_is_off_is_named_as_a_server() -> None:
    ward = shared(2)
    ward.patients["ada"].down(Cause.SERVER_OFF, whole_server=True)
    notice = only(ward.rounds(5))
    assert notice.key == "server:ada"
    assert notice.title == "[clawdet] server ada: 1 customer down (ada)"
    assert notice.body.endswith("Next: run: clawdet show ada --live")


def test_a_cause_that_turns_out_to_be_the_servers_makes_no_second_alert() -> None:
    ward = shared(2)
    ward.patients["ada"].down(Cause.NETWORK)
    ward.rounds(5)
    ward.patients["ada"].down(Cause.SERVER_OFF, whole_server=True)
    ward.rounds(5)
    ward.patients["ada"].well()
    ward.rounds(5)
    assert ward.told() == [("raised", "instance:ada"), ("resolved", "instance:ada")]


def test_a_fleet_that_vanishes_is_one_alert_that_points_at_the_checker() -> None:
    ward = Ward(*(Patient(f"c{number}") for number in range(12)))
    for number in range(6):
        ward.patients[f"c{number}"].down(Cause.NETWORK, whole_server=True)
    ward.rounds(1)
    for number in range(6, 10):
        ward.patients[f"c{number}"].down(Cause.NETWORK, whole_server=True)
    notice = only(ward.rounds(10))
    assert notice.key == "fleet"
    assert "look at the checker's own network first" in notice.title
    assert "10 customers on 10 servers" in notice.body
    for one in ward.patients.values():
        one.well()
    assert only(ward.rounds(10)).kind == "resolved"


def test_what_stays_down_when_the_fleet_comes_back_has_an_alert_of_its_own() -> None:
    ward = Ward(*(Patient(f"c{number}") for number in range(12)))
    for one in ward.patients.values():
        one.down(Cause.NETWORK)
    ward.rounds(5)
    for one in list(ward.patients.values())[1:]:
        one.well()
    ward.rounds(5)
    assert ward.told() == [("raised", "fleet"), ("resolved", "fleet"), ("raised", "instance:c0")]
    assert "Still not well: c0" in ward.notices[1][1].body
    assert keys(ward) == {"instance:c0"}


def test_a_fleet_of_two_is_two_alerts() -> None:
    ward = Ward(Patient("ada"), Patient("bob"))
    for one in ward.patients.values():
        one.down()
    ward.rounds(5)
    assert keys(ward) == {"instance:ada", "instance:bob"}


def test_in_a_window_nobody_is_told() -> None:
    ward = shared(2)
    ward.mute("instance:ada", 60 * MINUTE)
    ward.patients["ada"].down()
    ward.rounds(30)
    ward.patients["ada"].well()
    assert not ward.rounds(120)
    assert not ward.notices


def test_trouble_that_outlasts_its_window_is_raised_at_its_end() -> None:
    ward = shared(2)
    ward.mute("server:ada", 60 * MINUTE)
    ward.patients["ada"].down()
    ward.patients["ada"].healing = True
    assert not ward.rounds(59)
    assert only(ward.rounds(1)).kind == "raised"


def test_an_end_within_a_window_is_told_after_it() -> None:
    ward = shared(2)
    ward.patients["ada"].down()
    ward.rounds(5)
    ward.mute("all", 3 * 60 * MINUTE)
    assert not ward.rounds(100), "no reminder in a window"
    ward.patients["ada"].well()
    assert not ward.rounds(79)
    assert only(ward.rounds(5)).kind == "resolved"


def test_a_window_for_some_tenants_leaves_the_others_their_alert() -> None:
    ward = shared(4)
    ward.mute("instance:free00", timedelta(days=1))
    for one in ward.patients.values():
        if one.server == "shared-1":
            one.down()
    notice = only(ward.rounds(10))
    assert notice.key == "server:shared-1"
    assert "free00" not in notice.body


def test_a_neighbour_is_told_of_while_an_alert_sleeps_in_a_window() -> None:
    ward = shared(3)
    for name in ("free00", "free01"):
        ward.patients[name].down()
    ward.rounds(5)
    for name in ("free00", "free01"):
        ward.mute(f"instance:{name}", timedelta(hours=1))
    ward.patients["free02"].down()
    ward.rounds(5)
    [alert] = ward.open
    assert alert.instances == ("free02",), "what is being maintained leaves the alert, what is not joins it"


def test_an_alert_names_customer_server_address_sight_time_deed_and_next_step() -> None:
    ward = shared(2)
    ada = ward.patients["ada"]
    ada.down()
    ada.done = ("Restarted the containers.",)
    notice = only(ward.rounds(5))
    assert notice.title == "[clawdet] ada is down"
    assert notice.body.splitlines() == [
        "Customer: ada (https://ada.clawdet.test)",
        "Server: ada",
        "Seen: The gateway's container has stopped.",
        "Last answer: HTTP 502",
        "Since: 2026-03-01 12:01 UTC (2 min)",
        "Done: Restarted the containers.",
        "Next: run: clawdet show ada --live",
    ]
    ada.well()
    end = only(ward.rounds(5))
    assert end.title == "[clawdet] Resolved: ada is healthy again after 4 min"
    assert "It was: The gateway's container has stopped." in end.body
    assert "Done: Restarted the containers." in end.body


def test_a_tenant_that_is_still_being_repaired_is_in_the_servers_alert_if_people_know_of_it() -> None:
    ward = shared(4)
    ward.patients["free00"].healing = True
    ward.patients["free00"].slow()
    ward.rounds(12)
    ward.patients["free00"].down()
    ward.rounds(1)
    for name in ("free01", "free02"):
        ward.patients[name].down()
    ward.rounds(5)
    [alert] = ward.open
    assert alert.instances == ("free00", "free01", "free02")


def test_a_tenant_that_recovers_when_its_window_ends_is_not_said_to_be_well_too_early() -> None:
    ward = shared(4)
    ward.patients["free00"].down()
    ward.rounds(5)
    ward.mute("instance:free00", 10 * MINUTE)
    for name in ("free01", "free02"):
        ward.patients[name].down()
    ward.rounds(8)
    ward.patients["free00"].condition = Condition.HEALTHY
    ward.rounds(1, 2 * MINUTE)
    assert keys(ward) == {"server:shared-1"}
    assert ("resolved", "instance:free00") not in ward.told(), "one healthy look is not enough"


def test_a_fleet_that_comes_back_piece_by_piece_keeps_its_alert() -> None:
    ward = Ward(*(Patient(f"c{number}") for number in range(12)))
    for one in ward.patients.values():
        one.down(Cause.NETWORK)
    ward.rounds(5)
    for number in range(7):
        ward.patients[f"c{number}"].well()
    assert not ward.rounds(10), "five of twelve are less than half, and still the same trouble"
    for number in range(7, 10):
        ward.patients[f"c{number}"].well()
    assert [notice.key for notice in ward.rounds(10)] == ["fleet", "instance:c10", "instance:c11"]


def test_channels_that_are_not_ready_are_one_notice_that_can_wait() -> None:
    ward = Ward(*(Patient(f"c{number}") for number in range(5)))
    for one in ("c1", "c3"):
        ward.patients[one].not_ready = ("telegram",)
    assert not ward.rounds(59)
    [notice] = ward.rounds(1)
    assert (notice.kind, notice.key, notice.can_wait) == ("raised", "channels", True)
    assert notice.title == "[clawdet] channels of 2 customers are not ready"
    assert "channel not ready: telegram" in notice.body
    assert not ward.rounds(12 * 60), "an outage of Telegram is no reason to write again within a day"
    assert [one.kind for one in ward.rounds(13 * 60)] == ["reminder"]
    ward.patients["c1"].down()
    assert [one.key for one in ward.rounds(3)] == ["instance:c1"], "a fault is told as any other"
    ward.patients["c1"].well()
    for one in ("c1", "c3"):
        ward.patients[one].not_ready = ()
    ended = ward.rounds(3)
    assert {(one.kind, one.key, one.can_wait) for one in ended} == {
        ("resolved", "instance:c1", False),
        ("resolved", "channels", True),
    }
