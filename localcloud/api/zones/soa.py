"""The SOA record's serial, which Hetzner keeps by itself (`YYYYMMDDnn`)."""

from __future__ import annotations

from datetime import datetime

from localcloud.api.zones.model import NAMESERVERS


def default_soa(serial: int) -> str:
    """The SOA record that a new zone has."""
    return f"{NAMESERVERS[0]} dns.hetzner.com. {serial} 86400 10800 3600000 3600"


def next_serial(serial: int, now: datetime) -> int:
    """The serial after a change: today's first, or one more where that is not more."""
    return max(serial + 1, int(now.strftime("%Y%m%d")) * 100)


def with_serial(value: str, serial: int) -> str:
    """A SOA record's value with this serial in it."""
    fields = value.split()
    if len(fields) > 2:
        fields[2] = str(serial)
    return " ".join(fields)
