"""Provisions and removes customers who sign up; the heart of the library."""

from __future__ import annotations

import builtins
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pulumi.automation import CommandError

from clawdet_infra.automation import data_loss, existing_server, leases
from clawdet_infra.automation.base import Base, BaseCache
from clawdet_infra.automation.cell_update import CellUpdate, UpdateInProgressError
from clawdet_infra.automation.error_mapping import error_of
from clawdet_infra.automation.errors import (
    BusyError,
    CancelledError,
    DeadlineError,
    InputError,
    SetupError,
    TakenError,
    UnknownCustomerError,
    whole,
)
from clawdet_infra.automation.host_keys import MOST_SECONDS, shown_host_key
from clawdet_infra.automation.results import OnStage, Provisioned, Removed, StageEvent
from clawdet_infra.automation.server_type import refuse_type
from clawdet_infra.automation.signup import Signup
from clawdet_infra.automation.validation import check_of
from clawdet_infra.catalog import (
    BeingRemovedError,
    Catalog,
    CatalogError,
    ConflictError,
    InstanceRow,
    LeaseHeld,
    LeaseLostError,
    Phase,
    Record,
    RefusedError,
    Related,
    UpsertResult,
)
from clawdet_infra.engine.engine import Stopped
from clawdet_infra.engine.errors import explain
from clawdet_infra.engine.process import EngineError
from clawdet_infra.engine.recovery import LockedError
from clawdet_infra.engine.stages import Passed
from clawdet_infra.paths import ROOT

CELL_SIZE = 50
DEADLINE_SECONDS = 900.0
PARALLEL = 16
_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.5


@dataclass
class _Call:
    """One call: until when it may take, whether it was cancelled, and who is told of stages."""

    customer: str
    on_stage: OnStage | None
    until: float
    cancelled: threading.Event
    begun: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        return round(time.monotonic() - self.begun, 1)

    def tell(self, event: StageEvent) -> None:
        if event.customer == self.customer:
            _hear(self.on_stage, event)

    def check(self) -> None:
        """Raise where the call has to end."""
        if self.cancelled.is_set():
            raise CancelledError(
                f"customer {self.customer}: the call was cancelled; the next one goes on.", self.customer
            )
        if time.monotonic() > self.until:
            raise BusyError(
                f"customer {self.customer}: the cell was being updated until the deadline; what was asked for is "
                "stored. Call again.",
                self.customer,
            )


