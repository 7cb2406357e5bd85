"""Customers excluded from an update that another customer caused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from clawdet_infra.catalog import Desired, DesiredState
from clawdet_infra.engine.state_export import deployment_of, facts_of, present_urn, record_of, resources_of
from clawdet_infra.layout import CustomerLayout
from clawdet_infra.resources import SERVER


def aside(
    cell: str, desired: Sequence[Desired], customers: Iterable[CustomerLayout], exported: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Return the URNs that the engine is not to touch, by customer: those of whom a deployment failed.

    A gateway that does not get healthy takes minutes to say so, and others would wait until it has failed once more.
    Whoever asks for the customer again, which is no `failed` wish any more, is served.

    A customer who lacks more than a deployment, such as a server that was sold out, is made as ever.  What fails there
    does so at once, and the outputs of the stack depend on it.
    """
    layouts = {one.id: one for one in customers}
    records = {record_of(cell, one): one.id for one in layouts.values()}
    placed = facts_of(exported)
    found = {}
    for one in desired:
        if one.wanted != DesiredState.PRESENT or not one.failed or one.id not in placed:
            continue
        layout, resources = layouts.get(one.id), resources_of(exported, one.id)
        if layout is None or (
            layout.server is not None and not any(resource["type"] == SERVER for resource in resources)
        ):
            continue
        there = (
            urn
            for resource in resources
            # A name that this customer had may be another one's by now.
            if resource.get("custom") and records.get(urn := present_urn(str(resource["urn"])), one.id) == one.id
        )
        # What failed the first time is not in the state, and would be made.
        found[one.id] = list(dict.fromkeys((*there, *deployment_of(cell, layout))))
    return found
