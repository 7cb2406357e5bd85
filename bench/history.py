"""How large the history gets, and how fast it is.

Size: `--instances`, checked every `--interval` seconds for `--days`, with the aggregation and the pruning that the
daemon does, into a database of its own in a temporary folder.  Rows do not know how many other instances there are, so
the size for 1,000 is that of these instances, multiplied, without what an empty database takes.  (The samples of ten
rounds are recorded at once, which makes this faster and no row smaller.)  Speed: rounds of 1,000 instances, one by one.
"""

from __future__ import annotations

import argparse
import random
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from bench.machine import facts
from clawdet_infra.inventory.observation import Cause, Condition, Diagnosis, Observation
from clawdet_infra.monitoring.history import History, Retention

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_STOPPED = Diagnosis(Cause.GATEWAY_STOPPED, "The gateway's container has exited.")


def round_of(at: datetime, names: list[str], chance: random.Random) -> list[Observation]:
    minute = (at - BEGIN) // timedelta(minutes=1)
    found = []
    for index, name in enumerate(names):
        # Each is down for a quarter of an hour once in about ten days, and slow now and then.
        down = (minute + 997 * index) % 14_400 < 15
        slow = chance.random() < 0.002
        found.append(
            Observation(
                instance=name,
                server=name,
                at=at + timedelta(milliseconds=chance.randrange(4000)),
                condition=Condition.DOWN if down else Condition.SLOW if slow else Condition.HEALTHY,
                latency_seconds=chance.lognormvariate(-2, 0.35) * (20 if slow else 1),
                diagnosis=_STOPPED if down else None,
            )
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=40)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--interval", type=int, default=60)
    options = parser.parse_args()
    print(facts())
    with tempfile.TemporaryDirectory() as folder:
        speed(f"sqlite:///{folder}/speed.db")
        size(f"sqlite:///{folder}/size.db", options.instances, options.days, options.interval)


def speed(url: str) -> None:
    chance, names = random.Random(4), [f"customer-{index}" for index in range(1000)]
    rounds = [round_of(BEGIN + timedelta(minutes=minute), names, chance) for minute in range(60)]
    with History.open(url) as history:
        recorded = milliseconds([lambda each=each: history.record(each) for each in rounds])  # type: ignore[misc]
        print(f"a round of 1,000 recorded: {recorded}")
        now = BEGIN + timedelta(minutes=59)
        print(f"uptime during that hour: {milliseconds([lambda: history.uptime(names[500], now)] * 20)}")
        start = time.perf_counter()
        history.aggregate(BEGIN + timedelta(hours=2))
        print(f"its hour aggregated: {(time.perf_counter() - start) * 1000:.0f} ms")


def size(url: str, instances: int, days: int, interval: int) -> None:
    chance, names = random.Random(4), [f"customer-{index}" for index in range(instances)]
    empty = taken(url)
    now = pruned = BEGIN
    with History.open(url) as history:
        while now < BEGIN + timedelta(days=days):
            times = [now + timedelta(seconds=interval * index) for index in range(10)]
            history.record([one for at in times for one in round_of(at, names, chance)])
            now = times[-1] + timedelta(seconds=interval)
            if now - pruned >= timedelta(hours=2):
                history.prune(now, Retention())
                if now.date() != pruned.date() and (now - BEGIN).days % 10 == 0:
                    print(f"after {(now - BEGIN).days} days: {history.size() / 2**20:.1f} MiB", flush=True)
                pruned = now
        with history._database.read() as connection:
            for table in ("history_sample", "history_aggregate", "history_event"):
                rows = connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()
                print(f"{table}: {rows:,} rows, {rows / instances:,.0f} an instance")
    grown = taken(url) - empty
    print(f"{instances} instances, every {interval} s, {days} days: {grown:,} bytes ({grown / 2**20:.1f} MiB)")
    print(f"an instance: {grown / instances:,.0f} bytes; 1,000: {grown / instances * 1000 / 2**20:.0f} MiB")
    name = names[instances // 2]
    with History.open(url) as history:
        asked: dict[str, Callable[[], object]] = {
            "uptime of an instance": lambda: history.uptime(name, now),
            "latency of a day": lambda: history.latency(name, now - timedelta(days=1), now),
            "latency of 30 days": lambda: history.latency(name, now - timedelta(days=30), now),
            "timeline of 90 days": lambda: history.timeline(name, now - timedelta(days=90), 30, now),
            "newest 100 events": lambda: history.events(name),
        }
        for what, ask in asked.items():
            print(f"{what}: {milliseconds([ask] * 20)}")
    print(f"memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB at most")


def taken(url: str) -> int:
    """The bytes of the database with its log written back."""
    History.open(url).close()
    with History.open(url) as history:
        return history.size()


def milliseconds(works: Sequence[Callable[[], object]]) -> str:
    found = []
    for work in works:
        start = time.perf_counter()
        work()
        found.append((time.perf_counter() - start) * 1000)
    return f"{statistics.median(found):.1f} ms ({min(found):.1f} to {max(found):.1f})"


if __name__ == "__main__":
    main()
