"""One level of aggregates, by the hour, in place of five minutes, hours and days; columns get the field's names.

Nothing that was known is lost: hours stay as they are, and a day whose hours were pruned is spread evenly over them, so
that the sums of that day stay exact.  Samples that were not added up yet are left for the next aggregation.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_HOUR = 3_600_000
_PENDING, _AGGREGATED, _FINAL = 0, 1, 2
# A histogram's slot of before is the bucket that is so much lower; there are 256 buckets.
_SLOT_OF_BUCKET_0 = 80
_LONGEST_GAP = 150_000
_RENAMED = {
    "history_state": {"sentence": "message"},
    "history_event": {"what": "message"},
    "history_repair": {
        "begun": "started_at",
        "until": "expires_at",
        "finished": "finished_at",
        "what": "message",
    },
    "history_alert": {
        "seen": "message",
        "done": "actions",
        "raised": "raised_at",
        "told": "notified_at",
        "notices": "notifications",
        "resolved": "resolved_at",
    },
    "history_window": {"begins": "starts_at", "ends": "ends_at"},
}

_hours = sa.table("history_hour", *(sa.column(name) for name in ("hour", "status", "longest_gap")))
_COUNTERS = [f"{what}_{word}" for what in ("samples", "milliseconds") for word in ("healthy", "slow", "down")]
_aggregates = sa.table("history_aggregate", *map(sa.column, ["hour", "instance", *_COUNTERS, "latencies"]))
_marks = sa.table("history_mark", sa.column("name"), sa.column("value"))
_rounds = sa.table("history_round", sa.column("first"), sa.column("last"))
_OLD_COUNTERS = [f"{what}_{code}" for what in ("looks", "milliseconds") for code in range(3)]
_rollups = sa.table("history_rollup", *map(sa.column, ["level", "bucket", "instance", *_OLD_COUNTERS, "latencies"]))


class _Known(NamedTuple):
    """What is known of an instance over some time: the counters, and latencies by bucket."""

    counters: list[int]
    latencies: dict[int, int]


def upgrade() -> None:
    """Make the new tables from the old ones, and rename columns."""
    op.create_table(
        "history_hour",
        sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.SmallInteger, nullable=False),
        sa.Column("longest_gap", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "history_aggregate",
        sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("instance", sa.Integer, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Integer, nullable=False) for name in _COUNTERS),
        sa.Column("latencies", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    connection = op.get_bind()
    _take_over(connection)
    for table in ("history_rollup", "history_round", "history_mark"):
        op.drop_table(table)
    op.drop_column("history_sample", "round")
    for table, columns in _RENAMED.items():
        for old, new in columns.items():
            op.alter_column(table, old, new_column_name=new)


def _take_over(connection: sa.Connection) -> None:
    marks = {row.name: row.value for row in connection.execute(sa.select(_marks))}
    gap = marks.get("longest-gap", _LONGEST_GAP)
    first = connection.execute(sa.select(sa.func.min(_rollups.c.bucket)).where(_rollups.c.level == 3600)).scalar()
    known: set[int] = set()
    for bucket in _buckets(connection, 3600):
        known |= _insert(connection, {bucket: _read(connection, 3600, bucket)})
    for bucket in _buckets(connection, 86_400):
        pruned = range(bucket * 24, min(bucket * 24 + 24, first if first is not None else bucket * 24 + 24))
        if pruned:
            known |= _insert(connection, _spread(_rest_of_day(connection, bucket), pruned))
    statuses = {hour: _FINAL if hour * _HOUR < marks.get("raw-from", 0) + gap else _AGGREGATED for hour in known}
    for row in connection.execute(sa.select(_rounds)):
        for hour in range((row.first - gap) // _HOUR, (row.last + gap) // _HOUR + 1):
            if statuses.get(hour) != _FINAL:
                statuses[hour] = _PENDING
    rows = [{"hour": hour, "status": status, "longest_gap": gap} for hour, status in sorted(statuses.items())]
    if rows:
        connection.execute(sa.insert(_hours), rows)


def _buckets(connection: sa.Connection, level: int) -> list[int]:
    wanted = sa.select(_rollups.c.bucket).where(_rollups.c.level == level).distinct().order_by(_rollups.c.bucket)
    return list(connection.execute(wanted).scalars())


def _read(connection: sa.Connection, level: int, bucket: int) -> dict[int, _Known]:
    """Return the rows of a bucket by instance."""
    wanted = sa.select(_rollups).where(_rollups.c.level == level, _rollups.c.bucket == bucket)
    return {
        row.instance: _Known([row._mapping[name] for name in _OLD_COUNTERS], _decode(row.latencies))
        for row in connection.execute(wanted)
    }


def _rest_of_day(connection: sa.Connection, day: int) -> dict[int, _Known]:
    """Return what is known of a day beside what its hours say that still exist."""
    rest = _read(connection, 86_400, day)
    for hour in range(day * 24, day * 24 + 24):
        for instance, one in _read(connection, 3600, hour).items():
            if instance in rest:
                whole = rest[instance]
                counters = [max(0, a - b) for a, b in zip(whole.counters, one.counters, strict=True)]
                left = {slot: max(0, n - one.latencies.get(slot, 0)) for slot, n in whole.latencies.items()}
                rest[instance] = _Known(counters, left)
    return rest


def _spread(day: dict[int, _Known], hours: range) -> dict[int, dict[int, _Known]]:
    """Spread counts evenly over hours; their sums stay the same."""
    found: dict[int, dict[int, _Known]] = defaultdict(dict)
    for instance, one in day.items():
        counters = [list(_parts(count, len(hours))) for count in one.counters]
        latencies = {bucket: list(_parts(count, len(hours))) for bucket, count in one.latencies.items() if count}
        for index, hour in enumerate(hours):
            part = _Known([counts[index] for counts in counters], {slot: n[index] for slot, n in latencies.items()})
            if any(part.counters) or any(part.latencies.values()):
                found[hour][instance] = part
    return found


def _parts(count: int, parts: int) -> Iterator[int]:
    return (count * (index + 1) // parts - count * index // parts for index in range(parts))


def _insert(connection: sa.Connection, hours: dict[int, dict[int, _Known]]) -> set[int]:
    rows: list[dict[str, Any]] = [
        {
            "hour": hour,
            "instance": instance,
            **dict(zip(_COUNTERS, one.counters, strict=True)),
            "latencies": _encode(one.latencies),
        }
        for hour, known in sorted(hours.items())
        for instance, one in sorted(known.items())
    ]
    if rows:
        connection.execute(sa.insert(_aggregates), rows)
    return {hour for hour, known in hours.items() if known}


def _decode(data: bytes) -> dict[int, int]:
    """Return counts by bucket: they were pairs of the distance to the slot before and the count, 7 bits a byte."""
    numbers: list[int] = []
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number = shift = 0
    found: dict[int, int] = defaultdict(int)
    slot = 0
    for distance, count in zip(numbers[::2], numbers[1::2], strict=True):
        slot += distance
        found[min(max(slot - _SLOT_OF_BUCKET_0, 0), 255)] += count
    return found


def _encode(latencies: dict[int, int]) -> bytes:
    """Return pairs of bytes: a bucket and a count of at most 255."""
    pairs = bytearray()
    for bucket, count in sorted(latencies.items()):
        full, rest = divmod(count, 255)
        pairs += bytes([bucket, 255]) * full + (bytes([bucket, rest]) if rest else b"")
    return bytes(pairs)
