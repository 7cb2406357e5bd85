"""Server types.  Sizes are Hetzner's; prices have their shape and magnitude, but are not kept up to date."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from localcloud.api.catalogue.locations import EUROPE, EVERYWHERE, LOCATION

GB = 1000**3
GIB = 1024**3
VAT = Decimal("19.00")


@dataclass(frozen=True)
class ServerType:
    """A size of server: `memory` in GiB, `disk` in GB, `price` in euros a month without VAT."""

    id: int
    name: str
    cores: int
    memory: int
    disk: int
    price: Decimal
    cpu_type: Literal["shared", "dedicated"]
    category: str
    architecture: Literal["x86", "arm"]
    locations: tuple[str, ...]

    def view(self) -> dict[str, Any]:
        """The server type in JSON."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.name.upper(),
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
                    "available": True,
                    "recommended": True,
                }
                for name in self.locations
            ],
        }

    def prices(self) -> list[dict[str, Any]]:
        """What it costs in each of its locations."""
        return [
            {
                "location": name,
                "price_hourly": price(self.price / 624),
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
    first: int,
    category: str,
    cpu_type: Literal["shared", "dedicated"],
    architecture: Literal["x86", "arm"],
    locations: tuple[str, ...],
    *sizes: tuple[str, int, int, int, str],
) -> list[ServerType]:
    return [
        ServerType(
            first + offset, name, cores, memory, disk, Decimal(cost), cpu_type, category, architecture, locations
        )
        for offset, (name, cores, memory, disk, cost) in enumerate(sizes)
    ]


SERVER_TYPES = (
    *_family(
        93,
        "cost_optimized",
        "shared",
        "arm",
        EUROPE,
        ("cax11", 2, 4, 40, "3.29"),
        ("cax21", 4, 8, 80, "5.99"),
        ("cax31", 8, 16, 160, "11.99"),
        ("cax41", 16, 32, 320, "23.99"),
    ),
    *_family(
        97,
        "general_purpose",
        "dedicated",
        "x86",
        EVERYWHERE,
        ("ccx13", 2, 8, 80, "11.99"),
        ("ccx23", 4, 16, 160, "23.99"),
        ("ccx33", 8, 32, 240, "47.99"),
        ("ccx43", 16, 64, 360, "95.99"),
        ("ccx53", 32, 128, 600, "191.99"),
        ("ccx63", 48, 192, 960, "287.99"),
    ),
    *_family(
        108,
        "regular_purpose",
        "shared",
        "x86",
        (*EUROPE, "sin"),
        ("cpx12", 1, 2, 40, "4.99"),
        ("cpx22", 2, 4, 80, "5.99"),
        ("cpx32", 4, 8, 160, "10.49"),
        ("cpx42", 8, 16, 320, "19.49"),
        ("cpx52", 12, 24, 480, "27.99"),
        ("cpx62", 16, 32, 640, "37.99"),
    ),
    *_family(
        114,
        "cost_optimized",
        "shared",
        "x86",
        EUROPE,
        ("cx23", 2, 4, 40, "2.99"),
        ("cx33", 4, 8, 80, "4.99"),
        ("cx43", 8, 16, 160, "8.99"),
        ("cx53", 16, 32, 320, "16.99"),
    ),
    *_family(
        122,
        "regular_purpose",
        "shared",
        "x86",
        ("ash", "hil", "sin"),
        ("cpx11", 2, 2, 40, "4.49"),
        ("cpx21", 3, 4, 80, "8.99"),
        ("cpx31", 4, 8, 160, "15.99"),
        ("cpx41", 8, 16, 240, "29.99"),
        ("cpx51", 16, 32, 360, "60.49"),
    ),
)
SERVER_TYPE = {server_type.name: server_type for server_type in SERVER_TYPES}


def find_server_type(key: str) -> ServerType | None:
    """A server type by name, or by id in digits."""
    if key.isdigit():
        return next((server_type for server_type in SERVER_TYPES if str(server_type.id) == key), None)
    return SERVER_TYPE.get(key)
