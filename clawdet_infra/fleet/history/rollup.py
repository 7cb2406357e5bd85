"""Adds samples up: buckets of five minutes, hours and days.

Each round of samples is added once, to all three, in the transaction that says so.  A process that dies in between
has changed nothing, and the next one adds the round.  What comes in late is added to the bucket of its time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select

from clawdet_infra.database.connecting import Database, upsert
from clawdet_infra.fleet.history import marks
from clawdet_infra.fleet.history.histogram import decode, encode
from clawdet_infra.fleet.history.schema import rollups, rounds, samples
from clawdet_infra.fleet.history.tally import Level, Look, Tallies, Tally, at_level, tally

# So many rounds a transaction: others that write wait for no more than this takes.
_ROUNDS = 10


def roll_up(database: Database, now: int, longest_gap: int) -> int:
    """Add up all that came in since the last time, and return how many rounds that were.

    `now`, in milliseconds, only decides how what was added up before is left alone; see `_mind_clock`, `_mind_gap`.
    """
    done = 0
    while True:
        with database.write() as connection:
            numbers = _waiting(connection, _ROUNDS)
            if not numbers:
                return done
            _mind_clock(connection, now)
            _mind_gap(connection, now, longest_gap)
            _roll_up(connection, numbers, longest_gap)
            done += len(numbers)


def changes(
    connection: Connection, waiting: Sequence[Row[Any]], longest_gap: int, instance: int | None = None
) -> dict[int, Tallies]:
    """Return what rounds that are not rolled up change, by instance: of all, or of one."""
    rolled = marks.get(connection, marks.ROLLED) or 0
    new: dict[int, list[Look]] = defaultdict(list)
    known: dict[int, list[Look]] = defaultdict(list)
    for first, last in _around(waiting, longest_gap):
        nearby = select(samples).where(samples.c.at.between(first, last))
        if instance is not None:
            nearby = nearby.where(samples.c.instance == instance)
        for row in connection.execute(nearby):
            if row.round <= waiting[-1].number:
                looks = new if row.round > rolled else known
                looks[row.instance].append(Look(row.at, row.condition, row.latency))
    raw_from = marks.get(connection, marks.RAW_FROM)
    return {one: _tally(looks, known[one], longest_gap, raw_from) for one, looks in new.items()}


def waiting(connection: Connection) -> Sequence[Row[Any]]:
    """Return all rounds that are not rolled up."""
    return connection.execute(select(rounds).order_by(rounds.c.number)).all()


def row_tally(row: Row[*tuple[Any, ...]]) -> Tally:
    """Return the tally of a row of `rollups`."""
    return Tally(
        [row.looks_0, row.looks_1, row.looks_2],
        [row.milliseconds_0, row.milliseconds_1, row.milliseconds_2],
        decode(row.latencies),
    )


def _waiting(connection: Connection, most: int) -> Sequence[Row[Any]]:
    return connection.execute(select(rounds).order_by(rounds.c.number).limit(most)).all()


def _around(waiting: Iterable[Row[Any]], longest_gap: int) -> Iterator[tuple[int, int]]:
    """Yield the stretches of time that rounds and the looks next to theirs are in; no two overlap."""
    current: tuple[int, int] | None = None
    for first, last in sorted((row.first - longest_gap, row.last + longest_gap) for row in waiting):
        if current and first <= current[1]:
            current = (current[0], max(current[1], last))
            continue
        if current:
            yield current
        current = (first, last)
    if current:
        yield current


def _tally(new: Sequence[Look], known: Sequence[Look], longest_gap: int, raw_from: int | None) -> Tallies:
    if raw_from is None or min(new).at >= raw_from + longest_gap:
        return tally(new, known, longest_gap)
    # Looks from before what is kept: they count, but which time they spoke for was decided without them.
    late = [look for look in new if look.at < raw_from + longest_gap]
    tallies = tally([look for look in new if look.at >= raw_from + longest_gap], known, longest_gap)
    for look in late:
        tallies.setdefault(look.at // (Level.FIVE_MINUTES * 1000), Tally()).count(look)
    return tallies


def _mind_clock(connection: Connection, now: int) -> None:
    """Where the clock was set back to before all that is kept, begin anew from where it is."""
    raw_from = marks.get(connection, marks.RAW_FROM)
    if raw_from is not None and raw_from > now:
        marks.put(connection, marks.RAW_FROM, now)


def _mind_gap(connection: Connection, now: int, longest_gap: int) -> None:
    """Leave what was added up with another longest gap as it is."""
    before = marks.get(connection, marks.GAP)
    if before is not None and before != longest_gap:
        rolled = samples.c.round <= (marks.get(connection, marks.ROLLED) or 0), samples.c.at <= now
        newest = connection.execute(select(func.max(samples.c.at)).where(*rolled)).scalar()
        raw_from = marks.get(connection, marks.RAW_FROM)
        if newest is not None and (raw_from is None or newest > raw_from):
            marks.put(connection, marks.RAW_FROM, newest)
    if before != longest_gap:
        marks.put(connection, marks.GAP, longest_gap)


def _roll_up(connection: Connection, numbers: Sequence[Row[Any]], longest_gap: int) -> None:
    last = numbers[-1].number
    changed = changes(connection, numbers, longest_gap)
    for level in Level:
        _merge(connection, level, {instance: at_level(one, level) for instance, one in changed.items()})
    raw_from = marks.get(connection, marks.RAW_FROM)
    if raw_from is not None:
        # Those that only count must not be taken for neighbours of later ones.
        late = samples.c.at < raw_from + longest_gap, samples.c.round > (marks.get(connection, marks.ROLLED) or 0)
        connection.execute(delete(samples).where(*late, samples.c.round <= last))
    marks.put(connection, marks.ROLLED, last)
    connection.execute(delete(rounds).where(rounds.c.number <= last))


def _merge(connection: Connection, level: Level, changed: Mapping[int, Tallies]) -> None:
    there: dict[tuple[int, int], Tally] = {}
    for bucket in sorted({bucket for tallies in changed.values() for bucket in tallies}):
        found = connection.execute(select(rollups).where(rollups.c.level == level, rollups.c.bucket == bucket))
        there |= {(bucket, row.instance): row_tally(row) for row in found if row.instance in changed}
    rows = []
    for instance, tallies in changed.items():
        for bucket, one in tallies.items():
            total = there.get((bucket, instance), Tally())
            total.add(one)
            rows.append({"level": int(level), "bucket": bucket, "instance": instance, **_columns(total)})
    upsert(connection, rollups, sorted(rows, key=lambda row: (row["bucket"], row["instance"])))


def _columns(total: Tally) -> dict[str, Any]:
    return {
        **{f"looks_{code}": count for code, count in enumerate(total.looks)},
        **{f"milliseconds_{code}": count for code, count in enumerate(total.milliseconds)},
        "latencies": encode(total.latencies),
    }
