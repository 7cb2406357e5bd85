"""Keeps a cell's update from costing customers their data by settings that were not made for them.

Whoever signs up brings the whole cell to the base's present settings.  What a caller asks of one customer is checked
before it is stored; what those settings do to the others is asked of the engine, once for each state of the settings.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Sequence

from clawdet_infra.automation.base import Base
from clawdet_infra.automation.errors import DataLossError, SetupError
from clawdet_infra.catalog import Catalog, Desired, DesiredState
from clawdet_infra.preview.conflicts import refusals
from clawdet_infra.preview.data_loss import guard
from clawdet_infra.preview.engine_plan import Previewed, ask


def settings_of(base: Base, made_from: str | None) -> str | None:
    """Return a digest of all that a cell gets from its base; None where it cannot be known.

    `made_from` is the digest of the base's program, file and images.
    """
    if made_from is None:
        return None
    shared = json.dumps(base.outputs["base"], sort_keys=True)
    return hashlib.sha256(f"{made_from} {shared}".encode()).hexdigest()


def refuse_losses(
    registry: Catalog,
    stack: Previewed,
    cell: str,
    base: Base,
    desired: Sequence[Desired],
    settings: str | None,
    allowed: Collection[str],
) -> None:
    """Raise DataLossError if an update of a cell would delete data of a customer who is not in `allowed`.

    Customers who are being removed, or never came up, may lose theirs.  Unchanged settings are not checked again.
    Raises SetupError if the provider would refuse the update, and CatalogError.
    """
    if settings is not None and registry.loss_checked(cell) == settings:
        return
    free = {one.id for one in desired if one.wanted == DesiredState.ABSENT or not one.has_data}
    if len(free) < len(desired):
        # Where the engine cannot say, the update itself says why.
        steps = ask(stack).steps
        if refused := refusals(steps):
            raise SetupError(
                f"with the present settings of {base.name}, {refused[0].message} The cell was not updated. Take the "
                f"settings back, or give the customer a type of its own."
            )
        findings = guard(steps, named={*free, *allowed})
        if findings:
            more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
            raise DataLossError(
                f"with the present settings of {base.name}, {findings[0].message.rstrip('.')}{more}. The cell "
                f"was not updated. Look with `clawdet preview -s {cell}`; if it is meant, `clawdet up -s {cell}` with "
                "`--allow-loss` does it, else take the settings back."
            )
    if settings is not None:
        registry.set_loss_checked(cell, base.name, settings)
