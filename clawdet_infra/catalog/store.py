"""The catalog: one database, and all that is kept in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Connection

from clawdet_infra.catalog import cell_assignment, conflicts, desired_state, queries, sync, update_results
from clawdet_infra.catalog.desired_state import Check, Wishing
from clawdet_infra.catalog.encryption import RecordCipher
from clawdet_infra.catalog.errors import PURPOSE, CatalogError, LeaseLostError
from clawdet_infra.catalog.names import NameClaim
from clawdet_infra.catalog.records import (
    Applied,
    Cell,
    DeploymentFingerprint,
    Desired,
    InstanceRow,
    Record,
    UpsertResult,
)
from clawdet_infra.catalog.schema import FORM, leases
from clawdet_infra.config.variables import VariableError, read_variable
from clawdet_infra.database import Clock, Database, Lease, LeaseHeld, Leases, connect, migrate, this_process
from clawdet_infra.paths import ROOT

LOCK_SECONDS = 30.0
"""How long a call waits for other processes: each of theirs is short, but there may be many."""
_SQLITE = "sqlite:///"
_LEASES = Leases(leases, LeaseLostError)


def catalog_url(root: Path = ROOT) -> str:
    """Return where the catalog is: what CLAWDET_CATALOG says, else a file of the checkout.

    That is `.clawdet/catalog.db`, or `.clawdet/registry.db` in a checkout that has one from before.  Raises
    CatalogError if the variable and its old name are set to different values.
    """
    try:
        named = read_variable(os.environ, PURPOSE.variable)
    except VariableError as error:
        raise CatalogError(str(error)) from None
    if named:
        return named
    file, former = root / ".clawdet" / "catalog.db", root / ".clawdet" / "registry.db"
    return f"{_SQLITE}{former if former.exists() and not file.exists() else file}"


def is_there(url: str) -> bool:
    """Return whether there is a catalog, as far as that can be seen without making one: a file may not exist yet."""
    return not url.startswith(_SQLITE) or Path(url.removeprefix(_SQLITE)).exists()


class Catalog:
    """What is known of all customers and cells.  Any number of threads and processes may use one database at once.

    Every method is one short transaction: it is done as a whole or not at all.  Each raises CatalogError, in a
    sentence for people, where the database cannot be used.

    A customer is told by its id within a base.  Methods that take an id look in all bases where none is named, and
    raise CatalogError where several have one of that id.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    @classmethod
    def open(
        cls,
        url: str | None = None,
        *,
        root: Path = ROOT,
        clock: Clock | None = None,
        lock_seconds: float = LOCK_SECONDS,
    ) -> Catalog:
        """Open the catalog at `url` (by default `catalog_url(root)`), and make or migrate its tables where needed."""
        database = connect(PURPOSE, url or catalog_url(root), lock_seconds)
        try:
            migrate(database, FORM)
        except BaseException:
            database.close()
            raise
        return cls(database, clock or Clock())

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # What is wanted

    def want(self, base: str, record: Record, *, seal: RecordCipher, cell_size: int, check: Check) -> UpsertResult:
        """Store what a customer is to be like.

        `check` is called within the transaction, so nobody can come in between, with the records of those other
        customers of the base who could clash with this one (`Related`, whose `before` is what is stored of the customer
        itself).  It raises to refuse, and then nothing is written; or it returns the record to store, in which it may
        have changed anything but the id and the subdomain.

        A customer stays in its cell.  A new one gets the lowest-numbered cell of the base that has fewer than
        `cell_size`, else a new cell.  What is stored and was applied with success already changes nothing.  What is
        stored and waits to be applied, or is being applied, keeps its revision; else `revision` is one more.

        Raises BeingRemovedError while the customer is being removed, ConflictError where another one has the id or the
        subdomain after all.
        """
        if cell_size < 1:
            raise ValueError(f"a cell has to take one customer at least, not {cell_size}")
        wishing = Wishing(base=base, seal=seal, cell_size=cell_size, now=self._clock.now())
        with self._database.write() as connection:
            return desired_state.upsert(connection, wishing, record, check)

    def withdraw(self, identity: str, base: str | None = None) -> UpsertResult | None:
        """Store that a customer is to be there no more; None where there is no such customer.

        The entry goes when that was applied.  Raises RefusedError for a customer whom a stack file lists.
        """
        with self._database.write() as connection:
            return desired_state.mark_absent(connection, identity, base, self._clock.now())

    def record(self, identity: str, seal: RecordCipher, base: str | None = None) -> Record | None:
        """Return what is stored of a customer, with its secrets; None where nothing is."""
        with self._database.read() as connection:
            row = queries.only_row(connection, identity, base)
        return queries.record_of(row, seal)

    def refuse_used_server(self, base: str, record: Record) -> None:
        """Raise ConflictError where a record names an existing server that another customer of any base is on.

        `upsert` does it too; this is for who wants to know before a first connection to that server.
        """
        with self._database.read() as connection:
            conflicts.refuse_used_server(connection, base, NameClaim.of(record))

    # What is done about it

    def desired(self, cell: str, seal: RecordCipher) -> list[Desired]:
        """Return what a cell is to have and to have no more, by id."""
        with self._database.read() as connection:
            return queries.desired(connection, cell, seal)

    def updating(self, cell: str, revisions: Mapping[str, int], lease: Lease | None = None) -> None:
        """Say that an update of a cell works on these revisions, by id; those with a newer one by now go on waiting.

        With `lease`, raises LeaseLostError where another process has taken it; so do `applied` and `set_mark`.
        """
        with self._write_under(lease) as connection:
            update_results.updating(connection, cell, revisions)

    def applied(self, cell: str, results: Mapping[str, Applied], lease: Lease | None = None) -> None:
        """Keep what an update of a cell came to, by id.

        Whoever was to be removed, and was, is gone from here.  Where somebody asked for something newer meanwhile, the
        result is kept as that of the older revision, and the newer one goes on waiting.
        """
        with self._write_under(lease) as connection:
            update_results.applied(connection, cell, results, self._clock.now())

    # What there is

    def instance(self, identity: str, base: str | None = None) -> InstanceRow | None:
        """Return a customer, None where there is none of that id."""
        with self._database.read() as connection:
            row = queries.only_row(connection, identity, base)
        return None if row is None else queries.as_instance(row)

    def instances(self, base: str | None = None) -> list[InstanceRow]:
        """Return the customers of a base or of all, by base and id: those of base stacks too, as last mirrored."""
        with self._database.read() as connection:
            return queries.instances_of(connection, base)

    def everything(self) -> tuple[list[Cell], list[InstanceRow]]:
        """Return what `cells` and `instances` do of all bases, both as they are at one moment."""
        with self._database.read() as connection:
            return queries.cells_of(connection, None), queries.instances_of(connection, None)

    def cells(self, base: str | None = None) -> list[Cell]:
        """Return the stacks of a base or of all, each base stack before its cells."""
        with self._database.read() as connection:
            return queries.cells_of(connection, base)

    def mirror(
        self,
        base: str,
        stack: str,
        version: str,
        facts: Mapping[str, Mapping[str, Any]],
        failed: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> list[str]:
        """Keep what a stack's outputs say of its customers, by id, and of which version of the stack that is.

        `facts` are `url`, `ipv4`, `server`, `image`, `user`, and for a base stack also `plan`, `host` and `subdomain`.
        The customers of a base stack become entries without a record, and those that it has no more go.  For a cell,
        only what is known of its entries changes, never what is wanted.

        `failed` are the customers of a base stack whose last update failed, by id: `error`, `plan` and `subdomain`.  By
        default those stay who had failed before.

        Returns in sentences which customers of a base stack are left out, because a cell has their id or subdomain, and
        which of a cell have no entry.  Such a stack counts as not read, so that the next call says it again.
        """
        with self._database.write() as connection:
            return sync.mirror(connection, base, stack, version, facts, self._clock.now(), failed)

    def restore(self, base: str, stack: str, records: Mapping[str, Record], seal: RecordCipher) -> list[str]:
        """Make the entries of a cell anew from the records that its stack has, by id.

        Entries that want something which was not applied with success are kept as they are; others that the stack does
        not have go.  So do those that another key than `seal` encrypted: nobody can read them any more.

        Returns in sentences which customers clash with those of another stack.  A cell's customer takes the place of
        one that the base stack lists; of two cells, the first that is restored keeps the customer.
        """
        with self._database.write() as connection:
            return sync.restore(connection, base, stack, records, seal, self._clock.now())

    def mark(self, stack: str) -> DeploymentFingerprint | None:
        """Return how the last update of a stack ended; None where that is not known."""
        with self._database.read() as connection:
            return queries.mark_of(connection, stack)

    def set_mark(self, stack: str, base: str, mark: DeploymentFingerprint, lease: Lease | None = None) -> None:
        """Keep how an update of a base stack (`stack` is `base`) or of a cell ended."""
        with self._write_under(lease) as connection:
            cell_assignment.set_mark(connection, stack, base, mark)

    def loss_checked(self, stack: str) -> str:
        """Return the digest that was kept by `set_loss_checked`, "" where none was."""
        with self._database.read() as connection:
            return queries.loss_checked(connection, stack)

    def set_loss_checked(self, stack: str, base: str, settings: str) -> None:
        """Keep the digest of settings of which it was seen that no customer of a cell loses data by them."""
        with self._database.write() as connection:
            cell_assignment.set_loss_checked(connection, stack, base, settings)

    def forget_cell(self, stack: str) -> None:
        """Forget a stack that is gone, with what was mirrored of it.  Raises CatalogError while it has customers."""
        with self._database.write() as connection:
            cell_assignment.forget(connection, stack)

    def forget_base(self, base: str) -> None:
        """Forget a base with its cells and all their customers: their servers are gone, and so are their stacks."""
        with self._database.write() as connection:
            cell_assignment.forget_base(connection, base)

    # Leases

    def acquire(self, name: str, seconds: float) -> Lease | LeaseHeld:
        """Take a lease for so many seconds for this process, or return who holds it.

        A lease whose holder died is free at once, and otherwise when it has run out.  The same process does not get it
        twice either; it renews the one it has.
        """
        with self._database.write() as connection:
            return _LEASES.acquire(connection, name, this_process(self._clock), seconds, self._clock)

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Hold a lease for so many seconds from now.  Raises LeaseLostError where another has taken it."""
        with self._database.write() as connection:
            return _LEASES.renew(connection, lease, seconds, self._clock)

    def release(self, lease: Lease) -> None:
        """Give a lease back."""
        with self._database.write() as connection:
            _LEASES.release(connection, lease)

    @contextmanager
    def _write_under(self, lease: Lease | None) -> Iterator[Connection]:
        """Write as the holder of a lease, or where there is none as anybody."""
        with self._database.write() as connection:
            if lease is not None:
                _LEASES.confirm(connection, lease)
            yield connection
