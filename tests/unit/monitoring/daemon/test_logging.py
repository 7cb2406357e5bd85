from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from clawdet_infra.monitoring.daemon.logging import Journal
from clawdet_infra.monitoring.daemon.secrets import FleetRedactor
from tests.unit.monitoring.remediation.world import fleet, instance


def record(text: str, level: int = logging.INFO, **facts: Any) -> logging.LogRecord:
    made = logging.LogRecord("clawdet_infra", level, "file", 1, text, (), None)
    made.created = 1_767_268_800.25
    if facts:
        made.facts = facts
    return made


def written(*records: logging.LogRecord, redact: FleetRedactor | None = None, **options: Any) -> list[str]:
    lines: list[str] = []
    journal = Journal(redact or FleetRedactor(), write=lines.append, **options)
    for one in records:
        journal.handle(one)
    return lines


def test_a_line_has_the_time_and_says_so_where_something_is_wrong() -> None:
    assert written(record("all is well"), record("the disk is full", logging.ERROR)) == [
        "2026-01-01 12:00:00 all is well",
        "2026-01-01 12:00:00 error: the disk is full",
    ]


def test_under_systemd_a_line_has_the_priority_and_no_time() -> None:
    lines = written(record("a"), record("b", logging.WARNING), record("c", logging.ERROR), in_systemd=True)
    assert lines == ["<6>a", "<4>b", "<3>c"]


def test_as_json_a_line_has_its_facts() -> None:
    [line] = written(record("round 1", round=1, down={"ada": "dns"}), as_json=True)
    assert json.loads(line) == {
        "at": "2026-01-01T12:00:00.250Z",
        "level": "info",
        "message": "round 1",
        "round": 1,
        "down": {"ada": "dns"},
    }


@pytest.mark.parametrize("as_json", [False, True])
def test_no_secret_of_the_fleet_is_written_whoever_logs_it(as_json: bool) -> None:
    redact = FleetRedactor()
    redact.use(fleet(instance("ada")))
    [line] = written(
        record("login with clawdet:a-password failed", answer="token a-token"), redact=redact, as_json=as_json
    )
    assert "a-password" not in line
    assert "a-token" not in line
    assert "[secret]" in line


def test_a_line_is_one_line_and_has_nothing_that_moves_a_cursor() -> None:
    [line] = written(record("one\ntwo\x1b[2Jthree"))
    assert line.endswith("one two three")
