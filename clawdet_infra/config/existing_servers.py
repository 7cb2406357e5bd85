"""Rules for `existingServer`: plan, address, and one customer per server."""

from __future__ import annotations

from collections.abc import Iterator

from clawdet_infra.config.addresses import PRIVATE, AnyAddress, special_meaning
from clawdet_infra.config.claims import Claims, Entry
from clawdet_infra.config.customer import Customer
from clawdet_infra.config.plan import PLANS
from clawdet_infra.config.problems import Problem, remove


def unusable_servers(claims: Claims) -> Iterator[Problem]:
    """Yield problems of existing servers: the wrong plan or address, or a server of another customer."""
    firsts: dict[AnyAddress, Entry[Customer]] = {}
    for entry in claims.customers:
        found = entry.value.existing_server
        if found is None or not entry.sound("existingServer"):
            continue
        if entry.sound("plan") and not PLANS[entry.value.plan].dedicated:
            message = f"cannot be given: customers of the plan {entry.value.plan} share hosts."
            yield entry.problem("existingServer", message, "Remove it, or choose a paying plan.", remove(""))
        if entry.sound("server") and entry.value.server is not None:
            message = "and `server` exclude each other: a server either exists, or is rented."
            yield entry.problem("existingServer", message, "Remove one of them.")
        for field, address in (("ipv4", found.ipv4), ("ipv6", found.ipv6)):
            if address is None:
                continue
            meaning = special_meaning(address)
            if meaning and not (meaning == PRIVATE and claims.local_cloud):
                yield entry.problem(
                    f"existingServer.{field}",
                    f"{address} is {meaning}, not an address of the public internet.",
                    "Write the server's public address.",
                )
            first = firsts.setdefault(address, entry)
            if first is not entry:
                yield entry.problem(
                    f"existingServer.{field}",
                    f"{address} is already the server of customer {first.named()}.",
                    "Each paying customer has a server of its own.",
                    rival=first,
                )
