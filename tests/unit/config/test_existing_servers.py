"""Servers that customers bring: which of them can be the customer's."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.config import check_file, load_fleet
from clawdet_infra.config.addresses import special_meaning
from tests.unit.config.samples import CLOUD_TOKEN, complaint, complaints, customer, fleet

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPHJrSmEsAEpu4Fq1J7aGFQ1BhJbGXBCfFBNGHa1DPtL"
LOCAL = {"token": CLOUD_TOKEN, "endpoint": "http://127.0.0.1:8080/v1"}
PRIVATE = ["10.110.0.16", "172.31.255.254", "192.168.1.20"]
SPECIAL = {
    "0.0.0.0": "no server's address",
    "127.0.0.1": "the machine itself",
    "127.255.0.9": "the machine itself",
    "169.254.169.254": "metadata",
    "100.100.100.200": "NAT",
    "192.0.0.8": "protocols",
    "192.0.2.7": "documentation",
    "198.18.0.1": "measurements",
    "198.51.100.7": "documentation",
    "203.0.113.7": "documentation",
    "224.0.0.5": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
}
SPECIAL6 = {
    "::": "no server's address",
    "::1": "the machine itself",
    "::7": "reserved",
    "::ffff:5.75.200.7": "an IPv4 address",
    "::ffff:127.0.0.1": "an IPv4 address",
    "64:ff9b::7f00:1": "an IPv4 address",
    "2002:7f00:1::1": "an IPv4 address",
    "2001::1": "protocols",
    "2001:db8::7": "documentation",
    "3fff::7": "documentation",
    "4000::1": "reserved",
    "fe80::1": "link-local",
    "ff02::1": "multicast",
}


def there(ipv4: str = "5.75.200.7", **fields: Any) -> dict[str, Any]:
    return {"ipv4": ipv4, "hostKey": HOST_KEY, **fields}


def test_a_server_that_is_there_is_not_held_against_what_is_rented() -> None:
    fleet_ = load_fleet(fleet(customer(existingServer=there(), limits={"memory": 100_000})))
    existing = fleet_.customers[0].existing_server
    assert existing is not None
    assert str(existing.ipv4) == "5.75.200.7"


@pytest.mark.parametrize(
    ("entry", "part"),
    [
        ({"plan": "free", "existingServer": there()}, "customers of the plan free share hosts"),
        ({"existingServer": there(), "server": {"type": "cx33"}}, "exclude each other"),
        ({"existingServer": there("198.51.100")}, "'198.51.100' is not an IPv4 address"),
        ({"existingServer": there("05.75.200.7")}, "'05.75.200.7' is not an IPv4 address"),
        ({"existingServer": there(ipv6="x")}, "'x' is not an IPv6 address"),
        ({"existingServer": there(ipv6="2a01:4f8:c17:abcd::/64")}, "is not an IPv6 address"),
        ({"existingServer": there(ipv6="fe80::1%eth0")}, "'fe80::1%eth0' has a zone"),
        ({"existingServer": there(ipv6="2a01:4f8:c17:abcd::1%1")}, "has a zone"),
        ({"existingServer": there(hostKey="AAAA")}, "is not an SSH host key"),
    ],
)
def test_a_server_that_is_there_has_to_fit(entry: dict[str, Any], part: str) -> None:
    assert part in complaint(fleet(customer(**entry)))


def test_two_customers_cannot_have_one_server() -> None:
    both = [customer("a1", existingServer=there()), customer("b1", existingServer=there())]
    assert "is already the server of customer a1" in complaint(fleet(*both))


def test_one_ipv6_address_in_two_spellings_is_one_server() -> None:
    first = customer("a1", existingServer=there("5.75.200.7", ipv6="2a01:4f8:c17:abcd::1"))
    second = customer("b1", existingServer=there("5.75.200.8", ipv6="2A01:04F8:c17:abcd:0:0:0:1"))
    told = complaint(fleet(first, second))
    assert "customers[1].existingServer.ipv6" in told
    assert "is already the server of customer a1" in told


@pytest.mark.parametrize("cloud", [None, LOCAL], ids=["at Hetzner", "in a local cloud"])
@pytest.mark.parametrize(
    ("field", "address", "part"),
    [
        *(("ipv4", address, part) for address, part in SPECIAL.items()),
        *(("ipv6", address, part) for address, part in SPECIAL6.items()),
    ],
)
def test_an_address_that_is_not_of_the_public_internet_is_refused(
    cloud: dict[str, Any] | None, field: str, address: str, part: str
) -> None:
    settings = {"cloud": cloud} if cloud else {}
    told = complaint(fleet(customer(existingServer={**there(), field: address}), **settings))
    assert f"existingServer.{field}" in told
    assert part in told


@pytest.mark.parametrize(("field", "address"), [*(("ipv4", one) for one in PRIVATE), ("ipv6", "fd12::7")])
@pytest.mark.parametrize(
    ("endpoint", "allowed"),
    [
        (None, False),
        ("https://api.hetzner.cloud/v1", False),
        ("https://hetzner.example.com/v1", False),
        ("http://5.75.200.7/v1", False),
        ("http://127.0.0.1:8080/v1", True),
        ("http://[::1]:8080/v1", True),
        ("http://localhost:8080/v1", True),
        ("http://10.1.0.1/v1", True),
    ],
)
def test_a_private_address_is_one_of_a_local_cloud_alone(
    field: str, address: str, endpoint: str | None, allowed: bool
) -> None:
    cloud = {"token": CLOUD_TOKEN, **({"endpoint": endpoint} if endpoint else {})}
    told = complaints(fleet(customer(existingServer={**there(), field: address}), cloud=cloud))
    assert (not told) is allowed
    assert allowed or "is a private address" in told[0]


def test_the_rule_holds_beside_other_mistakes() -> None:
    told = complaints(fleet(customer("a1", existingServer=there("127.0.0.1")), customer("b1", plan="gold")))
    assert len(told) == 2, told


def test_the_file_of_a_local_cloud_may_have_private_addresses_and_another_may_not(tmp_path: Path) -> None:
    def found(**settings: Any) -> list[str]:
        keys = fleet(customer(existingServer=there("10.110.0.16")), **settings)
        file = tmp_path / "Pulumi.x.yaml"
        file.write_text(yaml.safe_dump({"config": {f"clawdet:{key}": value for key, value in keys.items()}}))
        return [one.message for one in check_file(file) if not one.warning]

    assert found(cloud=".clawdet/cloud/x/info.json") == []
    assert "private" in found()[0]


@given(st.integers(0, 2**32 - 1).map(IPv4Address))
def test_what_is_taken_for_public_is_global_for_python_too(address: IPv4Address) -> None:
    if special_meaning(address) is None:
        assert address.is_global
        assert not address.is_multicast


@given(st.integers(0, 2**128 - 1).map(IPv6Address) | st.integers(0x20 << 120, (0x40 << 120) - 1).map(IPv6Address))
def test_what_is_taken_for_public_is_global_for_python_too_with_ipv6(address: IPv6Address) -> None:
    if special_meaning(address) is None:
        assert address.is_global
        assert address.teredo is None
        assert address.sixtofour is None
