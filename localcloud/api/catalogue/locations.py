"""Locations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Location:
    """A place where servers are."""

    id: int
    name: str
    city: str
    country: str
    description: str
    latitude: float
    longitude: float
    network_zone: str

    def view(self) -> dict[str, Any]:
        """The location in JSON."""
        return dict(vars(self))


LOCATIONS = (
    Location(1, "fsn1", "Falkenstein", "DE", "Falkenstein DC Park 1", 50.47612, 12.370071, "eu-central"),
    Location(2, "nbg1", "Nuremberg", "DE", "Nuremberg DC Park 1", 49.452102, 11.076665, "eu-central"),
    Location(3, "hel1", "Helsinki", "FI", "Helsinki DC Park 1", 60.169855, 24.938379, "eu-central"),
    Location(4, "ash", "Ashburn, VA", "US", "Ashburn, VA", 39.045821, -77.487073, "us-east"),
    Location(5, "hil", "Hillsboro, OR", "US", "Hillsboro, OR", 45.54222, -122.951924, "us-west"),
    Location(6, "sin", "Singapore", "SG", "Singapore", 1.283333, 103.833333, "ap-southeast"),
)
LOCATION = {location.name: location for location in LOCATIONS}
EUROPE = ("fsn1", "nbg1", "hel1")
AMERICA = ("ash", "hil")
EVERYWHERE = tuple(LOCATION)


def find_location(key: str) -> Location | None:
    """A location by name, or by id in digits."""
    if key.isdigit():
        return next((location for location in LOCATIONS if str(location.id) == key), None)
    return LOCATION.get(key)
