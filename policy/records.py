"""Policies of DNS records: TTL and unique names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from clawdet_infra.resources import RECORD_SET, ZONE
from policy.resources import Resource, of_each, of_stack

LEAST_TTL_SECONDS = 60
MOST_TTL_SECONDS = 3600
"""A recreated server has another address; its customer would be unreachable for this long."""


def ttl_out_of_bounds(record: Resource) -> Iterator[str]:
    """The TTL of records, and of the zone as their default, is from a minute to an hour."""
    ttl = record.properties.get("ttl")
    if ttl is not None and not LEAST_TTL_SECONDS <= ttl <= MOST_TTL_SECONDS:
        yield (
            f"{record.place}: its TTL of {ttl:g} s is not from {LEAST_TTL_SECONDS} to {MOST_TTL_SECONDS} s; a customer "
            "whose server moves would be unreachable for as long. Set RECORD_TTL_SECONDS in clawdet_infra."
        )


def names_used_twice(resources: Sequence[Resource]) -> Iterator[tuple[Resource, str]]:
    """A name has one owner, and one record set of each type."""
    by_name: dict[tuple[str, str], list[Resource]] = defaultdict(list)
    for one in resources:
        if one.kind == RECORD_SET and (key := _name(one)):
            by_name[key].append(one)
    for (name, zone), records in by_name.items():
        owners = list(dict.fromkeys(one.owner or f"resource {one.name}" for one in records))
        kinds = [str(one.properties.get("type")) for one in records]
        if len(owners) > 1:
            yield (
                records[-1],
                f"{name}.{zone} is used by {' and by '.join(owners)}; one would get the other's requests. "
                "Give one of them another `subdomain`.",
            )
        elif len(set(kinds)) < len(kinds) or ("CNAME" in kinds and len(kinds) > 1):
            yield (
                records[-1],
                f"{records[-1].place}: {name}.{zone} has the record sets {', '.join(sorted(kinds))}, which exclude "
                "each other. Remove one of them from the program.",
            )


def _name(record: Resource) -> tuple[str, str] | None:
    name, zone = record.properties.get("name"), record.properties.get("zone")
    return (name.lower().rstrip("."), str(zone).lower().rstrip(".")) if isinstance(name, str) and zone else None


TTL = of_each("record-ttl", "DNS records live for a minute to an hour.", (RECORD_SET, ZONE), ttl_out_of_bounds)
UNIQUE = of_stack("subdomains-unique", "A name in the zone belongs to one customer.", names_used_twice)
