"""Seconds and counts by bucket: the same whatever the order in which looks come in."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.fleet.history.tally import Level, Look, Tallies, Tally, at_level, tally

GAP = 150_000
# Around a border of five minutes, an hour and a day at once, some of them closer than the longest gap, some not.
MIDNIGHT = 1_772_323_200_000
TIMES = st.integers(MIDNIGHT - 900_000, MIDNIGHT + 900_000)
LOOKS = st.lists(st.builds(Look, TIMES, st.integers(0, 2), st.integers(0, 10**7)), unique_by=lambda look: look.at)


def added(parts: Sequence[Tallies]) -> Tallies:
    total: Tallies = {}
    for part in parts:
        for bucket, one in part.items():
            total.setdefault(bucket, Tally()).add(one)
    return {bucket: one for bucket, one in total.items() if any(one.looks) or any(one.milliseconds)}


def directly(looks: Sequence[Look], level: Level) -> dict[int, list[int]]:
    """Milliseconds by condition, by the definition, each bucket by itself."""
    width = level * 1000
    found: dict[int, list[int]] = {}
    ordered = sorted(looks)
    for one, following in itertools.pairwise(ordered):
        if following.at - one.at > GAP:
            continue
        for bucket in range(one.at // width, following.at // width + 1):
            inside = min(following.at, (bucket + 1) * width) - max(one.at, bucket * width)
            if inside > 0:
                found.setdefault(bucket, [0, 0, 0])[one.condition] += inside
    return found


@given(LOOKS, st.data())
def test_looks_in_any_order_and_in_any_portions_add_up_to_the_same(looks: list[Look], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(looks))
    parts, known = [], []
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        new, shuffled = shuffled[:size], shuffled[size:]
        parts.append(tally(new, known, GAP))
        known += new
    assert added(parts) == added([tally(looks, [], GAP)])


@given(LOOKS, st.sampled_from(Level))
def test_every_level_is_what_counting_directly_gives(looks: list[Look], level: Level) -> None:
    tallies = at_level(tally(looks, [], GAP), level)
    assert {bucket: one.milliseconds for bucket, one in tallies.items() if any(one.milliseconds)} == directly(
        looks, level
    )
    counts = [sum(one.looks[code] for one in tallies.values()) for code in range(3)]
    assert counts == [sum(look.condition == code for look in looks) for code in range(3)]


@given(LOOKS)
def test_no_second_counts_twice_and_none_counts_against_time(looks: list[Look]) -> None:
    for level in Level:
        for one in at_level(tally(looks, [], GAP), level).values():
            assert min(one.milliseconds) >= 0
            assert sum(one.milliseconds) <= level * 1000


@given(LOOKS)
def test_only_what_was_answered_has_a_latency(looks: list[Look]) -> None:
    for one in tally(looks, [], GAP).values():
        assert sum(one.latencies.values()) == one.looks[0] + one.looks[1]


def test_a_gap_is_neither_up_nor_down() -> None:
    looks = [Look(MIDNIGHT, 0, 1), Look(MIDNIGHT + GAP, 2, 1), Look(MIDNIGHT + 2 * GAP + 1, 2, 1)]
    [one] = at_level(tally(looks, [], GAP), Level.DAY).values()
    assert one.milliseconds == [GAP, 0, 0], "the longest gap still counts, one millisecond more does not"


def test_a_look_that_comes_in_late_takes_back_what_the_one_before_spoke_for() -> None:
    known = [Look(MIDNIGHT, 0, 1), Look(MIDNIGHT + 120_000, 0, 1)]
    [change] = tally([Look(MIDNIGHT + 60_000, 2, 1)], known, GAP).values()
    assert change.milliseconds == [-60_000, 0, 60_000]
