"""Cells: which one a new customer gets, and what is kept of each."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select

from clawdet_infra.catalog.errors import CatalogError
from clawdet_infra.catalog.names import cell_name, cell_number
from clawdet_infra.catalog.records import DeploymentFingerprint
from clawdet_infra.catalog.schema import cells, instances
from clawdet_infra.database.timestamps import bounded, milliseconds


def assign_cell(connection: Connection, base: str, size: int) -> str:
    """Return the lowest-numbered cell of a base that has room, a new one where none has.

    Whoever is still being removed takes up room.
    """
    numbered = select(cells.c.stack, cells.c.number).where(cells.c.base == base, cells.c.number.is_not(None))
    known = connection.execute(numbered.order_by(cells.c.number)).all()
    counted = select(instances.c.cell, func.count().label("customers")).group_by(instances.c.cell)
    stacks: list[str] = [row.stack for row in known]
    counts = {row.cell: row.customers for row in connection.execute(counted.where(instances.c.cell.in_(stacks)))}
    for stack in stacks:
        if counts.get(stack, 0) < size:
            return stack
    stack = cell_name(base, known[-1].number + 1 if known else 1)
    ensure(connection, base, stack)
    return stack


def ensure(connection: Connection, base: str, stack: str) -> None:
    """Make sure that a stack is known: the base stack itself or one of its cells.  Raises CatalogError for another."""
    number = cell_number(base, stack)
    if stack != base and number is None:
        raise CatalogError(f"{stack} is no cell of {base}: those are called {cell_name(base, 1)} and so on")
    row = connection.execute(select(cells.c.base).where(cells.c.stack == stack)).first()
    if row is None:
        empty = dict.fromkeys(("synced_version", "fingerprint", "version", "outcome", "error"), "")
        connection.execute(insert(cells).values(stack=stack, base=base, number=number, **empty))
    elif row.base != base:
        raise CatalogError(f"the stack {stack} belongs to {row.base}, not to {base}")


def set_mark(connection: Connection, stack: str, base: str, mark: DeploymentFingerprint) -> None:
    """Keep a stack's mark in place of the one of before."""
    ensure(connection, base, stack)
    values = {
        "fingerprint": bounded(mark.fingerprint, 255),
        "version": bounded(mark.version, 255),
        "outcome": bounded(mark.outcome, 64),
        "error": bounded(mark.error, 2000),
        "updated_at": milliseconds(mark.at),
    }
    connection.execute(cells.update().where(cells.c.stack == stack).values(values))


def set_loss_checked(connection: Connection, stack: str, base: str, settings: str) -> None:
    """Keep the digest of settings by which nobody in a cell loses data."""
    ensure(connection, base, stack)
    connection.execute(cells.update().where(cells.c.stack == stack).values(loss_checked=bounded(settings, 64)))


def see(connection: Connection, stack: str, version: str) -> None:
    """Keep of which version the facts of a stack's customers are."""
    connection.execute(cells.update().where(cells.c.stack == stack).values(synced_version=bounded(version, 255)))


def forget(connection: Connection, stack: str) -> None:
    """Forget a stack.  Raises CatalogError for a cell that has customers."""
    within = instances.c.cell == stack
    signed_up = connection.execute(select(func.count()).where(within, instances.c.record.is_not(None))).scalar_one()
    if signed_up:
        raise CatalogError(f"the cell {stack} still has {signed_up} customers; deprovision them first")
    connection.execute(delete(instances).where(within))
    connection.execute(delete(cells).where(cells.c.stack == stack))


def forget_base(connection: Connection, base: str) -> None:
    """Forget a base stack, its cells and their customers."""
    connection.execute(delete(instances).where(instances.c.base == base))
    connection.execute(delete(cells).where(cells.c.base == base))
