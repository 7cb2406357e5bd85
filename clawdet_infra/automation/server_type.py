"""Whether a customer's server can get the type that another plan needs."""

from __future__ import annotations

import asyncio

from clawdet_infra.automation.base import Base
from clawdet_infra.automation.errors import ImmutableError, SetupError
from clawdet_infra.catalog import Record
from clawdet_infra.config import ConfigurationError, misfit_of_type
from clawdet_infra.hosts.hetzner import Provider, ProviderError
from clawdet_infra.layout import CustomerLayout, plan_layout


def refuse_type(base: Base, before: Record | None, record: Record) -> None:
    """Raise ImmutableError where Hetzner would refuse the type that a customer's server is to become.

    Its disk is asked of the provider, and only where the type changes: a server that was a smaller one first has that
    one's disk still.  Raises SetupError where the provider cannot be asked.
    """
    old, new = _layout(base, before), _layout(base, record)
    if old is None or new is None or old.server is None or new.server is None or old.server.type == new.server.type:
        return
    try:
        disk = asyncio.run(Provider(base.fleet.cloud).disk_of(new.server_name))
    except ProviderError as error:
        raise SetupError(f"customer {new.id}: {error}.", new.id) from None
    why = None if disk is None else misfit_of_type(old.server.type, new.server.type, disk)
    if why is not None:
        raise ImmutableError(
            f"customer {new.id}: the server cannot become a {new.server.type}: {why} Deprovision the customer, and "
            "provision it anew.",
            new.id,
        )


def _layout(base: Base, record: Record | None) -> CustomerLayout | None:
    """Return what a record comes to by itself; None where it does not fit, which the check of the whole says."""
    if record is None:
        return None
    try:
        return plan_layout(base.fleet_with([record], listed=False)).customers[0]
    except ConfigurationError:
        return None
