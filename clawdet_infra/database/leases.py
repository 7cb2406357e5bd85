"""Who may do something that only one process may do, such as checking the fleet or updating a stack.

A lease runs out by a clock that cannot be set wherever holder and asker are of the same boot of the same machine;
otherwise by the database server's clock, or, with SQLite, whose processes share a machine, by the time of day.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Connection, MetaData, Row, String, Table, delete, select, text, update

from clawdet_infra.database.engine import upsert
from clawdet_infra.database.errors import LeaseLostError
from clawdet_infra.database.timestamps import bounded, milliseconds, moment
from clawdet_infra.process_identity import Clock, describe, lives


@dataclass(frozen=True, kw_only=True)
class Lease:
    """A lease that is held; `token` tells it from any other of the same name.

    It runs out at `until` by the database's clock.  `ends` is a bound for the holder, in the milliseconds of
    `Clock.boottime`: counted from before the database was asked, it never lies after that moment.
    """

    name: str
    owner: str
    token: str
    until: datetime
    ends: int

    def seconds_left(self, clock: Clock | None = None) -> float:
        """Return how long the lease is held for sure, without asking the database; less than 0 where it is over."""
        return (self.ends - (clock or Clock()).boottime()) / 1000


@dataclass(frozen=True, kw_only=True)
class LeaseHeld:
    """Another holds the lease, until `until` if it does not renew it."""

    name: str
    owner: str
    until: datetime

    def __str__(self) -> str:
        return f"{self.name} is held by {describe(self.owner)}, at least until {self.until:%F %T} UTC"


def lease_table(name: str, metadata: MetaData) -> Table:
    """Return a table for leases, as part of a schema."""
    return Table(
        name,
        metadata,
        Column("name", String(255), primary_key=True),
        Column("owner", String(512), nullable=False),
        Column("token", String(32), nullable=False),
        Column("boot", String(64), nullable=False),
        Column("expires_at_boottime", BigInteger, nullable=False),
        Column("expires_at", BigInteger, nullable=False),
    )


@dataclass(frozen=True)
class Leases:
    """The leases of a table that `lease_table` made; `lost` is raised where one is another's by now."""

    table: Table
    lost: type[LeaseLostError]

    def acquire(self, connection: Connection, name: str, owner: str, seconds: float, clock: Clock) -> Lease | LeaseHeld:
        """Take a lease, unless a process that lives, or may live, holds it and it has not run out."""
        ends = _ends(seconds, clock)
        now = _now(connection, clock)
        row = connection.execute(select(self.table).where(self.table.c.name == name)).first()
        if row is not None and not _free(row, now, clock):
            same_boot = row.boot == clock.boot()
            left = row.expires_at_boottime - clock.boottime() if same_boot else row.expires_at - now
            return LeaseHeld(name=name, owner=row.owner, until=moment(now + left))
        token, expiry = secrets.token_hex(16), _expiry(now, seconds, clock)
        values = {"name": name, "owner": bounded(owner, 512), "token": token, "boot": clock.boot(), **expiry}
        upsert(connection, self.table, [values])
        return Lease(name=name, owner=owner, token=token, until=moment(expiry["expires_at"]), ends=ends)

    def renew(self, connection: Connection, lease: Lease, seconds: float, clock: Clock) -> Lease:
        """Hold a lease for so many seconds from now.  Raises `lost` where another has taken it."""
        ends = _ends(seconds, clock)
        expiry = _expiry(_now(connection, clock), seconds, clock)
        self.confirm(connection, lease)
        connection.execute(update(self.table).where(self.table.c.name == lease.name).values(expiry))
        return replace(lease, until=moment(expiry["expires_at"]), ends=ends)

    def confirm(self, connection: Connection, lease: Lease) -> None:
        """Raise `lost` where another has taken a lease: what is written in this transaction is then not written.

        One that has run out is still held as long as nobody else has taken it.
        """
        row = connection.execute(select(self.table).where(self.table.c.name == lease.name)).first()
        if row is None or row.token != lease.token:
            holder = f"{describe(row.owner)} holds it now" if row else "it was released"
            raise self.lost(f"the lease {lease.name} was lost: {holder}")

    def release(self, connection: Connection, lease: Lease) -> None:
        """Give a lease back; does nothing where another has taken it."""
        connection.execute(delete(self.table).where(self.table.c.name == lease.name, self.table.c.token == lease.token))


def _free(row: Row[Any], now: int, clock: Clock) -> bool:
    if lives(row.owner, clock) is False:
        return True
    if row.boot and row.boot == clock.boot():
        return bool(clock.boottime() >= row.expires_at_boottime)
    return bool(now >= row.expires_at)


def _expiry(now: int, seconds: float, clock: Clock) -> dict[str, int]:
    return {
        "expires_at": now + round(seconds * 1000),
        "expires_at_boottime": clock.boottime() + round(seconds * 1000),
    }


def _ends(seconds: float, clock: Clock) -> int:
    return clock.boottime() + round(seconds * 1000)


def _now(connection: Connection, clock: Clock) -> int:
    if connection.dialect.name == "postgresql":
        return int(connection.execute(text("SELECT extract(epoch FROM clock_timestamp()) * 1000")).scalar_one())
    return milliseconds(clock.now())
