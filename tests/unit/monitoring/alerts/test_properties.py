"""What holds whatever happens to a fleet."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from clawdet_infra.inventory.observation import Cause, Condition, Window
from clawdet_infra.monitoring.alerts import AlertPolicy
from clawdet_infra.monitoring.alerts.grouping import OF_THE_HEALTHY
from tests.support.examples import examples
from tests.unit.monitoring.alerts.world import MINUTE, Patient, Ward

NAMES = ("f1", "f2", "f3", "ada", "bob", "cyd")
SERVERS = {name: "shared-1" if name.startswith("f") else name for name in NAMES}
SCOPES = ("all", "server:shared-1", "server:ada", "instance:f1", "instance:ada")

happening = st.one_of(
    st.tuples(st.just("down"), st.sampled_from(NAMES), st.sampled_from([Cause.UNKNOWN, Cause.CERTIFICATE])),
    st.tuples(st.just("off"), st.sampled_from(sorted(set(SERVERS.values())))),
    st.tuples(st.just("slow"), st.sampled_from(NAMES)),
    st.tuples(st.just("well"), st.sampled_from(NAMES)),
    st.tuples(st.just("all"), st.booleans()),
    st.tuples(st.just("healing"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("certificate"), st.sampled_from(NAMES), st.sampled_from([None, 1.0, 60.0])),
    st.tuples(st.just("channels"), st.sampled_from(NAMES), st.booleans()),
    st.tuples(st.just("window"), st.sampled_from(SCOPES), st.integers(1, 60)),
    st.tuples(st.just("reachable"), st.booleans()),
    st.tuples(st.just("rounds"), st.integers(1, 15)),
)
jump = st.tuples(st.just("jump"), st.integers(-300_000, 300_000))


def make(policy: AlertPolicy | None = None) -> Ward:
    policy = policy or AlertPolicy(channel_threshold=20)
    return Ward(*(Patient(name, SERVERS[name]) for name in NAMES), policy=policy)


def happen(ward: Ward, what: tuple[object, ...]) -> None:
    match what:
        case ("down", str(name), Cause() as cause):
            ward.patients[name].down(cause)
        case ("off", str(server)):
            for one in ward.patients.values():
                if one.server == server:
                    one.down(Cause.SERVER_OFF, whole_server=True)
        case ("slow", str(name)):
            ward.patients[name].slow()
        case ("well", str(name)):
            ward.patients[name].well()
        case ("all", bool(down)):
            for one in ward.patients.values():
                if down:
                    one.down(Cause.NETWORK)
                else:
                    one.well()
        case ("healing", str(name), bool(healing)):
            ward.patients[name].healing = healing
        case ("certificate", str(name), float() | None as days):
            ward.patients[name].certificate_days = days
        case ("channels", str(name), bool(ready)):
            ward.patients[name].not_ready = () if ready else ("telegram",)
        case ("window", str(scope), int(minutes)):
            ward.mute(scope, minutes * MINUTE)
        case ("reachable", bool(reachable)):
            ward.reachable = reachable
        case ("rounds", int(count)):
            for _ in range(count):
                check(ward)
        case ("jump", int(minutes)):
            check(ward, timedelta(minutes=minutes))
        case _:
            raise AssertionError(what)


def check(ward: Ward, step: timedelta = MINUTE) -> None:
    """Make a round and hold what has to hold after each."""
    before = len(ward.notices)
    ward.round(step)
    open_ones = ward.open
    keys = [one.key for one in open_ones]
    assert len(keys) == len(set(keys)), "two open alerts of one key"
    if ward.reachable:
        troubles = [one for alert in open_ones if alert.key not in OF_THE_HEALTHY for one in alert.instances]
        maintained = {one for one in troubles if covered(ward, one)}
        counts = Counter(one for one in troubles if one not in maintained)
        assert all(count == 1 for count in counts.values()), f"one trouble in two alerts: {open_ones}"
    for _, notice in ward.notices[before:]:
        [alert] = [one for one in ward.alerts.values() if one.key == notice.key and one.told == ward.now]
        assert any(not covered(ward, one) for one in alert.instances), f"told within a window: {notice.title}"
        if notice.kind == "resolved" and notice.key not in ("fleet", *OF_THE_HEALTHY):
            awake = [ward.patients[one] for one in alert.instances if not covered(ward, one)]
            ill = [one.name for one in awake if one.condition is not Condition.HEALTHY]
            assert not ill, f"said to be over while {ill} are not well"


def covered(ward: Ward, name: str) -> bool:
    def open_now(window: Window) -> bool:
        return window.begins <= ward.now < window.ends

    scopes = {window.scope for window in ward.windows if open_now(window)}
    return bool(scopes & {"all", f"server:{SERVERS[name]}", f"instance:{name}"})


def recover(ward: Ward) -> None:
    for one in ward.patients.values():
        one.well()
        one.certificate_days = 60
    ward.windows.clear()
    ward.reachable = True
    for one in ward.patients.values():
        one.not_ready = ()
    ward.rounds(ward.policy.flap_success_threshold + 5)


@settings(max_examples=examples(300))
@given(st.lists(happening, max_size=40))
def test_whatever_happens_every_alert_that_was_told_ends_once(story: list[tuple[object, ...]]) -> None:
    ward = make()
    for what in story:
        happen(ward, what)
    recover(ward)
    assert not ward.open, "all are well, and an alert is left"
    raised = Counter(key for kind, key in ward.told() if kind == "raised")
    over = Counter(key for kind, key in ward.told() if kind == "resolved")
    taken_over = Counter(
        one.key for one in ward.alerts.values() if one.notices and one.resolved is not None and one.told != one.resolved
    )
    assert raised == over + taken_over, "each alert ends with one notice, or in the alert that took its place"
    assert not any(key == "fleet" for key in taken_over)


@settings(max_examples=examples(150))
@given(st.lists(st.one_of(happening, jump), max_size=40))
def test_no_clock_makes_it_crash_or_leave_an_alert(story: list[tuple[object, ...]]) -> None:
    ward = make()
    for what in story:
        happen(ward, what)
    recover(ward)
    assert not ward.open


@settings(max_examples=examples(100))
@given(st.lists(st.tuples(st.sampled_from(("f1", "ada")), st.booleans(), st.integers(3, 8)), min_size=40, max_size=120))
def test_the_number_of_notices_is_bounded_by_time(story: list[tuple[str, bool, int]]) -> None:
    ward = make()
    for name, down, rounds in story:
        if down:
            ward.patients[name].down()
        else:
            ward.patients[name].well()
        ward.rounds(rounds)
    hours = (ward.now - ward.notices[0][0]) / timedelta(hours=1) if ward.notices else 0
    # Of one key: the first alert, one that flaps, and then one for each time that it was calm for half an hour.
    for key, count in Counter(key for kind, key in ward.told() if kind == "raised").items():
        assert count <= 2 + 2 * hours, f"{count} alerts about {key} in {hours:.1f} h"
    reminders = [key for kind, key in ward.told() if kind == "reminder"]
    assert len(reminders) <= 2 * hours, "a reminder an hour at most, of each of the two"


def test_an_alert_within_the_same_moment_as_one_before_is_another_one() -> None:
    ward = make()
    ward.patients["ada"].down()
    ward.rounds(3)
    raised = ward.now
    ward.patients["ada"].well()
    ward.rounds(3)
    ward.patients["ada"].down()
    ward.rounds(2)
    ward.round(raised - ward.now)
    assert len(ward.alerts) == 2, "the one before was not overwritten"
