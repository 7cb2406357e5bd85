"""Routes for what cannot be changed."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, TypeVar

from localcloud.api.call import Call, Reply, Route
from localcloud.api.catalogue.locations import EVERYWHERE, LOCATION, LOCATIONS, Location
from localcloud.api.catalogue.server_types import SERVER_TYPES, VAT, ServerType, price
from localcloud.api.errors import not_found, removed
from localcloud.api.listing import filtered, listed

T = TypeVar("T", Location, ServerType)


def _list_locations(call: Call) -> Reply:
    found = filtered(call, LOCATIONS, "name")
    return listed(call, "locations", found, Location.view, sort=("id", "name"))


def _list_server_types(call: Call) -> Reply:
    found = filtered(call, SERVER_TYPES, "name")
    return listed(call, "server_types", found, lambda one: one.view(call.cloud.in_stock))


def _no_datacenters(call: Call) -> Reply:
    """Refuse: Hetzner removed data centers on 2026-10-01, of which locations are what is left."""
    del call
    raise removed("2026-06-02-datacenters-deprecated")


def _list_isos(call: Call) -> Reply:
    empty: list[dict[str, Any]] = []
    return listed(call, "isos", empty, dict)


def _no_iso(call: Call) -> Reply:
    raise not_found("iso", call.id())


def _get_location(call: Call) -> Reply:
    return Reply(200, {"location": _by_id(call, "location", LOCATIONS).view()})


def _get_server_type(call: Call) -> Reply:
    return Reply(200, {"server_type": _by_id(call, "server type", SERVER_TYPES).view(call.cloud.in_stock)})


def _by_id(call: Call, what: str, items: Sequence[T]) -> T:
    number = call.id()
    for item in items:
        if item.id == number:
            return item
    raise not_found(what, number)


def _pricing(call: Call) -> Reply:
    """Prices of everything, with those of what the local cloud does not have left empty."""
    del call
    addresses = {"ipv4": Decimal("0.50"), "ipv6": Decimal("0.00")}
    floating = {"ipv4": Decimal("3.00"), "ipv6": Decimal("1.00")}
    return Reply(
        200,
        {
            "pricing": {
                "currency": "EUR",
                "vat_rate": f"{VAT:.10f}",
                "floating_ip": {"price_monthly": price(floating["ipv4"])},
                "floating_ips": [
                    {
                        "type": kind,
                        "prices": [{"location": name, "price_monthly": price(net)} for name in EVERYWHERE],
                    }
                    for kind, net in floating.items()
                ],
                "image": {"price_per_gb_month": price(Decimal("0.0143"))},
                "load_balancer_types": [],
                "primary_ips": [
                    {
                        "type": kind,
                        "prices": [
                            {"location": name, "price_hourly": price(net / 624), "price_monthly": price(net)}
                            for name in LOCATION
                        ],
                    }
                    for kind, net in addresses.items()
                ],
                "server_backup": {"percentage": "20.0000000000"},
                "server_types": [
                    {"id": found.id, "name": found.name, "prices": found.prices()} for found in SERVER_TYPES
                ],
                "volume": {"price_per_gb_month": price(Decimal("0.0572"))},
            }
        },
    )


ROUTES = [
    Route("GET", "/locations", _list_locations),
    Route("GET", "/locations/{id}", _get_location),
    Route("GET", "/datacenters", _no_datacenters),
    Route("GET", "/datacenters/{id}", _no_datacenters),
    Route("GET", "/server_types", _list_server_types),
    Route("GET", "/server_types/{id}", _get_server_type),
    Route("GET", "/isos", _list_isos),
    Route("GET", "/isos/{id}", _no_iso),
    Route("GET", "/pricing", _pricing),
]
