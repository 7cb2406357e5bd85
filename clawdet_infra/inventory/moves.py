"""Customers whom a configuration gives another server than the one where their data is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from clawdet_infra.config import Fleet, Problem
from clawdet_infra.inventory.listing import Entry
from clawdet_infra.layout import plan_layout


def moves(fleet: Fleet, stack: str, entries: Iterable[Entry]) -> Iterator[Problem]:
    """Yield a warning for each free customer of a stack that the fleet gives another server than `entries` say.

    Entries are as they were read last, so this is a warning; `clawdet preview` and `clawdet up` refuse the change.
    """
    was = {one.id: one for one in entries if one.stack == stack and one.plan == "free"}
    for customer in plan_layout(fleet).customers:
        before = was.get(customer.id)
        if before is not None and before.server != customer.server_name:
            yield Problem(
                customer=customer.id,
                field="plan" if customer.plan.dedicated else "host",
                message=f"gives the customer another server than {before.server}, where all its data is. Data is not "
                "moved: it would be deleted there.",
                hint=f"If that is meant, name it: `clawdet up -s {stack} --allow-loss {customer.id}`.",
                warning=True,
            )
