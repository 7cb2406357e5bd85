"""How long each part of the tests took, for the end of a run."""

from __future__ import annotations

from collections import Counter
from pathlib import PurePosixPath
from typing import Any

import pytest

_SECONDS: Counter[str] = Counter()
_TESTS: Counter[str] = Counter()


def part_of(test: str) -> str:
    """Return the part that a test belongs to: its folder below tests/, two levels of it for contracts."""
    folders = PurePosixPath(test.partition("::")[0]).parts[1:-1]
    return "/".join(folders[:2] if folders[:1] == ("contract",) else folders[:1])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    _SECONDS[part_of(report.nodeid)] += report.duration
    _TESTS[part_of(report.nodeid)] += report.when == "call"


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if _SECONDS:
        terminalreporter.section("seconds of each part, over all workers")
    for part, seconds in _SECONDS.most_common():
        terminalreporter.write_line(f"{seconds:7.1f} s  {part or '.'} ({_TESTS[part]} tests)")
