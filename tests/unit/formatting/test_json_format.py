"""The form of all JSON that is printed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from clawdet_infra.formatting.json_format import camel, dumps, fields_of, plain_json, timestamp


class Colour(StrEnum):
    DARK_RED = "dark-red"


@dataclass
class Inner:
    checked_at: datetime
    took: timedelta = timedelta(minutes=1.5)


@dataclass
class Record:
    id: str
    host_key: str
    inner: Inner
    colour: Colour = Colour.DARK_RED
    by_server: dict[str, Inner] = field(default_factory=dict)
    folder: Path = Path("/srv")
    ipv4: IPv4Address = field(default_factory=lambda: IPv4Address("192.0.2.1"))
    price: Decimal = Decimal("3.49")


def test_fields_are_camel_case_and_keys_of_mappings_are_data() -> None:
    noon = Inner(datetime(2026, 5, 1, 12, tzinfo=timezone(timedelta(hours=2))))
    record = Record(id="user_1", host_key="k", inner=noon, by_server={"my_server": noon})
    shown = {"checkedAt": "2026-05-01T10:00:00.000Z", "took": 90.0}
    assert json.loads(dumps([record])) == [
        {
            "id": "user_1",
            "hostKey": "k",
            "inner": shown,
            "colour": "dark-red",
            "byServer": {"my_server": shown},
            "folder": "/srv",
            "ipv4": "192.0.2.1",
            "price": "3.49",
        }
    ]
    assert fields_of(record, id="customer")["customer"] == "user_1"


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9.5)), timezone(timedelta(hours=14))])))
def test_a_time_is_the_same_moment_in_utc(moment: datetime) -> None:
    shown = timestamp(moment) if datetime(2, 1, 1, tzinfo=UTC) < moment < datetime(9998, 1, 1, tzinfo=UTC) else None
    if shown is not None:
        assert shown.endswith("Z")
        assert abs(datetime.fromisoformat(shown) - moment) < timedelta(milliseconds=1)


def test_a_time_without_a_zone_is_utc() -> None:
    assert timestamp(datetime(2026, 5, 1, 12)) == "2026-05-01T12:00:00.000Z"


@pytest.mark.parametrize("value", [SecretStr("x"), object(), b"bytes", {1: "x"}])
def test_what_has_no_form_is_refused_rather_than_guessed(value: object) -> None:
    with pytest.raises(TypeError):
        plain_json({"key": [value]})


@pytest.mark.parametrize(
    ("name", "shown"), [("id", "id"), ("exit_code", "exitCode"), ("disk_total_mib", "diskTotalMib")]
)
def test_names_in_camel_case(name: str, shown: str) -> None:
    assert camel(name) == shown
