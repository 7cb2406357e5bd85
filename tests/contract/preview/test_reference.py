"""What docs/reference/changes.md says of data is what a preview of the engine finds, for every key of a customer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.contract.hcloud_api.running import running_cloud
from tests.contract.preview.conftest import Fleet
from tests.support.customer_changes import CHANGES, HOSTS, Change, entry
from tests.support.stack import Stack

pytestmark = [
    pytest.mark.engine,
    # Dozens of customers; the default tier holds the page to what is declared and rendered.
    pytest.mark.slow,
    pytest.mark.timeout(600),
]


def test_a_preview_finds_data_lost_where_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_cloud(tmp_path) as cloud:
        fleet = Fleet(Stack(tmp_path / "stack").init(), cloud)
        numbered = list(enumerate(CHANGES, start=1))
        fleet.want([entry(one, number, after=False) for number, one in numbered], sharedHosts=HOSTS)
        fleet.up().ok()
        fleet.want([entry(one, number, after=True) for number, one in numbered], sharedHosts=HOSTS)
        report, _ = fleet.look(monkeypatch)
        [stack] = report.stacks
        assert not stack.errors, stack.errors
        found: dict[str, Any] = {one.id: one for one in stack.subjects if one.kind == "customer"}
        for number, change in numbered:
            told = found.get(f"customer-{number}")
            assert _data(told) == change.row.data, (change, told)
            if change.row.service != "nothing":
                assert told is not None, f"the preview says nothing of {change}"
            if change.row.data == "lost":
                assert not all(one.allowed for one in told.lost), "refused until it is named"
        gone = Change("id", {})
        fleet.want([entry(gone, 99, after=True)], sharedHosts=HOSTS)
        report, _ = fleet.look(monkeypatch)
        lost = {one.id for one in report.stacks[0].subjects if one.lost}
        assert lost >= {f"customer-{number}" for number, _ in numbered}


def _data(told: Any) -> str:
    return "lost" if told is not None and told.lost else "stays"
