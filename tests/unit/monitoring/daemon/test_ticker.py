from __future__ import annotations

from clawdet_infra.monitoring.daemon.ticker import Ticker


class Clock:
    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_the_first_round_begins_at_once_and_the_others_on_the_beat() -> None:
    clock = Clock()
    beat = Ticker(60, clock)
    assert beat.wait_seconds() == 0
    clock.at += 12
    assert beat.wait_seconds() == 48
    clock.at += 48 + 59
    assert beat.wait_seconds() == 1, "how long a round took does not move the next one"


def test_a_round_that_is_a_little_late_is_not_left_out() -> None:
    clock = Clock()
    beat = Ticker(60, clock)
    beat.wait_seconds()
    clock.at += 70
    assert beat.wait_seconds() == 0
    assert beat.wait_seconds() == 50, "and the one after it is on the beat again"
    assert beat.missed == 0


def test_marks_that_a_round_ran_over_are_left_out_and_not_made_up_for() -> None:
    clock = Clock()
    beat = Ticker(60, clock)
    beat.wait_seconds()
    clock.at += 60 * 5 + 10
    assert beat.wait_seconds() == 0
    assert beat.missed == 4
    assert beat.wait_seconds() == 50
