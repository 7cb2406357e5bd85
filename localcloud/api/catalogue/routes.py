"""Routes for what cannot be changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from localcloud.api.call import Call, Reply, Route
from localcloud.api.catalogue.locations import (
    DATACENTER_IDS,
    DATACENTER_NAMES,
    EVERYWHERE,
    LOCATION,
    LOCATIONS,
    Location,
)
from localcloud.api.catalogue.server_types import SERVER_TYPES, VAT, price
from localcloud.api.errors import not_found
from localcloud.api.listing import filtered, listed


def _list_locations(call: Call) -> Reply:
    found = filtered(call, LOCATIONS, "name")
    return listed(call, "locations", found, Location.view, sort=("id", "name"))


def _list_server_types(call: Call) -> Reply:
    return listed(call, "server_types", filtered(call, SERVER_TYPES, "name"), lambda found: found.view())


def _datacenter(location: Location) -> dict[str, Any]:
    offered = [server_type.id for server_type in SERVER_TYPES if location.name in server_type.locations]
    return {
        "id": DATACENTER_IDS[location.name],
        "name": DATACENTER_NAMES[location.name],
        "description": f"{location.description} virtual DC",
        "location": location.view(),
        "server_types": {"supported": offered, "available": offered, "available_for_migration": offered},
    }


def _list_datacenters(call: Call) -> Reply:
    wanted = call.query.get("name")
    found = [location for location in LOCATIONS if wanted in (None, DATACENTER_NAMES[location.name])]
    extra = {"recommendation": DATACENTER_IDS["fsn1"]}
    return listed(call, "datacenters", found, _datacenter, sort=("id", "name"), extra=extra)


def _get_datacenter(call: Call) -> Reply:
    number = call.id()
    for location in LOCATIONS:
        if DATACENTER_IDS[location.name] == number:
            return Reply(200, {"datacenter": _datacenter(location)})
    raise not_found("datacenter", number)


def _list_isos(call: Call) -> Reply:
    empty: list[dict[str, Any]] = []
    return listed(call, "isos", empty, dict)


def _no_iso(call: Call) -> Reply:
    raise not_found("iso", call.id())


def _get(key: str, items: Iterable[Any]) -> Callable[[Call], Reply]:
    by_id = {item.id: item for item in items}

    def get(call: Call) -> Reply:
        number = call.id()
        if number not in by_id:
            raise not_found(key.replace("_", " "), number)
        return Reply(200, {key: by_id[number].view()})

    return get


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
                "image": {"price_per_gb_month": price(Decimal("0.011"))},
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
                "volume": {"price_per_gb_month": price(Decimal("0.044"))},
            }
        },
    )


ROUTES = [
    Route("GET", "/locations", _list_locations),
    Route("GET", "/locations/{id}", _get("location", LOCATIONS)),
    Route("GET", "/datacenters", _list_datacenters),
    Route("GET", "/datacenters/{id}", _get_datacenter),
    Route("GET", "/server_types", _list_server_types),
    Route("GET", "/server_types/{id}", _get("server_type", SERVER_TYPES)),
    Route("GET", "/isos", _list_isos),
    Route("GET", "/isos/{id}", _no_iso),
    Route("GET", "/pricing", _pricing),
]
