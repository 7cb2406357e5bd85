"""How long an inventory is used, and what a failed refresh changes."""

from __future__ import annotations

import threading

import pytest

from clawdet_infra.inventory import Cached, InventoryError, build
from clawdet_infra.inventory.instance import Inventory
from tests.unit.inventory.conftest import a_stack


class Source:
    """Loads what the test says, and counts."""

    def __init__(self) -> None:
        self.answer: Inventory | InventoryError = build([a_stack("prod", "ada")])
        self.loads = 0
        self.now = 100.0

    def load(self) -> Inventory:
        self.loads += 1
        if isinstance(self.answer, InventoryError):
            raise self.answer
        return self.answer

    def cached(self, max_age: float = 60) -> Cached:
        return Cached(self.load, max_age, clock=lambda: self.now)


def test_it_is_read_once_within_its_age_and_again_after_it() -> None:
    source = Source()
    cached = source.cached()
    assert cached.get() is cached.get()
    assert source.loads == 1
    source.now += 60
    source.answer = build([a_stack("prod", "bob")])
    assert list(cached.get().instances) == ["bob"]


def test_a_failed_refresh_keeps_the_last_good_one_and_says_so() -> None:
    source = Source()
    cached = source.cached()
    good = cached.get()
    source.now += 90
    source.answer = InventoryError("the backend is away")
    assert cached.get() is good
    assert str(cached.problem) == "the backend is away"
    assert cached.age == 90
    assert cached.get() is good
    assert source.loads == 2, "it is not asked again before its time"
    source.now += 60
    source.answer = build([a_stack("prod", "bob")])
    assert list(cached.get().instances) == ["bob"]
    assert cached.problem is None
    assert cached.age == 0


def test_without_a_good_one_the_failure_is_raised_and_tried_again() -> None:
    source = Source()
    good, source.answer = source.answer, InventoryError("the backend is away")
    cached = source.cached()
    with pytest.raises(InventoryError, match="the backend is away"):
        cached.get()
    source.answer = good
    assert cached.get() is good


def test_many_threads_read_once() -> None:
    source = Source()
    cached = source.cached()
    threads = [threading.Thread(target=cached.get) for _ in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert source.loads == 1


def test_a_backend_that_hangs_holds_up_nobody_who_has_an_inventory() -> None:
    source = Source()
    cached = source.cached()
    good = cached.get()
    begun, go_on = threading.Event(), threading.Event()
    load = source.load

    def hang() -> Inventory:
        begun.set()
        assert go_on.wait(20)
        return load()

    hanging = Cached(hang, 60, clock=lambda: source.now)
    first = threading.Thread(target=hanging.get)
    go_on.set()
    first.start()
    first.join(20)
    go_on.clear()
    begun.clear()
    second = threading.Thread(target=hanging.refresh)
    second.start()
    assert begun.wait(20)
    source.now += 600
    assert hanging.get() is good, "the one that was read before"
    go_on.set()
    second.join(20)
