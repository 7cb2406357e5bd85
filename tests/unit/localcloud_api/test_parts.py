"""Small parts: faults, the rate limit, addresses, the clock, record values, keys, sizes of things."""

from __future__ import annotations

import asyncio
import base64
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.api.addresses import AddressPool
from localcloud.api.clock import ManualClock
from localcloud.api.errors import ApiError
from localcloud.api.faults import Faults, FaultSyntaxError, parse_rates
from localcloud.api.primary_ips.model import PrimaryIP
from localcloud.api.ratelimit import RateLimit
from localcloud.api.ssh_keys.public_key import KeyFormatError, fingerprint
from localcloud.api.state import State
from localcloud.api.zones.model import TYPES
from localcloud.api.zones.soa import next_serial
from localcloud.api.zones.values import rrset_name_problem, value_problem, zone_name_problem
from localcloud.machines.base import MachineError, Subnets
from localcloud.machines.none import NoMachines

NOW = datetime(2026, 1, 30, 12, tzinfo=UTC)
TINY = Subnets(IPv4Network("10.0.0.0/27"), IPv6Network("fd00::/62"), IPv4Address("10.0.0.20"), IPv6Address("fd00::1"))


def test_error_rates_are_read_from_the_command_line() -> None:
    rules = ["POST /servers=0.2", "GET /zones/{id_or_name}=1:timeout", "*=0", "ACTION start_server=0.5"]

    assert parse_rates(rules) == {
        "POST /servers": 0.2,
        "GET /zones/{id_or_name}:timeout": 1.0,
        "*": 0.0,
        "ACTION start_server": 0.5,
    }


@pytest.mark.parametrize("rule", ["POST /servers", "POST /servers=", "=0.5", "POST /servers=2", "a=-1", "a=0.5:oops"])
def test_an_error_rate_that_makes_no_sense_is_told(rule: str) -> None:
    with pytest.raises(FaultSyntaxError, match="error rate"):
        parse_rates([rule])


async def fails(faults: Faults, route: str) -> bool:
    try:
        await faults.check_request(route)
    except ApiError:
        return True
    return False


async def test_as_many_requests_fail_as_was_said_and_always_the_same_ones() -> None:
    faults = [Faults({"POST /servers": 0.2}, seed=7) for _ in range(2)]
    patterns = [[await fails(each, "POST /servers") for _ in range(1000)] for each in faults]

    assert patterns[0] == patterns[1]
    assert 150 < sum(patterns[0]) < 250


async def test_what_other_routes_do_does_not_change_which_requests_fail() -> None:
    rates = {"POST /servers": 0.2, "GET /servers": 0.5}
    alone, mixed = Faults(rates, seed=7), Faults(rates, seed=7)

    async def mix(faults: Faults) -> bool:
        await fails(faults, "GET /servers")
        return await fails(faults, "POST /servers")

    assert [await fails(alone, "POST /servers") for _ in range(100)] == [await mix(mixed) for _ in range(100)]


async def test_an_injected_error_has_the_code_that_was_asked_for() -> None:
    with pytest.raises(ApiError) as default:
        await Faults({"GET /x": 1}, None).check_request("GET /x")
    with pytest.raises(ApiError) as chosen:
        await Faults({"*:conflict": 1}, None).check_request("GET /x")
    with pytest.raises(MachineError):
        await Faults({"ACTION stop_server": 1}, None).check_action("stop_server")

    assert (default.value.status, default.value.code) == (500, "service_error")
    assert (chosen.value.status, chosen.value.code) == (409, "conflict")


def test_requests_come_back_evenly_with_time() -> None:
    limit = RateLimit(3600, NOW)
    for _ in range(3600):
        limit.take(NOW)
    with pytest.raises(ApiError) as refusal:
        limit.take(NOW)
    assert refusal.value.code == "rate_limit_exceeded"
    assert limit.headers()["RateLimit-Remaining"] == "0"
    assert limit.headers()["RateLimit-Reset"] == str(int((NOW + timedelta(hours=1)).timestamp()) + 1)

    later = NOW + timedelta(seconds=2)
    limit.take(later)
    limit.take(later)
    with pytest.raises(ApiError):
        limit.take(later)


