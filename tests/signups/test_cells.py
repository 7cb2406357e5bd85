"""An operator brings a cell to other settings, and neither that nor a signup costs anybody data by mistake."""

from __future__ import annotations

import pytest

from tests.signups.conftest import Signups, removal, signup
from tests.signups.test_agreement import expect_agreement

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(900)]

ELSEWHERE = {"clawdet:server": {"type": "cx23", "location": "nbg1"}}
MORE_MEMORY = {"clawdet:plans": {"pro": {"memory": 3328}}}


def servers(signups: Signups) -> dict[str, int]:
    return {one["name"]: one["id"] for one in signups.servers()}


def memory(signups: Signups, cell: str) -> int:
    """How many MiB vera's gateway may use."""
    said = signups.server("vera", cell).run("docker inspect --format '{{.HostConfig.Memory}}' vera-gateway-1")
    return int(said) // 2**20


def test_settings_reach_a_cell_and_nobodys_data_goes_by_mistake(signups: Signups) -> None:
    made = signups.one(signup("vera"))["result"]
    cell, before = made["cell"], servers(signups)
    unchanged = signups.update(cell)
    assert unchanged.code == 0, unchanged.output

    empty = signups.stack.folder / "empty.db"
    lost = signups.one(signup("walt", "free"), catalog=empty)
    assert (lost.get("kind"), lost.get("action")) == ("SetupError", "escalate"), lost
    assert "vera" in lost["error"], "a catalog that does not know her would have her deleted"
    assert servers(signups) == before

    with signups.settings(**ELSEWHERE):
        refused = signups.update(cell)
        assert refused.code == 5, refused.output
        assert "vera" in refused.output
        assert "all data on it" in refused.output
        waiting = signups.one(signup("walt", "free"))
        assert (waiting.get("kind"), waiting.get("action")) == ("DataLossError", "escalate"), waiting
        assert "vera-server would be replaced" in waiting["error"]
        assert servers(signups) == before, "nothing was touched"

    with signups.settings(**MORE_MEMORY):
        assert memory(signups, cell) == 3072
        changed = signups.update(cell)
        assert changed.code == 0, changed.output
        assert memory(signups, cell) == 3328
    # Whoever was asked for while the settings were wrong came up with the update.
    assert signups.listed()["walt"]["phase"] == "healthy"
    assert servers(signups) == before

    gone = signups.call(removal("vera"), removal("walt")).lines()
    assert [line["result"]["success"] for line in gone if "result" in line] == [True, True]
    expect_agreement(signups, {})
