"""A history that the version before hourly aggregates made is taken over with all that it knows."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from clawdet_infra.database import LeaseHeld
from clawdet_infra.database.engine import connect
from clawdet_infra.monitoring.history import Availability, History, Retention
from clawdet_infra.monitoring.history.schema import FORM, HOUR, PURPOSE
from tests.contract.conftest import differs
from tests.support.former_database import put_former
from tests.support.frozen_clock import look

MADE = Path(__file__).parent / "taken_over"
NOW = datetime(2026, 3, 1, 12, 20, tzinfo=UTC)
# Beginnings of days or hours; the last two lie within the time of which samples are kept.
SINCE = {
    "90d": NOW.replace(hour=0, minute=0) - timedelta(days=90),
    "30d": NOW.replace(minute=0) - timedelta(days=30),
    "7d": NOW.replace(minute=0) - timedelta(days=7),
    "24h": NOW - timedelta(hours=24),
    "2h": NOW - timedelta(hours=2),
}
EXPECTED: dict[str, Any] = json.loads((MADE / "answers.json").read_text())


@pytest.fixture
def old_url(url: str, tmp_path: Path) -> str:
    """A database as the version before left it; on PostgreSQL it has the same rows."""
    put_former(url, MADE / "history-0001.sql.gz", PURPOSE, FORM, "0001", tmp_path)
    return url


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value, default=str))


def uptime(history: History, name: str) -> dict[str, Any]:
    return {span: plain(asdict(one)) for span, one in asdict_of(history.uptime(name, NOW)).items()}


def asdict_of(record: Any) -> dict[str, Availability]:
    return {name: getattr(record, name) for name in ("day", "week", "month", "quarter")}


def is_as_before(history: History) -> None:
    for name in ("ada", "bob"):
        expected, found = EXPECTED[name], uptime(history, name)
        assert {span: found[span] for span in ("day", "week", "month")} == {
            span: expected["uptime"][span] for span in ("day", "week", "month")
        }
        for span, since in SINCE.items():
            latency = asdict(history.latency(name, since, NOW))
            assert latency == pytest.approx(expected["since"][span]["latency"], rel=1e-9), span
        for span in ("7d", "30d", "90d"):
            [whole] = history.timeline(name, SINCE[span], 1, NOW)
            assert plain(asdict(whole.availability)) == expected["since"][span]["whole"]
        # It began with a day, and begins with an hour now.
        begun = datetime.fromisoformat(found["quarter"]["begins"]) - timedelta(hours=12)
        assert begun == datetime.fromisoformat(expected["uptime"]["quarter"]["begins"])


@differs
def test_uptime_and_latencies_stay_what_they_were(old_url: str) -> None:
    with History.open(old_url) as history:
        is_as_before(history)
        assert history.aggregate(NOW) == 1, "the hour of the late sample; those at the end are not over"
        is_as_before(history)
        history.prune(NOW, Retention())
        is_as_before(history)


@differs
def test_a_lease_of_another_machine_is_held_on(old_url: str) -> None:
    old = connect(PURPOSE, old_url, 10)
    with old.write() as connection:
        values = {"name": "checker", "owner": "elsewhere", "token": "t", "boot": "elsewhere", "until_boottime": 1}
        # Until the year 2100.
        values["until"] = 4_102_444_800_000
        names = ", ".join(f'"{name}"' for name in values)
        connection.execute(
            text(f"INSERT INTO history_lease ({names}) VALUES ({', '.join(f':{name}' for name in values)})"), values
        )
    old.close()
    with History.open(old_url) as history:
        held = history.acquire_lease("checker", "here", 60)
    assert isinstance(held, LeaseHeld)
    assert (held.owner, held.until.year) == ("elsewhere", 2100)


@differs
def test_states_events_alerts_repairs_and_windows_stay_what_they_were(old_url: str) -> None:
    begin = NOW - timedelta(days=100)
    with History.open(old_url) as history:
        found = {
            "states": {name: asdict(state) for name, state in history.states().items()},
            "events": [asdict(event) for event in history.events(limit=40)],
            "alerts": [asdict(one) for one in history.alerts(begin)],
            "repairs": [asdict(one) for name in ("ada", "bob") for one in history.repairs(name, begin)],
            "openRepairs": [asdict(one) for one in history.open_repairs()],
            "windows": [asdict(one) for one in history.windows(NOW)],
        }
    assert plain(found) == {name: EXPECTED[name] for name in found}


def test_no_hour_has_more_than_its_time(old_url: str) -> None:
    with History.open(old_url) as history, history._database.read() as connection:
        columns = "milliseconds_healthy + milliseconds_slow + milliseconds_down"
        longest = connection.exec_driver_sql(f"SELECT max({columns}) FROM history_aggregate").scalar_one()
    # A day that is spread over its hours is so to the millisecond, by condition.
    assert HOUR <= longest <= HOUR + 2


def test_what_is_recorded_next_goes_on_from_there(old_url: str) -> None:
    with History.open(old_url) as history:
        before = history.uptime("ada", NOW).day
        # The last sample is 39 s older than NOW.
        after = [look(NOW + index * timedelta(seconds=100), server="server-ada") for index in (1, 2)]
        assert len(history.record(after)) == 1, "the late sample found it down"
        assert history.record(after) == []
        later = history.uptime("ada", NOW + timedelta(minutes=5)).day
        assert later.observed == pytest.approx(before.observed + 239 - 300, abs=2)
