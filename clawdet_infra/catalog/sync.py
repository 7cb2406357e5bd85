"""What stacks tell of their customers: the last known state, and the records from which a catalog is made anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from clawdet_infra.catalog.cell_assignment import ensure, see
from clawdet_infra.catalog.conflicts import refuse_conflict
from clawdet_infra.catalog.desired_state import columns_of, new_columns
from clawdet_infra.catalog.encryption import RecordCipher
from clawdet_infra.catalog.errors import ConflictError, rebuild_hint
from clawdet_infra.catalog.names import NameClaim, apex_of
from clawdet_infra.catalog.queries import row_of
from clawdet_infra.catalog.records import DesiredState, Phase, Record
from clawdet_infra.catalog.schema import instances
from clawdet_infra.catalog.update_results import facts_of
from clawdet_infra.config.names import slug_of
from clawdet_infra.database.timestamps import bounded, milliseconds

Facts = Mapping[str, Mapping[str, Any]]


def mirror(
    connection: Connection,
    base: str,
    stack: str,
    version: str,
    facts: Facts,
    now: datetime,
    failed: Facts | None = None,
) -> list[str]:
    """Keep what a stack's outputs say of its customers.  See `Catalog.mirror`."""
    ensure(connection, base, stack)
    clashes: list[str] = []
    if stack == base:
        clashes = _mirror_base(connection, base, facts, failed, now)
    else:
        entries = _rows(connection, stack)
        for identity, known in facts.items():
            values = facts_of(known)
            if identity not in entries:
                clashes.append(_unknown(identity, base, stack))
            elif values:
                this = instances.c.cell == stack, instances.c.id == identity
                connection.execute(update(instances).where(*this).values(values))
    if not clashes:
        see(connection, stack, version)
    return clashes


def _mirror_base(connection: Connection, base: str, facts: Facts, failed: Facts | None, now: datetime) -> list[str]:
    clashes: list[str] = []
    before = _rows(connection, base)
    if failed is None:
        failed = {row.id: _failure(row) for row in before.values() if row.phase == Phase.FAILED}
    # Who never came up is in no output.
    facts = {**failed, **facts}
    # All of them at first, since two customers may have exchanged their subdomains.
    connection.execute(delete(instances).where(instances.c.cell == base))
    for identity, known in sorted(facts.items()):
        name, plan = known.get("subdomain"), bounded(str(known.get("plan") or ""), 32)
        claim = NameClaim.of({"id": identity, "subdomain": name or None})
        row = row_of(connection, base, identity)
        if row is not None:
            clashes.append(_twice(identity, base, row.cell))
            continue
        values = {
            **new_columns(base, identity, base, now),
            **facts_of(known),
            "plan": plan,
            "host": bounded(str(known["host"]), 255) if known.get("host") and known.get("server") else "",
            "id_slug": claim.slugs[0],
            "phase": (Phase.FAILED if identity in failed else Phase.HEALTHY).value,
            "error": bounded(str(failed.get(identity, {}).get("error") or ""), 2000),
            "applied": 1,
        }
        try:
            refuse_conflict(connection, base, claim, named=bool(name))
        except ConflictError as error:
            clashes.append(f"the customer {identity} of the stack {base} is left out: {error}")
            continue
        if name:
            values |= {"subdomain": name, "subdomain_slug": slug_of(name), "apex": apex_of(name)}
        old = before.get(identity)
        if old is not None:
            values |= {"created_at": old.created_at, "changed_at": _changed_at(old, values, now)}
        connection.execute(insert(instances).values(values))
    return clashes


def _failure(row: Row[Any]) -> dict[str, str]:
    return {"error": row.error, "plan": row.plan, "subdomain": row.subdomain or ""}


def _twice(identity: str, base: str, cell: str) -> str:
    return (
        f"the customer {identity} is both in the stack {base} and in {cell}. Deprovision the one, or take the other "
        f"out of Pulumi.{base}.yaml"
    )


def _unknown(identity: str, base: str, cell: str) -> str:
    return f"the customer {identity} runs in {cell}, and the catalog does not know it. {rebuild_hint(base)}"


def restore(
    connection: Connection, base: str, stack: str, records: Mapping[str, Record], seal: RecordCipher, now: datetime
) -> list[str]:
    """Make the entries of a cell anew from what its stack has.  See `Catalog.restore`."""
    ensure(connection, base, stack)
    before = _rows(connection, stack)
    kept = {identity for identity, row in before.items() if _is_newer(row) and seal.opens(row.record or "")}
    connection.execute(delete(instances).where(instances.c.cell == stack, instances.c.id.not_in(kept)))
    clashes: list[str] = []
    for identity, record in sorted(records.items()):
        if identity in kept:
            continue
        claim = NameClaim.of({**record, "id": identity})
        other = row_of(connection, base, identity)
        if other is not None and other.cell == base:
            # The base says again what was mirrored of it; the cell's record is kept nowhere else.
            clashes.append(_twice(identity, base, stack))
            connection.execute(delete(instances).where(instances.c.base == base, instances.c.id == identity))
        elif other is not None:
            clashes.append(f"the customer {identity} is both in the stack {stack} and in {other.cell}")
            continue
        try:
            refuse_conflict(connection, base, claim)
        except ConflictError as error:
            clashes.append(f"the customer {identity} of the stack {stack} is left out: {error}")
            continue
        old = before.get(identity)
        # What was there of facts and times stays; a revision is never given out again for another record.
        columns = dict(old._mapping) if old is not None else new_columns(base, identity, stack, now)
        columns |= columns_of(claim, {**record, "id": identity}, seal)
        if old is not None and old.record and seal.opens(old.record) and seal.open(old.record, identity) == record:
            columns |= {"record": old.record}
        elif old is not None:
            columns |= {"revision": old.revision + 1}
        columns |= {"desired": DesiredState.PRESENT.value, "phase": Phase.HEALTHY.value, "error": "", "error_code": ""}
        columns |= {"applied": columns["revision"]}
        connection.execute(insert(instances).values(columns))
    return clashes


def _is_newer(row: Row[Any]) -> bool:
    """Return whether the catalog wants something that the stack may not have: not applied yet, or without success."""
    return bool(row.revision != row.applied or row.phase != Phase.HEALTHY)


def _rows(connection: Connection, stack: str) -> dict[str, Row[Any]]:
    return {row.id: row for row in connection.execute(select(instances).where(instances.c.cell == stack))}


def _changed_at(old: Row[Any], values: Mapping[str, Any], now: datetime) -> int:
    watched = ("plan", "host", "url", "ipv4", "server", "image", "user")
    same = all(getattr(old, name) == values[name] for name in watched)
    return int(old.changed_at) if same else milliseconds(now)
