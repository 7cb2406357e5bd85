"""What is lost with a customer who leaves the list, said before anybody has asked the engine."""

from __future__ import annotations

from dataclasses import dataclass

from clawdet_infra.layout import CustomerLayout


@dataclass(frozen=True)
class Removal:
    """What the update after the removal of a customer deletes.

    `lost` has what cannot be made again, a phrase each.  `protected` says that the update is refused as long as the
    customer is protected; `named` that it is refused until `--allow-loss` names the customer.
    """

    lost: tuple[str, ...]
    protected: bool
    named: bool


def removal_of(layout: CustomerLayout) -> Removal:
    """Return what the removal of a customer means, if the customer was deployed as it is laid out."""
    rented = layout.server
    existing = layout.customer.existing_server
    if rented is not None:
        data = f"the server {layout.server_name} ({rented.type} in {rented.location}), with all data on it"
    elif existing is not None and layout.plan.dedicated:
        data = f"all data of the customer on {existing.ipv4}; the server itself stays"
    else:
        data = f"all data of the customer on the shared host {layout.host_id}"
    return Removal(
        lost=(data, f"the address {layout.url}", "the gateway token and the password"),
        protected=rented is not None and layout.protect,
        named=rented is not None,
    )
