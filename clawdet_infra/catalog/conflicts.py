"""Which entries a new one has to get along with: found by indexes, so that few of many records are decrypted."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, union

from clawdet_infra.catalog.encryption import RecordCipher
from clawdet_infra.catalog.errors import CatalogError, ConflictError
from clawdet_infra.catalog.names import NameClaim
from clawdet_infra.catalog.records import Record
from clawdet_infra.catalog.schema import ON_A_HOST, instances
from clawdet_infra.config.secrets import bot_of

_ROW = instances.c
# The plan whose customers share hosts.
_SHARING = "free"


def related(connection: Connection, base: str, claim: NameClaim, seal: RecordCipher) -> list[Record]:
    """Return the records of the other customers of a base that have to do with a claim, by id.

    These are customers with the same id or subdomain, or one that differs in dots and hyphens only; with a subdomain
    above or below it; with the same gateway token or Telegram bot; on the same server of before; and, for a customer
    who shares a host, all who do.
    """
    ways: list[ColumnElement[bool]] = [
        _ROW.id_slug.in_(claim.slugs),
        _ROW.subdomain_slug.in_(claim.slugs),
        (_ROW.apex == claim.apex)
        & (_ROW.subdomain.in_(claim.above) | _ROW.subdomain.endswith(f".{claim.name}", autoescape=True)),
    ]
    if claim.gateway_token:
        ways.append(_ROW.gateway_digest == seal.digest(claim.gateway_token))
    if claim.telegram_token:
        # Rows of before this rule have the digest of the whole token.
        known = (seal.digest(bot_of(claim.telegram_token)), seal.digest(claim.telegram_token))
        ways.append(_ROW.telegram_digest.in_(known))
    if claim.existing_ipv4:
        ways.append(_ROW.existing_ipv4 == claim.existing_ipv4)
    if claim.existing_ipv6:
        ways.append(_ROW.existing_ipv6 == claim.existing_ipv6)
    if claim.plan == _SHARING:
        ways.append(ON_A_HOST)
    # Each way has an index; a union makes sure that it is used.
    ids = union(*(select(_ROW.id).where(_ROW.base == base, _ROW.record.is_not(None), way) for way in ways))
    wanted = select(_ROW.id, _ROW.record).where(_ROW.base == base, _ROW.id.in_(ids), _ROW.id != claim.id)
    return [seal.open(row.record, row.id) for row in connection.execute(wanted.order_by(_ROW.id))]


def refuse_conflict(connection: Connection, base: str, claim: NameClaim, *, named: bool = True) -> None:
    """Raise ConflictError where another customer of the base has the id or the subdomain, or one that looks like it.

    Where the customer's subdomain is not known, it is not `named`.
    """
    identity, name = claim.slugs
    others = _ROW.base == base, _ROW.id != claim.id
    row = _first(connection, *others, _ROW.id_slug == identity)
    if row is not None:
        raise ConflictError(
            f"the id {claim.id} collides with that of customer {row.id}: they differ in dots and hyphens only, which "
            "are the same in the names of servers. Choose another id",
            row.id,
        )
    row = _first(connection, *others, _ROW.subdomain_slug == name) if named else None
    if row is not None and row.subdomain == claim.name:
        raise ConflictError(
            f"the subdomain {claim.name} is that of customer {row.id} already. Choose another one", row.id
        )
    if row is not None:
        raise ConflictError(
            f"the subdomain {claim.name} collides with {row.subdomain} of customer {row.id}: they differ in dots and "
            "hyphens only. Choose another one",
            row.id,
        )


def refuse_used_server(connection: Connection, base: str, claim: NameClaim) -> None:
    """Raise ConflictError where a customer brings a server that another customer of any base is on."""
    if claim.existing_ipv4 is None:
        return
    mine = (_ROW.base == base) & (_ROW.id == claim.id)
    row = _first(connection, _ROW.ipv4 == claim.existing_ipv4, ~mine)
    if row is not None:
        raise ConflictError(
            f"the server {claim.existing_ipv4} is one of this fleet: customer {row.id} of {row.base} is on it. "
            "Name a server of the customer's own",
            row.id,
        )


def refuse_other_key(connection: Connection, base: str, seal: RecordCipher) -> None:
    """Raise CatalogError where the records of a base were encrypted with another key: none is added with this one."""
    row = _first(connection, _ROW.base == base, _ROW.record.is_not(None))
    if row is not None and not seal.opens(row.record):
        raise CatalogError(
            f"the catalog's records of {base} were encrypted with another key than that of this base stack. "
            "Use the catalog that belongs to this backend, or rebuild it: clawdet list --rebuild"
        )


def _first(connection: Connection, *where: ColumnElement[bool]) -> Row[Any] | None:
    return connection.execute(select(instances).where(*where).limit(1)).first()
