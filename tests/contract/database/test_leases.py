"""One holder at a time, and no waiting for the dead."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import pytest

from tests.contract.database.stores import Store
from tests.support.frozen_clock import SetClock

DATABASES_DIFFER = True  # In their clocks, and in how they lock.

_HOLDER = """
import sys
from tests.contract.database.stores import STORES
store = STORES[sys.argv[1]]
print(type(store.acquire(store.open(sys.argv[2]), "one", 10**6)).__name__, flush=True)
input()
"""


def taken(store: Store, opened: Any, **more: Any) -> Any:
    lease = store.acquire(opened, "one", **more)
    assert isinstance(lease, store.Lease)
    return lease


def test_it_runs_out_unless_it_is_renewed(store: Store, url: str) -> None:
    clock = SetClock()
    with store.open(url, clock=clock) as opened:
        lease = taken(store, opened)
        for _ in range(3):
            clock.pass_seconds(50)
            lease = opened.renew(lease, 60)
        clock.pass_seconds(59)
        assert isinstance(store.acquire(opened, "one", elsewhere=True), store.LeaseHeld)
        clock.pass_seconds(1)
        second = taken(store, opened, elsewhere=True)
        with pytest.raises(store.LeaseLostError, match=store.lost):
            opened.renew(lease, 60)
        opened.release(lease)
        assert isinstance(store.acquire(opened, "one"), store.LeaseHeld), "who lost it cannot release it"
        opened.release(second)
        with pytest.raises(store.LeaseLostError, match="was released"):
            opened.renew(second, 60)


def test_a_lease_of_a_process_that_was_killed_is_free_at_once(store: Store, url: str) -> None:
    with store.open(url) as opened:
        with subprocess.Popen(
            [sys.executable, "-c", _HOLDER, store.name, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == "Lease\n"
            held = store.acquire(opened, "one")
            assert isinstance(held, store.LeaseHeld)
            assert store.held.format(pid=holder.pid) in str(held)
            assert isinstance(store.acquire(opened, "another"), store.Lease)
            holder.kill()
        taken(store, opened)


def test_of_many_threads_one_gets_it_and_the_next_when_it_is_given_back(store: Store, url: str) -> None:
    with store.open(url) as opened:
        barrier = threading.Barrier(8)
        got: list[Any] = []

        def race() -> None:
            barrier.wait()
            got.append(store.acquire(opened, "one"))

        threads = [threading.Thread(target=race) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        [lease] = [one for one in got if isinstance(one, store.Lease)]
        assert len(got) == 8
        opened.release(lease)
        taken(store, opened)
