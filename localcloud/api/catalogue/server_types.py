"""Server types.

Ids, sizes and locations are Hetzner's.  Prices are those of new orders since 2026-06-15.  Hetzner has other ones in
Singapore and the USA, where the European price is shown here; types that only the USA has are shown with their price in
euros.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from localcloud.api.catalogue.locations import AMERICA, EUROPE, EVERYWHERE, LOCATION

GB = 1000**3
GIB = 1024**3
VAT = Decimal("19.00")
_HOURS = 624
"""An hour costs this part of a month, whose price is the most that is billed."""


@dataclass(frozen=True)
class ServerType:
    """A size of server: `memory` in GiB, `disk` in GB, `price` in euros a month without VAT."""

    id: int
    name: str
    description: str
    cores: int
    memory: int
    disk: int
    price: Decimal
    cpu_type: Literal["shared", "dedicated"]
    category: str
    architecture: Literal["x86", "arm"]
    locations: tuple[str, ...]

    def view(self, available: Callable[[ServerType, str], bool]) -> dict[str, Any]:
        """The server type in JSON; `available` says whether it can be had in a location now."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "category": self.category,
            "cores": self.cores,
            "memory": self.memory,
            "disk": self.disk,
            "prices": self.prices(),
            "storage_type": "local",
            "cpu_type": self.cpu_type,
            "architecture": self.architecture,
            "deprecated": False,
            "deprecation": None,
            "locations": [
                {
                    "id": LOCATION[name].id,
                    "name": name,
                    "deprecation": None,
                    "available": available(self, name),
                    "recommended": available(self, name),
                }
                for name in self.locations
            ],
        }

    def prices(self) -> list[dict[str, Any]]:
        """What it costs in each of its locations."""
        return [
            {
                "location": name,
                "price_hourly": price((self.price / _HOURS).quantize(Decimal("0.0001"))),
                "price_monthly": price(self.price),
                "included_traffic": (20 if name in EUROPE else 1) * 1024**4,
                "price_per_tb_traffic": price(Decimal("1.00")),
            }
            for name in self.locations
        ]


def price(net: Decimal) -> dict[str, str]:
    """An amount of euros without and with VAT."""
    return {"net": f"{net:.10f}", "gross": f"{net * (100 + VAT) / 100:.10f}"}


def _family(
    category: str,
    cpu_type: Literal["shared", "dedicated"],
    architecture: Literal["x86", "arm"],
    locations: tuple[str, ...],
    *sizes: tuple[int, str, int, int, int, str],
    spaced: bool = False,
) -> list[ServerType]:
    """Types that differ in size and price; `spaced` ones are described as `CPX 11` and not as `CPX11`."""
    return [
        ServerType(
            id=number,
            name=name,
            description=f"{name[:3]} {name[3:]}".upper() if spaced else name.upper(),
            cores=cores,
            memory=memory,
            disk=disk,
            price=Decimal(cost),
            cpu_type=cpu_type,
            category=category,
            architecture=architecture,
            locations=locations,
        )
        for number, name, cores, memory, disk, cost in sizes
    ]


SERVER_TYPES = (
    *_family(
        "regular_purpose",
        "shared",
        "x86",
        AMERICA,
        (22, "cpx11", 2, 2, 40, "17.49"),
        (23, "cpx21", 3, 4, 80, "31.99"),
        (24, "cpx31", 4, 8, 160, "62.49"),
        (25, "cpx41", 8, 16, 240, "120.49"),
        (26, "cpx51", 16, 32, 360, "237.99"),
        spaced=True,
    ),
    *_family(
        "cost_optimized",
        "shared",
        "arm",
        EUROPE,
        (45, "cax11", 2, 4, 40, "5.99"),
        (93, "cax21", 4, 8, 80, "10.49"),
        (94, "cax31", 8, 16, 160, "20.99"),
        (95, "cax41", 16, 32, 320, "40.99"),
    ),
    *_family(
        "general_purpose",
        "dedicated",
        "x86",
        EVERYWHERE,
        (96, "ccx13", 2, 8, 80, "42.99"),
        (97, "ccx23", 4, 16, 160, "85.99"),
        (98, "ccx33", 8, 32, 240, "138.49"),
        (99, "ccx43", 16, 64, 360, "275.99"),
        (100, "ccx53", 32, 128, 600, "533.49"),
        (101, "ccx63", 48, 192, 960, "853.49"),
    ),
    *_family(
        "regular_purpose",
        "shared",
        "x86",
        (*EUROPE, "sin"),
        (108, "cpx12", 1, 2, 40, "11.49"),
        (109, "cpx22", 2, 4, 80, "19.49"),
        (110, "cpx32", 4, 8, 160, "35.49"),
        (111, "cpx42", 8, 16, 320, "69.49"),
        (112, "cpx52", 12, 24, 480, "100.49"),
        (113, "cpx62", 16, 32, 640, "129.99"),
    ),
    *_family(
        "cost_optimized",
        "shared",
        "x86",
        EUROPE,
        (114, "cx23", 2, 4, 40, "5.49"),
        (115, "cx33", 4, 8, 80, "8.49"),
        (116, "cx43", 8, 16, 160, "15.99"),
        (117, "cx53", 16, 32, 320, "29.49"),
    ),
)
SERVER_TYPE = {server_type.name: server_type for server_type in SERVER_TYPES}


def find_server_type(key: str) -> ServerType | None:
    """A server type by name, or by id in digits."""
    if key.isdigit():
        return next((server_type for server_type in SERVER_TYPES if str(server_type.id) == key), None)
    return SERVER_TYPE.get(key)