class Provisioner:
    """Makes and removes customers over the base that a stack declares, by the program that `pulumi up` runs.

    `base` is that stack, `cell_size` the most customers of a cell, `deadline` the seconds after which a call stops,
    `parallel` the most things that one update makes at a time: gateways that start together share a host's cores.
    `catalog` is the address of the catalog's database, by default CLAWDET_CATALOG or a file in `root`, the checkout;
    `registry` is its old name, which works in this version for the last time.
    The engine's backend and passphrase are those of the environment, as for `pulumi`.  One object may serve any number
    of threads; processes need nothing in common but the catalog and the backend.
    """

    def __init__(
        self,
        base: str = "prod",
        *,
        catalog: str | None = None,
        registry: str | None = None,
        cell_size: int = CELL_SIZE,
        deadline: float = DEADLINE_SECONDS,
        parallel: int = PARALLEL,
        root: Path = ROOT,
    ) -> None:
        self.base = base
        self.clashes: tuple[str, ...] = ()
        """Customers whom two stacks have, in sentences, as `status`, `list` or `rebuild` found them last."""
        self._cell_size = cell_size
        self._deadline = deadline
        self._parallel = parallel
        self._root = root
        self._bases = BaseCache(base, root)
        with _explained():
            self._registry = Catalog.open(_address(catalog, registry), root=root)

    def close(self) -> None:
        """Close the connections to the catalog."""
        self._registry.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @whole
    def provision(
        self,
        customer: Signup,
        on_stage: OnStage | None = None,
        *,
        deadline: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> Provisioned:
        """Make a customer, or change it to what is asked for, and return when it is healthy.

        Calling again with the same customer changes nothing; after a call that failed or died, it goes on from there.
        `deadline` is in seconds; another thread ends the call by setting `cancelled`.  `on_stage` is told each stage as
        it is passed, also by another process that updates the cell.

        Raises InputError and those below it before anything is touched; CapacityError, DeploymentError, BusyError,
        DeadlineError and CancelledError, after which a next call goes on; SetupError, where a person has to look.
        """
        call = self._call(customer.id, on_stage, deadline, cancelled)
        base = self._bases.get()
        check = check_of(base)
        self._refuse_server(base, customer, check)
        record = customer.record(self._known_host_key(call, base, customer))
        with _explained(customer.id):
            refuse_type(base, self._registry.record(customer.id, base.seal, self.base), record)
        with _explained(customer.id):
            wanted = self._registry.want(
                self.base,
                record,
                seal=base.seal,
                cell_size=self._cell_size,
                check=lambda related: check(related, record),
            )
        row = wanted.instance
        stages: list[StageEvent] = []
        if wanted.changed:
            applied = self._until_applied(call, row.cell, _done_after(wanted), stages.append)
            if applied is None:
                raise CancelledError(f"customer {row.id}: another call removed the customer meanwhile.", row.id)
            row = applied
        return Provisioned(
            success=True,
            customer=row.id,
            access_url=row.url,
            deploy_time=call.seconds,
            cell=row.cell,
            plan=row.plan,
            server=row.server,
            ipv4=row.ipv4,
            user=row.user,
            created=wanted.instance.deployed_at is None,
            changed=wanted.changed,
            stages=tuple(stages),
        )

    @whole
    def deprovision(
        self,
        customer: str,
        on_stage: OnStage | None = None,
        *,
        deadline: float | None = None,
        cancelled: threading.Event | None = None,
    ) -> Removed:
        """Remove a customer with all its data, also one that never became healthy.

        Does nothing if the customer does not exist.  Raises InputError for a customer in a stack file, SetupError if a
        stack has customers that the catalog does not know, else what `provision` raises.
        """
        call = self._call(customer, on_stage, deadline, cancelled)
        with _explained(customer):
            wanted = self._registry.withdraw(customer, self.base)
            if wanted is None:
                # A new catalog is empty until it has read the stacks.
                self._refresh()
                wanted = self._registry.withdraw(customer, self.base)
        if wanted is None and self.clashes:
            raise SetupError(f"{customer} may still run: {self.clashes[0]}.", customer)
        if wanted is None:
            return Removed(success=True, customer=customer, existed=False, remove_time=call.seconds)
        self._until_applied(call, wanted.instance.cell, _done_after(wanted), lambda _: None)
        call.tell(StageEvent(customer=customer, stage="removed", seconds=call.seconds))
        return Removed(success=True, customer=customer, existed=True, remove_time=call.seconds)

    @whole
    def update(
        self,
        cell: str,
        on_stage: OnStage | None = None,
        *,
        allow_loss: Collection[str] = (),
        deadline: float | None = None,
    ) -> builtins.list[InstanceRow]:
        """Bring a cell to the base's present settings, such as a new release; returns its customers as they are then.

        `allow_loss` has the ids of customers whose data these settings may cost.

        Raises what `provision` raises; a customer who did not become healthy is in the result, and is no exception.
        """
        call = _Call(cell, None, time.monotonic() + (deadline or self._deadline), threading.Event())
        while not self._update_once(
            call, cell, lambda name, passed: _hear(on_stage, StageEvent.of(name, passed)), allow_loss=allow_loss
        ):
            call.check()
            time.sleep(_POLL_SECONDS)
        with _explained():
            return [one for one in self._registry.instances(self.base) if one.cell == cell]

    @whole
    def status(self, customer: str) -> InstanceRow:
        """Return what is known of a customer.  Raises UnknownCustomerError."""
        with _explained(customer):
            self._refresh()
            row = self._registry.instance(customer, self.base)
        if row is None:
            raise UnknownCustomerError(f"there is no customer {customer} in {self.base} or its cells.", customer)
        return row

    @whole
    def list(self) -> builtins.list[InstanceRow]:
        """Return all customers: those of the base's stack file, and those who signed up."""
        with _explained():
            self._refresh()
            return self._registry.instances(self.base)

    @whole
    def rebuild(self) -> builtins.list[InstanceRow]:
        """Rebuild the catalog from the stacks, and return all customers."""
        from clawdet_infra.automation import sync

        with _explained():
            self.clashes = tuple(sync.rebuild(self._registry, self._bases.get(), self._root))
            return self._registry.instances(self.base)

    def _refresh(self) -> None:
        from clawdet_infra.automation import sync

        self.clashes = tuple(sync.refresh(self._registry, self.base, self._root))

    def _call(
        self, customer: str, on_stage: OnStage | None, deadline: float | None, cancelled: threading.Event | None
    ) -> _Call:
        until = time.monotonic() + (self._deadline if deadline is None else deadline)
        return _Call(customer, on_stage, until, cancelled or threading.Event())

    def _refuse_server(self, base: Base, customer: Signup, check: Callable[[Related, Record], Record]) -> None:
        """Raise InputError where the server that a caller names cannot be the customer's, before any connection."""
        record = customer.record(existing_server.STAND_IN_HOST_KEY)
        if record.get("existingServer") is None:
            return
        with _explained(customer.id):
            before = self._registry.record(customer.id, base.seal, self.base)
            check(Related((), before), record)
            existing_server.refuse_servers_of_the_base(base, record)
            self._registry.refuse_used_server(self.base, record)
        # Where the customer is there already, the provider was asked when it came.
        if before is None or before.get("existingServer") != record["existingServer"]:
            existing_server.refuse_servers_at_the_provider(base, record)

    def _known_host_key(self, call: _Call, base: Base, customer: Signup) -> str | None:
        """Return the host key of a server that is there already: the one that is pinned, else the one it shows."""
        if customer.server_ipv4 is None or customer.server_host_key is not None:
            return None
        with _explained(customer.id):
            before = (self._registry.record(customer.id, base.seal, self.base) or {}).get("existingServer") or {}
        if before.get("ipv4") == customer.server_ipv4:
            return str(before["hostKey"])
        seconds = min(MOST_SECONDS, max(0.0, call.until - time.monotonic()))
        return shown_host_key(customer.server_ipv4, customer.id, seconds=seconds)

    def _until_applied(
        self, call: _Call, cell: str, is_done: Callable[[InstanceRow], bool], keep: Callable[[StageEvent], None]
    ) -> InstanceRow | None:
        """Wait until an update of the cell has done what was asked for, by this call or by another one.

        Returns the customer as it is then, None where there is none of that id any more.
        """
        reported: dict[str, float] = {}

        def tell(stage: str, seconds: float, note: str = "") -> None:
            if stage not in reported:
                # An update that another call makes has begun at another time than this one.
                reported[stage] = max(seconds, *reported.values(), 0.0)
                event = StageEvent(customer=call.customer, stage=stage, seconds=reported[stage], note=note)
                keep(event)
                call.tell(event)

        def passed(name: str, stage: Passed) -> None:
            if name == call.customer:
                tell(stage.stage, call.seconds, stage.note)

        tell("queued", call.seconds)
        while True:
            with _explained(call.customer):
                row = self._registry.instance(call.customer, self.base)
            if row is None:
                return None
            if is_done(row):
                for one in row.stages:
                    tell(**one)
                if row.phase == Phase.FAILED or row.error:
                    raise error_of(row)
                return row
            call.check()
            if not self._update_once(call, cell, passed, done=is_done):
                time.sleep(_POLL_SECONDS)

    def _update_once(
        self,
        call: _Call,
        cell: str,
        tell: Callable[[str, Passed], Any],
        *,
        done: Callable[[InstanceRow], bool] | None = None,
        allow_loss: Collection[str] = (),
    ) -> bool:
        """Update a cell if nobody else does; returns whether that was done.

        Nothing is done where the customer whom the call is about is `done` by now, or gone.
        """
        with _explained(call.customer):
            lease = self._registry.acquire(f"cell:{cell}", leases.LEASE_SECONDS)
        if isinstance(lease, LeaseHeld):
            return False
        with (
            leases.keepalive(self._registry, lease) as lost,
            leases.cancel_on(call.until, call.cancelled, lost) as stop,
        ):
            try:
                with _explained(call.customer):
                    row = None if done is None else self._registry.instance(call.customer, self.base)
                if done is not None and (row is None or done(row)):
                    return True
                base = self._bases.get()
                with _explained(call.customer):
                    desired = self._registry.desired(cell, base.seal)
                made_from = leases.input_fingerprint(base.name, self._root)
                update = CellUpdate(base, cell, desired, self._root, stop=stop, tell=tell, everybody=done is None)
                update.recover()
                revisions = update.prepare()
                settings = data_loss.settings_of(base, made_from)
                with _explained(call.customer):
                    data_loss.refuse_losses(self._registry, update.stack, cell, base, desired, settings, allow_loss)
                with _explained(call.customer):
                    self._registry.updating(cell, revisions, lease)
                results = update.run(self._parallel)
                with _explained(call.customer):
                    self._registry.applied(cell, results, lease)
                leases.save_fingerprint(self._registry, base, cell, self._root, results, desired, made_from, lease)
            except (LockedError, UpdateInProgressError, LeaseLostError):
                # The other update ends by itself, also if its caller was killed.  The holder of the lease records the
                # results.
                return False
            except CommandError as error:
                why = explain(cell, str(error))
                raise SetupError(f"customer {call.customer}: {why}.", call.customer) from None
            except EngineError as error:
                raise SetupError(f"customer {call.customer}: {error}.", call.customer) from None
            except Stopped:
                if call.cancelled.is_set():
                    call.check()
                if lost.is_set():
                    return False
                raise DeadlineError(
                    f"customer {call.customer}: the deadline passed, and the update was stopped. Call again.",
                    call.customer,
                ) from None
        return True


def _hear(on_stage: OnStage | None, event: StageEvent) -> None:
    """Tell a caller's function of a stage; one that fails does not end an update that others wait for, too."""
    if on_stage is None:
        return
    try:
        on_stage(event)
    except Exception as error:
        _LOG.warning("on_stage failed for %s of %s: %s", event.stage, event.customer, type(error).__name__)


def _done_after(wanted: UpsertResult) -> Callable[[InstanceRow], bool]:
    """Return what says whether a customer is what was asked for.

    An update that another customer caused may be running on the whole cell, or may have been killed.  Then an unchanged
    customer counts as done only after that update or the next one has ended.
    """
    before = wanted.instance

    def is_done(row: InstanceRow) -> bool:
        if row.applied < wanted.revision:
            return False
        if before.applied < wanted.revision:
            return True
        return row.phase in (Phase.HEALTHY, Phase.FAILED) or row.deployed_at != before.deployed_at

    return is_done


@contextmanager
def _explained(customer: str = "") -> Iterator[None]:
    """Turn errors of the catalog into those that callers know."""
    try:
        yield
    except ConflictError as error:
        raise TakenError(f"customer {customer}: {error}.", customer) from None
    except BeingRemovedError as error:
        raise BusyError(f"{error}.", customer) from None
    except LeaseLostError:
        raise
    except RefusedError as error:
        raise InputError(f"{error}.", customer) from None
    except CatalogError as error:
        raise SetupError(f"{error}.", customer) from None


def _address(catalog: str | None, registry: str | None) -> str | None:
    if registry is None:
        return catalog
    if catalog is not None:
        raise SetupError("`registry` is the old name of `catalog`, which is given too; leave `registry` out")
    _LOG.warning("the argument `registry` is now `catalog`; the old name works in this version for the last time")
    return registry
