"""The history and the registry as what they have in common: databases that keep entries, and leases."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from datetime import timedelta
from typing import Any

from clawdet_infra.catalog import Catalog, CatalogError, Lease, LeaseHeld, LeaseLostError
from clawdet_infra.database.engine import Database
from clawdet_infra.monitoring.history import History, HistoryError, HistoryPolicy, this_process
from clawdet_infra.monitoring.history import Lease as HistoryLease
from clawdet_infra.monitoring.history import LeaseHeld as HistoryLeaseHeld
from clawdet_infra.monitoring.history import LeaseLostError as HistoryLeaseLostError
from clawdet_infra.process_identity import Process
from tests.support.frozen_clock import MINUTE, NOON, SetClock, look
from tests.support.signups import SEAL, signup, want

Opened = Any


class Store(ABC):
    """One of the two.

    `refusals` are the words for a database that is not there, and for a lack of rights; `held` and `lost` say of the
    lease "one" that another process has it.  A disk of 2 MiB takes `least` entries.
    """

    name: str
    version_table: str
    error: type[Exception]
    refusals: tuple[str, str]
    held: str
    lost: str
    least: int
    Lease: type[Any]
    LeaseHeld: type[Any]
    LeaseLostError: type[Exception]

    @abstractmethod
    def open(self, url: str, *, lock_seconds: float | None = None, clock: SetClock | None = None) -> Opened:
        """Open it; a lock of another client is waited for as long as is said."""

    @abstractmethod
    def put(self, opened: Opened, number: int) -> None:
        """Keep a large entry with this number."""

    @abstractmethod
    def holds(self, opened: Opened, count: int) -> None:
        """Fail unless it holds the first `count` entries, whole, and no other."""

    @abstractmethod
    def acquire(self, opened: Opened, name: str, seconds: float = 60, *, elsewhere: bool = False) -> Any:
        """Ask for a lease, for this process, or for one of another machine where the store knows such."""

    def database(self, opened: Opened) -> Database:
        return opened._database  # type: ignore[no-any-return]


class _History(Store):
    name = "history"
    version_table = "history_version"
    error = HistoryError
    refusals = (r"server refuses: .*database \"nowhere\" does not exist", r"lacks a right")
    held, lost, least = "process {pid} on ", "holds it now", 4
    Lease, LeaseHeld, LeaseLostError = HistoryLease, HistoryLeaseHeld, HistoryLeaseLostError

    def open(self, url: str, *, lock_seconds: float | None = None, clock: SetClock | None = None) -> Opened:
        policy = HistoryPolicy() if lock_seconds is None else HistoryPolicy(lock=timedelta(seconds=lock_seconds))
        return History.open(url, policy, clock=clock) if clock else History.open(url, policy)

    def put(self, opened: Opened, number: int) -> None:
        opened.record([look(NOON + number * MINUTE, instance=f"c{index}") for index in range(1000)])

    def holds(self, opened: Opened, count: int) -> None:
        for _ in range(2):
            assert opened.latency("c7", NOON - MINUTE, NOON + timedelta(days=1)).count == count
            opened.aggregate(NOON + timedelta(days=1))

    def acquire(self, opened: Opened, name: str, seconds: float = 60, *, elsewhere: bool = False) -> Any:
        owner = this_process()
        if elsewhere:
            process = Process.parse(owner)
            assert process is not None
            owner = str(replace(process, host="another", machine="another"))
        return opened.acquire_lease(name, owner, seconds)


class _Registry(Store):
    name = "catalog"
    version_table = "registry_version"
    error = CatalogError
    refusals = (
        r"the catalog at .*server refuses: .*database \"nowhere\" does not exist",
        r"It has to own the catalog's tables, or be allowed to create some",
    )
    held, lost, least = "one is held by process {pid} on ", "the lease one was lost: process", 21
    Lease, LeaseHeld, LeaseLostError = Lease, LeaseHeld, LeaseLostError

    def open(self, url: str, *, lock_seconds: float | None = None, clock: SetClock | None = None) -> Opened:
        more: dict[str, Any] = {} if lock_seconds is None else {"lock_seconds": lock_seconds}
        return Catalog.open(url, **more, **({"clock": clock} if clock else {}))

    def put(self, opened: Opened, number: int) -> None:
        want(opened, self._entry(number), cell_size=50)

    def holds(self, opened: Opened, count: int) -> None:
        assert {row.id for row in opened.instances()} == {f"c{number}" for number in range(count)}
        for number in range(count):
            assert opened.record(f"c{number}", SEAL) == self._entry(number)

    def acquire(self, opened: Opened, name: str, seconds: float = 60, *, elsewhere: bool = False) -> Any:
        return opened.acquire(name, seconds)

    def _entry(self, number: int) -> dict[str, Any]:
        return signup(f"c{number}", note="x" * 5000)


STORES: dict[str, Store] = {"history": _History(), "catalog": _Registry()}
