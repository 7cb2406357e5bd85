"""Costs from the provider's price list."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from clawdet_infra.preview.costs import Prices, PricesUnknownError

SERVER = "urn:pulumi:prod::clawdet::hcloud:index/server:Server::ada-server"
VOLUME = "urn:pulumi:prod::clawdet::hcloud:index/volume:Volume::ada-data"
RECORD = "urn:pulumi:prod::clawdet::hcloud:index/zoneRrset:ZoneRrset::ada-dns-a"


def price(net: str) -> dict[str, str]:
    return {"net": net, "gross": "99"}


def answer(**changed: Any) -> dict[str, Any]:
    places = [{"location": "fsn1", "price_monthly": price("5.4900000000")}]
    return {
        "pricing": {
            "currency": "EUR",
            "server_types": [{"name": "cx23", "prices": places}],
            "primary_ips": [
                {"type": "ipv4", "prices": [{"location": "fsn1", "price_monthly": price("0.50")}]},
                {"type": "ipv6", "prices": [{"location": "fsn1", "price_monthly": price("0")}]},
            ],
            "volume": {"price_per_gb_month": price("0.0572")},
            **changed,
        }
    }


def test_a_server_costs_its_type_and_its_address() -> None:
    prices = Prices.read(answer())
    state = {"serverType": "cx23", "location": "fsn1"}
    both = [{"ipv4Enabled": True, "ipv6Enabled": True}]
    assert prices.monthly(SERVER, {**state, "publicNets": both}) == Decimal("5.99")
    assert prices.monthly(SERVER, state) == Decimal("5.99"), "an address is the default"
    assert prices.monthly(SERVER, {**state, "publicNets": [{"ipv4Enabled": False}]}) == Decimal("5.49")


def test_volumes_cost_by_their_size_and_records_nothing() -> None:
    prices = Prices.read(answer())
    assert prices.monthly(VOLUME, {"size": 10, "location": "fsn1"}) == Decimal("0.572")
    assert prices.monthly(RECORD, {"name": "ada"}) == 0


def test_what_has_no_price_is_not_taken_for_free() -> None:
    with pytest.raises(PricesUnknownError, match="no price for cx99 in fsn1"):
        Prices.read(answer()).monthly(SERVER, {"serverType": "cx99", "location": "fsn1"})
    with pytest.raises(PricesUnknownError, match="an IPv4 address in fsn1"):
        Prices.read(answer(primary_ips=[])).monthly(SERVER, {"serverType": "cx23", "location": "fsn1"})


@pytest.mark.parametrize(
    "broken", [{}, {"pricing": {}}, answer(volume=None), answer(volume={"price_per_gb_month": price("x")})]
)
def test_a_price_list_that_cannot_be_read_is_said_so(broken: dict[str, Any]) -> None:
    with pytest.raises(PricesUnknownError, match="cannot be read"):
        Prices.read(broken)
