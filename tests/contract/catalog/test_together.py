"""Many processes and threads at once, and some that die: nobody is doubled, no cell overflows, no lease is stuck."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections import Counter

from clawdet_infra.catalog import Applied, Catalog, Phase
from tests.support.signups import SEAL, healthy, signup, want

DATABASES_DIFFER = True  # In how they lock.

# Each thread asks for all customers, in an order of its own, and says of each which cell it has and whether it was new.
_CALLER = """
import json, random, sys, threading
from clawdet_infra.catalog import Catalog
from tests.support.signups import signup, want
url, seed, threads, customers, size = sys.argv[1], *map(int, sys.argv[2:])
registry = Catalog.open(url)
failures = []
def call(number):
    names = [f"c{n}" for n in range(customers)]
    random.Random(f"{seed}/{number}").shuffle(names)
    try:
        for name in names:
            wanted = want(registry, signup(name), cell_size=size)
            print(json.dumps([name, wanted.instance.cell, wanted.created]) + "\\n", end="", flush=True)
    except BaseException as error:
        failures.append(repr(error))
running = [threading.Thread(target=call, args=(n,)) for n in range(threads)]
for one in running: one.start()
for one in running: one.join()
registry.close()
sys.exit("; ".join(failures) or 0)
"""


def caller(url: str, seed: int, threads: int, customers: int, size: int) -> subprocess.Popen[str]:
    numbers = [str(number) for number in (seed, threads, customers, size)]
    return subprocess.Popen(
        [sys.executable, "-c", _CALLER, url, *numbers], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_callers_at_once_double_nobody_and_fill_no_cell_too_far(url: str) -> None:
    customers, size = 23, 5
    said: list[tuple[str, str, bool]] = []
    for process in [caller(url, seed, 4, customers, size) for seed in range(2)]:
        out, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        said += [tuple(json.loads(line)) for line in out.splitlines()]
    assert len(said) == 2 * 4 * customers
    firsts = Counter(name for name, _, created in said if created)
    assert firsts == {f"c{number}": 1 for number in range(customers)}, "each customer was new to exactly one caller"
    with Catalog.open(url) as registry:
        cells = {row.id: row.cell for row in registry.instances()}
        assert all(cells[name] == cell for name, cell, _ in said), "whoever asked was told the same cell"
        assert sorted(Counter(cells.values()).values()) == [3, 5, 5, 5, 5]
        assert [cell.customers for cell in registry.cells()] == [5, 5, 5, 5, 3]
        assert all(registry.record(name, SEAL) == signup(name) for name in cells)
        assert {row.revision for row in registry.instances()} == {1}, "the same wish again is the same revision"


def test_callers_that_are_killed_leave_whole_entries(url: str) -> None:
    chance = random.Random(7)
    told: dict[str, str] = {}
    for seed in range(3):
        with caller(url, seed, 3, 30, 4) as process:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(chance.randint(1, 40))]
            process.kill()
            lines += process.stdout.readlines()
            assert process.stderr is not None
            process.stderr.read()
        for line in lines:
            if line.endswith("]\n"):
                name, cell, _ = json.loads(line)
                assert told.setdefault(name, cell) == cell
    with Catalog.open(url) as registry:
        cells = {row.id: row.cell for row in registry.instances()}
        assert cells.items() >= told.items(), "what was told is kept"
        assert max(Counter(cells.values()).values()) <= 4
        assert all(registry.record(name, SEAL) == signup(name) for name in cells)
        with caller(url, 9, 1, 30, 4) as process:
            _, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors
        assert len(registry.instances()) == 30
        assert [cell.customers for cell in registry.cells()] == [4] * 7 + [2]


def test_updates_and_wishes_at_once_lose_no_wish(registry: Catalog) -> None:
    healthy(registry, signup("ada"))
    stop = threading.Event()

    def update() -> None:
        while not stop.is_set():
            row = registry.instance("ada")
            assert row is not None
            registry.updating(row.cell, {"ada": row.revision})
            registry.applied(row.cell, {"ada": Applied(revision=row.revision, ok=True)})

    updater = threading.Thread(target=update)
    updater.start()
    try:
        for version in range(2, 40):
            wanted = want(registry, signup("ada", tokenVersion=version))
            assert (wanted.changed, wanted.revision) == (True, version)
    finally:
        stop.set()
        updater.join()
    row = registry.instance("ada")
    assert row is not None
    assert row.revision == 39
    assert (row.phase, row.applied) in {(Phase.HEALTHY, 39), (Phase.WAITING, row.applied)}
    assert row.phase is Phase.HEALTHY or row.applied < 39
    assert registry.record("ada", SEAL) == signup("ada", tokenVersion=39)