def test_no_more_requests_are_saved_up_than_the_limit() -> None:
    limit = RateLimit(10, NOW)
    limit.take(NOW + timedelta(days=1))

    assert limit.headers()["RateLimit-Remaining"] == "9"


def test_every_address_is_given_once_and_never_the_gateways(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state.db")
    pool = AddressPool(state, TINY)
    given: list[str] = []

    def take(kind: str) -> str:
        with state.change():
            ip = pool.ipv4() if kind == "ipv4" else pool.ipv6()
            state.primary_ips.put(PrimaryIP(state.new_id(), ip, "ipv4", ip, "fsn1", NOW))
        given.append(ip)
        return ip

    for _ in range(14):
        take("ipv4")
    assert len(set(given)) == 14
    assert "10.0.0.20" not in given
    assert all(IPv4Address("10.0.0.16") <= IPv4Address(ip) <= IPv4Address("10.0.0.30") for ip in given)
    with pytest.raises(ApiError, match="no more IPv4"):
        take("ipv4")
    assert [take("ipv6") for _ in range(3)] == ["fd00:0:0:1::/64", "fd00:0:0:2::/64", "fd00:0:0:3::/64"]
    with pytest.raises(ApiError, match="no more IPv6"):
        take("ipv6")
    state.close()


def test_a_network_without_room_for_servers_is_refused(tmp_path: Path) -> None:
    state = State.open(tmp_path / "state.db")

    with pytest.raises(ValueError, match="no room for a /64 per server"):
        AddressPool(state, replace(TINY, ipv6=IPv6Network("fd00::/64")))
    state.close()


async def test_a_clock_that_stands_still_wakes_sleepers_in_their_order() -> None:
    clock, woken = ManualClock(NOW), []

    async def sleeper(name: str, *pauses: float) -> None:
        for pause in pauses:
            await clock.sleep(pause)
            woken.append((name, (clock.now() - NOW).total_seconds()))

    tasks = [asyncio.create_task(sleeper("a", 3)), asyncio.create_task(sleeper("b", 1, 1, 5))]
    await clock.advance(4)

    assert woken == [("b", 1), ("b", 2), ("a", 3)]
    assert clock.now() == NOW + timedelta(seconds=4)
    await clock.advance(3)
    assert woken[-1] == ("b", 7)
    await asyncio.gather(*tasks)


def test_serials_grow_and_follow_the_date() -> None:
    first = next_serial(0, NOW)

    assert first == 2026013000
    assert next_serial(first, NOW) == 2026013001
    assert next_serial(2026013099, NOW) == 2026013100, "more than a hundred changes a day run ahead of the date"
    assert next_serial(first, NOW + timedelta(days=1)) == 2026013100


@given(st.sampled_from(TYPES), st.text(max_size=60))
def test_any_text_is_a_value_or_has_a_problem(rtype: str, text: str) -> None:
    assert isinstance(value_problem(rtype, text, "clawdet.test"), str | None)


@given(st.text(max_size=80))
def test_any_text_is_a_name_or_has_a_problem(text: str) -> None:
    assert isinstance(zone_name_problem(text), str | None)
    assert isinstance(rrset_name_problem(text, "clawdet.test"), str | None)


@given(st.text(max_size=80), st.binary(max_size=80))
def test_any_text_is_a_key_or_an_error(text: str, blob: bytes) -> None:
    for candidate in (text, f"ssh-ed25519 {base64.b64encode(blob).decode()}", f"ssh-rsa {text}"):
        with suppress(KeyFormatError):
            assert len(fingerprint(candidate)) == 47


async def test_machines_in_name_only_do_as_they_are_told() -> None:
    machines = NoMachines()

    assert await machines.state(1) == "running"
    await machines.power_off(1)
    assert await machines.state(1) == "off"
    await machines.power_on(1)
    assert await machines.state(1) == "running"
    await machines.shutdown(1)
    await machines.reset(1)
    assert await machines.state(1) == "running"
    assert (await machines.prepare()).ipv6.prefixlen < 64
