"""Wishes: that a customer be there, in some form, or be there no more."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, update

from clawdet_infra.catalog.cell_assignment import assign_cell
from clawdet_infra.catalog.conflicts import refuse_conflict, refuse_other_key, refuse_used_server, related
from clawdet_infra.catalog.encryption import RecordCipher
from clawdet_infra.catalog.errors import BeingRemovedError, ConflictError, RefusedError
from clawdet_infra.catalog.names import NameClaim
from clawdet_infra.catalog.queries import as_instance, only_row, record_of, row_of
from clawdet_infra.catalog.records import DesiredState, Phase, Record, Related, UpsertResult
from clawdet_infra.catalog.schema import instances
from clawdet_infra.config.secrets import bot_of
from clawdet_infra.database.timestamps import milliseconds

Check = Callable[[Related], Record]
"""Is given the records that a new one has to get along with; raises to refuse it, or returns the record to store."""


@dataclass(frozen=True, kw_only=True)
class Wishing:
    """What a wish is made with: the base it concerns, the base's key, how many customers a cell has, and the time."""

    base: str
    seal: RecordCipher
    cell_size: int
    now: datetime


def upsert(connection: Connection, wishing: Wishing, record: Record, check: Check) -> UpsertResult:
    """Store what a customer is to be like, unless `check` refuses it.  See `Catalog.want`."""
    base, seal = wishing.base, wishing.seal
    asked = NameClaim.of(record)
    row = row_of(connection, base, asked.id)
    if row is not None and row.record is None:
        raise ConflictError(f"the id {asked.id} is that of a customer whom Pulumi.{base}.yaml lists", asked.id)
    if row is not None and row.desired == DesiredState.ABSENT:
        raise BeingRemovedError(f"the customer {asked.id} is being removed. Try again when that is done")
    refuse_other_key(connection, base, seal)
    refuse_used_server(connection, base, asked)
    before = record_of(row, seal)
    stored = _plain(check(Related(related(connection, base, asked, seal), before)))
    claim = NameClaim.of(stored)
    if (claim.id, claim.name) != (asked.id, asked.name):
        raise ValueError(f"the check of {asked.id} changed its id or subdomain, which it was not made for")
    refuse_conflict(connection, base, claim)
    if row is None:
        cell = assign_cell(connection, base, wishing.cell_size)
        _insert(connection, claim, stored, wishing, cell)
    elif stored != before or row.phase == Phase.FAILED:
        values = {**columns_of(claim, stored, seal), "revision": row.revision + 1, "phase": Phase.WAITING.value}
        _change(connection, row, values, wishing.now)
    after = row_of(connection, base, claim.id)
    assert after is not None
    # What was asked for already, and is not there yet, needs no update but the one that it waits for.
    changed = row is None or after.revision != row.revision or row.phase != Phase.HEALTHY
    return UpsertResult(
        instance=as_instance(after), revision=after.revision, created=row is None, changed=changed, before=before
    )


def mark_absent(connection: Connection, identity: str, base: str | None, now: datetime) -> UpsertResult | None:
    """Store that a customer is to be there no more.  See `Catalog.withdraw`."""
    row = only_row(connection, identity, base)
    if row is None:
        return None
    if row.record is None:
        raise RefusedError(
            f"the customer {identity} did not sign up, but is listed in Pulumi.{row.base}.yaml. "
            f"Take it out of that list, and run: pulumi up -s {row.base}"
        )
    if row.desired != DesiredState.ABSENT or row.phase == Phase.FAILED:
        values = {"desired": DesiredState.ABSENT.value, "phase": Phase.WAITING.value, "revision": row.revision + 1}
        _change(connection, row, values, now)
    after = row_of(connection, row.base, identity)
    assert after is not None
    return UpsertResult(instance=as_instance(after), revision=after.revision, created=False, changed=True)


def columns_of(claim: NameClaim, record: Record, seal: RecordCipher) -> dict[str, Any]:
    """Return the columns that a record decides."""
    id_slug, subdomain_slug = claim.slugs
    return {
        "subdomain": claim.name,
        "id_slug": id_slug,
        "subdomain_slug": subdomain_slug,
        "apex": claim.apex,
        "plan": claim.plan,
        "host": claim.host,
        "record": seal.seal(record),
        "gateway_digest": seal.digest(claim.gateway_token) if claim.gateway_token else None,
        "existing_ipv4": claim.existing_ipv4,
        "existing_ipv6": claim.existing_ipv6,
        "telegram_digest": seal.digest(bot_of(claim.telegram_token)) if claim.telegram_token else None,
    }


def new_columns(base: str, identity: str, cell: str, now: datetime) -> dict[str, Any]:
    """Return the columns of an entry of which nothing is known but where it is."""
    at = milliseconds(now)
    unknown = dict.fromkeys(("host", "url", "ipv4", "server", "image", "user", "error"), "")
    return {
        **unknown,
        "base": base,
        "id": identity,
        "cell": cell,
        "desired": DesiredState.PRESENT.value,
        "phase": Phase.WAITING.value,
        "revision": 1,
        "applied": 0,
        "created_at": at,
        "changed_at": at,
        "stages": "[]",
    }


def _insert(connection: Connection, claim: NameClaim, record: Record, wishing: Wishing, cell: str) -> None:
    new = new_columns(wishing.base, claim.id, cell, wishing.now)
    connection.execute(insert(instances).values({**new, **columns_of(claim, record, wishing.seal)}))


def _change(connection: Connection, row: Row[Any], values: dict[str, Any], now: datetime) -> None:
    this = instances.c.base == row.base, instances.c.id == row.id
    connection.execute(update(instances).where(*this).values({**values, "changed_at": milliseconds(now)}))


def _plain(record: Record) -> dict[str, Any]:
    """Return a record as it will come back from the database, to be compared with what came back."""
    plain: dict[str, Any] = json.loads(json.dumps(dict(record)))
    return plain
