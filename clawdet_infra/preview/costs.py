"""What things cost a month, from the provider's own price list."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from clawdet_infra.config.access import HETZNER
from clawdet_infra.engine.owners import type_of
from clawdet_infra.resources import PRIMARY_IP, SERVER, VOLUME

_SECONDS = 10


class PricesUnknownError(Exception):
    """The provider did not say what things cost; the text says why, in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Net prices a month, of what is ordered now.

    `servers` are by type and location, `addresses` (IPv4) by location; `volume` is for a GB.
    """

    currency: str
    servers: Mapping[tuple[str, str], Decimal]
    addresses: Mapping[str, Decimal]
    volume: Decimal

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Prices:
        """Read the provider's answer to `GET /pricing`.  Raises PricesUnknownError where it is no such answer."""
        try:
            pricing = answer["pricing"]
            return cls(
                currency=str(pricing["currency"]),
                servers={
                    (kind["name"], place["location"]): _net(place["price_monthly"])
                    for kind in pricing["server_types"]
                    for place in kind["prices"]
                },
                addresses={
                    place["location"]: _net(place["price_monthly"])
                    for kind in pricing["primary_ips"]
                    if kind["type"] == "ipv4"
                    for place in kind["prices"]
                },
                volume=_net(pricing["volume"]["price_per_gb_month"]),
            )
        except (KeyError, TypeError, InvalidOperation):
            raise PricesUnknownError("the provider's price list cannot be read") from None

    def monthly(self, urn: str, state: Mapping[str, Any]) -> Decimal:
        """Return what a resource costs with these inputs.  Raises PricesUnknownError where the list has no price."""
        return sum(self._items(type_of(urn), state), Decimal(0))

    def _items(self, kind: str, state: Mapping[str, Any]) -> Iterator[Decimal]:
        place = str(state.get("location"))
        if kind == SERVER:
            yield self._price(self.servers, (str(state.get("serverType")), place))
            nets = state.get("publicNets")
            if not nets or any(net.get("ipv4Enabled", True) and not net.get("ipv4") for net in nets):
                yield self._price(self.addresses, place)
        elif kind == VOLUME:
            yield self.volume * Decimal(str(state.get("size") or 0))
        elif kind == PRIMARY_IP and state.get("type") == "ipv4":
            yield self._price(self.addresses, place)

    @staticmethod
    def _price(known: Mapping[Any, Decimal], key: Any) -> Decimal:
        if key not in known:
            what = " in ".join(key) if isinstance(key, tuple) else f"an IPv4 address in {key}"
            raise PricesUnknownError(f"the provider's price list has no price for {what}")
        return known[key]


def ask_prices(endpoint: str | None, token: str) -> Prices:
    """Ask the provider what things cost.  Raises PricesUnknownError where it does not say."""
    from hcloud import APIException, Client
    from requests import RequestException

    client = Client(token=token, api_endpoint=endpoint or HETZNER, timeout=_SECONDS)
    try:
        answer = client._client.request(method="GET", url="/pricing")
    except APIException as error:
        raise PricesUnknownError(f"the provider does not tell its prices ({error.code})") from None
    except RequestException:
        raise PricesUnknownError("the provider could not be asked for its prices") from None
    return Prices.read(answer)


def _net(price: Mapping[str, Any]) -> Decimal:
    return Decimal(str(price["net"]))
