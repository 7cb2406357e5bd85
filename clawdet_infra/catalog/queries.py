"""Rows as the rest of the program knows them."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, func, select

from clawdet_infra.catalog.encryption import RecordCipher
from clawdet_infra.catalog.errors import CatalogError
from clawdet_infra.catalog.records import Cell, DeploymentFingerprint, Desired, DesiredState, InstanceRow, Phase, Record
from clawdet_infra.catalog.schema import cells, instances
from clawdet_infra.database.timestamps import maybe_moment, moment


def row_of(connection: Connection, base: str, identity: str) -> Row[Any] | None:
    """Return the row of a customer of a base."""
    return connection.execute(select(instances).where(instances.c.base == base, instances.c.id == identity)).first()


def only_row(connection: Connection, identity: str, base: str | None) -> Row[Any] | None:
    """Return the row of a customer.  Raises CatalogError where several bases have one of this id."""
    wanted = select(instances).where(instances.c.id == identity).order_by(instances.c.base)
    if base is not None:
        wanted = wanted.where(instances.c.base == base)
    found = connection.execute(wanted).all()
    if len(found) > 1:
        bases = " and ".join(row.base for row in found)
        raise CatalogError(f"there is a customer {identity} in {bases}. Say which one: name the stack")
    return found[0] if found else None


def instances_of(connection: Connection, base: str | None) -> list[InstanceRow]:
    """Return the customers of a base or of all, by base and id."""
    wanted = select(instances).order_by(instances.c.base, instances.c.id)
    if base is not None:
        wanted = wanted.where(instances.c.base == base)
    return [as_instance(row) for row in connection.execute(wanted)]


def desired(connection: Connection, cell: str, seal: RecordCipher) -> list[Desired]:
    """Return what a cell is to have, by id."""
    wanted = select(instances).where(instances.c.cell == cell, instances.c.record.is_not(None))
    return [
        Desired(
            id=row.id,
            wanted=DesiredState(row.desired),
            revision=row.revision,
            applied=row.applied,
            has_data=row.applied > 0 and not (row.phase == Phase.FAILED and row.deployed_at is None),
            failed=row.phase == Phase.FAILED and row.applied == row.revision,
            record=seal.open(row.record, row.id),
        )
        for row in connection.execute(wanted.order_by(instances.c.id))
    ]


def record_of(row: Row[Any] | None, seal: RecordCipher) -> Record | None:
    """Return the record that a row has."""
    return None if row is None or row.record is None else seal.open(row.record, row.id)


def cells_of(connection: Connection, base: str | None) -> list[Cell]:
    """Return the stacks of a base or of all, each base before its cells."""
    counts = select(instances.c.cell, func.count().label("customers")).group_by(instances.c.cell).subquery()
    wanted = select(cells, counts.c.customers).outerjoin(counts, counts.c.cell == cells.c.stack)
    if base is not None:
        wanted = wanted.where(cells.c.base == base)
    found = connection.execute(wanted).all()
    return [
        Cell(
            stack=row.stack,
            base=row.base,
            number=row.number,
            customers=row.customers or 0,
            fingerprint=row.fingerprint,
            version=row.version,
            updated_at=maybe_moment(row.updated_at),
            outcome=row.outcome,
            error=row.error,
            synced_version=row.synced_version,
        )
        for row in sorted(found, key=lambda row: (row.base, row.number or 0))
    ]


def mark_of(connection: Connection, stack: str) -> DeploymentFingerprint | None:
    """Return a stack's mark."""
    row = connection.execute(select(cells).where(cells.c.stack == stack)).first()
    if row is None or row.updated_at is None:
        return None
    return DeploymentFingerprint(
        fingerprint=row.fingerprint,
        version=row.version,
        outcome=row.outcome,
        error=row.error,
        at=moment(row.updated_at),
    )


def loss_checked(connection: Connection, stack: str) -> str:
    """Return the digest of settings by which nobody in a cell loses data, "" where there is none."""
    return connection.execute(select(cells.c.loss_checked).where(cells.c.stack == stack)).scalar() or ""


def as_instance(row: Row[Any]) -> InstanceRow:
    """Return a row without what is secret in it."""
    return InstanceRow(
        id=row.id,
        base=row.base,
        cell=row.cell,
        subdomain=row.subdomain or "",
        plan=row.plan,
        host=row.host,
        desired=DesiredState(row.desired),
        phase=Phase(row.phase),
        revision=row.revision,
        applied=row.applied,
        url=row.url,
        ipv4=row.ipv4,
        server=row.server,
        image=row.image,
        user=row.user,
        error=row.error,
        error_code=row.error_code,
        created_at=moment(row.created_at),
        changed_at=moment(row.changed_at),
        deployed_at=maybe_moment(row.deployed_at),
        deploy_seconds=row.deploy_seconds,
        stages=json.loads(row.stages),
    )
