"""What a customer and a cell are called, and what of a record others may not have as well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address

from clawdet_infra.catalog.errors import RefusedError
from clawdet_infra.catalog.records import Record
from clawdet_infra.config.names import slug_of
from clawdet_infra.database.timestamps import bounded

_LONGEST = 253


def cell_name(base: str, number: int) -> str:
    """Return the name of a cell's stack."""
    return f"{base}-cell-{number}"


def cell_number(base: str, stack: str) -> int | None:
    """Return the number of a cell of a base, None for any other stack."""
    match = re.fullmatch(r"-cell-([1-9][0-9]{0,8})", stack.removeprefix(base)) if stack.startswith(base) else None
    return int(match[1]) if match else None


@dataclass(frozen=True, kw_only=True)
class NameClaim:
    """What a record claims for itself alone."""

    id: str
    name: str
    plan: str
    host: str
    existing_ipv4: str | None
    existing_ipv6: str | None
    gateway_token: str | None = field(repr=False)
    telegram_token: str | None = field(repr=False)

    @classmethod
    def of(cls, record: Record) -> NameClaim:
        """Return the claim of a record.  Raises RefusedError where its id or subdomain is no name at all."""
        identity = _name(record.get("id"), "id")
        subdomain, existing = record.get("subdomain"), record.get("existingServer")
        return cls(
            id=identity,
            name=identity if subdomain is None else _name(subdomain, "subdomain"),
            plan=_text(record.get("plan"), 32) or "",
            host=_text(record.get("host"), 255) or "",
            existing_ipv4=_text(existing.get("ipv4"), 64) if isinstance(existing, Mapping) else None,
            existing_ipv6=_ipv6(existing.get("ipv6")) if isinstance(existing, Mapping) else None,
            gateway_token=_text(record.get("gatewayToken")),
            telegram_token=_text(record.get("telegramBotToken")),
        )

    @property
    def slugs(self) -> tuple[str, str]:
        """The id and the subdomain with dots as hyphens; what differs in these only is taken for the same."""
        return slug_of(self.id), slug_of(self.name)

    @property
    def above(self) -> list[str]:
        """The names that the subdomain lies below."""
        parts = self.name.split(".")
        return [".".join(parts[cut:]) for cut in range(1, len(parts))]

    @property
    def apex(self) -> str:
        """The part of the subdomain that is next to the domain."""
        return apex_of(self.name)


def apex_of(name: str) -> str:
    """Return the last part of a name: whatever lies above or below the name shares it."""
    return name.rpartition(".")[2]


def _name(value: object, what: str) -> str:
    # The rules for names are the model's; here it is made sure that any database can look for it.
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or not value.isascii() or not value.isprintable():
        raise RefusedError(f"the customer's {what} has to be a host name: a-z, 0-9, hyphens and dots")
    return value


def _ipv6(value: object) -> str | None:
    """Return an IPv6 address in its shortest spelling, so that two spellings of one address are equal."""
    try:
        return str(IPv6Address(value)) if isinstance(value, str) else None
    except ValueError:
        return None


def _text(value: object, longest: int | None = None) -> str | None:
    if not isinstance(value, str):
        return None
    return value if longest is None else bounded(value, longest)
