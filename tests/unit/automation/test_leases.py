"""Leases that are kept while an update runs, on a real registry, and what stops an update."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from clawdet_infra.automation import leases
from clawdet_infra.automation.leases import LEASE_SECONDS, cancel_on, keepalive
from clawdet_infra.catalog import Catalog, CatalogError, Lease, LeaseHeld
from clawdet_infra.engine.engine import LONGEST_STOP_SECONDS

NAME = "cell:prod-cell-1"
SOON = 10.0
STOP_SECONDS, RENEW_SECONDS = leases._STOP_SECONDS, leases._RENEW_SECONDS
"""As they are, before a test makes them shorter."""


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Catalog]:
    monkeypatch.setattr(leases, "_RENEW_SECONDS", 0.02)
    monkeypatch.setattr(leases, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(leases, "_STOP_SECONDS", 0.1)
    with Catalog.open(f"sqlite:///{tmp_path}/registry.db") as opened:
        yield opened


def taken(registry: Catalog, seconds: float = LEASE_SECONDS) -> Lease:
    lease = registry.acquire(NAME, seconds)
    assert isinstance(lease, Lease), f"nobody else has it, but {lease}"
    return lease


def test_a_lease_is_held_beyond_its_time_and_given_back_at_the_end(registry: Catalog) -> None:
    lease = taken(registry, 2)
    with keepalive(registry, lease) as lost:
        time.sleep(2.2)
        assert isinstance(registry.acquire(NAME, 1), LeaseHeld), "it would have run out by itself"
        assert not lost.is_set()
    taken(registry)


def test_a_lease_is_given_back_by_an_update_that_fails(registry: Catalog) -> None:
    with pytest.raises(KeyError), keepalive(registry, taken(registry)):
        raise KeyError
    taken(registry)


def test_a_lease_that_another_has_taken_is_told_and_is_not_taken_back(registry: Catalog) -> None:
    lease = taken(registry)
    with keepalive(registry, lease) as lost:
        registry.release(lease)
        other = taken(registry)
        assert lost.wait(SOON), "the update has to know that it is not alone any more"
    assert isinstance(registry.acquire(NAME, 1), LeaseHeld), "the end of the first does not free the other's"
    registry.renew(other, 1)


def test_a_lease_that_was_released_is_lost(registry: Catalog) -> None:
    lease = taken(registry)
    with keepalive(registry, lease) as lost:
        registry.release(lease)
        assert lost.wait(SOON)


class Flaky(Catalog):
    """A registry that does not answer for a while."""

    def __init__(self, real: Catalog) -> None:
        self._real = real
        self.away = True
        self.asked = threading.Event()

    def renew(self, lease: Lease, seconds: float) -> Lease:
        if self.away:
            self.asked.set()
            raise CatalogError("the registry does not answer")
        return self._real.renew(lease, seconds)

    def release(self, lease: Lease) -> None:
        self._real.release(lease)


def test_a_database_that_is_away_for_a_moment_loses_no_lease(registry: Catalog) -> None:
    flaky = Flaky(registry)
    lease = taken(registry)
    with keepalive(flaky, lease) as lost:
        assert flaky.asked.wait(SOON)
        flaky.away = False
        time.sleep(0.1)
        assert not lost.is_set()
        registry.release(lease)
        assert lost.wait(SOON), "it goes on asking"


def test_a_holder_stops_before_its_lease_ends_while_the_database_is_away(
    registry: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_STOP_SECONDS", 59)
    lease = taken(registry, 60)
    with keepalive(Flaky(registry), lease) as lost:
        assert lost.wait(SOON)
        assert lease.seconds_left() <= 59, "the lease is held for sure until then"
        assert isinstance(registry.acquire(NAME, 1), LeaseHeld), "nobody else could take it before that"


class Silent(Flaky):
    """A registry that never answers."""

    def renew(self, lease: Lease, seconds: float) -> Lease:
        self.asked.set()
        self.answered.wait()
        raise CatalogError("the registry does not answer")

    def __init__(self, real: Catalog) -> None:
        super().__init__(real)
        self.answered = threading.Event()


def test_a_holder_stops_in_time_while_it_waits_for_the_database(
    registry: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "_JOIN_SECONDS", 0.05)
    silent = Silent(registry)
    with keepalive(silent, taken(registry, 1)) as lost:
        assert silent.asked.wait(SOON)
        assert lost.wait(SOON)
    silent.answered.set()


def test_a_holder_has_time_to_stop_its_engine_before_the_lease_ends() -> None:
    assert LONGEST_STOP_SECONDS < STOP_SECONDS < LEASE_SECONDS - 2 * RENEW_SECONDS, "two renewals may fail"


def test_an_update_is_stopped_when_its_time_is_over() -> None:
    with cancel_on(time.monotonic() + 0.3) as stop:
        assert not stop.is_set()
        assert stop.wait(SOON)


@pytest.mark.parametrize("which", [0, 1])
def test_an_update_is_stopped_by_any_of_its_reasons(which: int) -> None:
    reasons = threading.Event(), threading.Event()
    with cancel_on(time.monotonic() + 1000, *reasons) as stop:
        assert not stop.wait(0.3), "there is no reason yet"
        reasons[which].set()
        assert stop.wait(SOON)


def test_an_update_that_ended_is_not_watched_any_more() -> None:
    before = threading.active_count()
    with cancel_on(time.monotonic() + 1000) as stop:
        assert threading.active_count() == before + 1
    assert threading.active_count() == before
    assert not stop.is_set()
