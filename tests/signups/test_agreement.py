"""Many callers at once, killed and called again: cloud, DNS, state and registry agree on who is there."""

from __future__ import annotations

import json

import pytest

from tests.signups.conftest import HOST, LISTED, Signups, removal, signup
from tests.support.stack import CANARY_API_KEY

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(1500)]

FOUR = {"pia": "pro", "paul": "pro", "fay": "free", "finn": "free"}
EIGHT = {**FOUR, "petra": "pro", "flo": "free", "fred": "free", "frida": "free"}


def expect_agreement(signups: Signups, wanted: dict[str, str], cell_size: int = 4) -> None:
    """The cloud, its DNS, the states of the cells, the shared host and the registry have exactly these customers."""
    servers = sorted(one["name"] for one in signups.servers())
    assert servers == sorted([HOST, *(name for name, plan in wanted.items() if plan == "pro")])
    names = [one["name"] for one in signups.records() if one["type"] in ("A", "AAAA")]
    assert sorted(names) == sorted([*wanted, "listed"])
    owners: list[str] = []
    for cell in signups.cells():
        state = signups.state_of(cell)
        assert not state.get("pending_operations"), f"{cell} is in the middle of something"
        mine = [one for one in state.get("resources", []) if one["type"] == "clawdet:index:Customer"]
        assert len(mine) <= cell_size, f"{cell} is larger than a cell may be"
        owners += [one["urn"].rpartition("::")[2] for one in mine]
    assert sorted(owners) == sorted(wanted), "a customer is doubled, lost, or not wanted"
    listed = signups.listed()
    assert set(listed) == {*wanted, "listed"}
    assert {one["phase"] for name, one in listed.items() if name in wanted} <= {"healthy"}
    running = signups.server(HOST).run("docker ps --all --format '{{.Names}}'").split()
    tenants = {name.removesuffix("-gateway-1") for name in running if name.endswith("-gateway-1")}
    assert tenants == {"listed", *(name for name, plan in wanted.items() if plan == "free")}


@pytest.mark.parametrize(
    ("everybody", "cell_size"),
    [
        pytest.param(FOUR, 2, id="four"),
        # More of the same: customers on a host, and customers who wait for one another.
        pytest.param(EIGHT, 4, id="eight", marks=pytest.mark.slow),
    ],
)
def test_many_at_once_from_two_processes_killed_and_called_again(
    signups: Signups, everybody: dict[str, str], cell_size: int
) -> None:
    calls = [signup(name, plan) for name, plan in everybody.items()]
    first, second = calls[::2], calls[1::2]

    doomed = [signups.call(*half, cell_size=cell_size) for half in (first, second)]
    for one, stage in zip(doomed, ("server", "deployment"), strict=True):
        one.until(stage)
        one.kill()
    signups.unlocked()

    said = signups.settle(calls, cell_size=cell_size)
    results = {line["result"]["customer"]: line["result"] for line in said if "result" in line}
    assert set(results) == set(everybody)
    assert all(one["success"] and one["access_url"].startswith("https://") for one in results.values())
    assert len(signups.cells()) == 2
    stages = {
        name: {line["event"]["stage"] for line in said if line.get("event", {}).get("customer") == name}
        for name in results
    }
    # A call for a customer whom a killed caller has finished already has nothing to wait for.
    assert all("queued" in stages[name] for name, one in results.items() if one["changed"])
    assert any({"deployment", "DNS", "healthy"} <= passed for passed in stages.values())
    expect_agreement(signups, everybody, cell_size)

    again = signups.call(*calls, cell_size=cell_size).lines()
    assert {line["result"]["changed"] for line in again if "result" in line} == {False}

    # The registry is lost, and made anew from what the cells export.
    before = signups.listed()
    for file in signups.registry.parent.glob("registry.db*"):
        file.unlink()
    after = signups.listed("--rebuild")
    same = ("cell", "plan", "host", "subdomain", "url", "ipv4", "server", "phase")
    assert {n: [o[k] for k in same] for n, o in after.items()} == {n: [o[k] for k in same] for n, o in before.items()}
    assert signups.one(signup("pia"), cell_size=cell_size)["result"]["changed"] is False

    everything = signups.registry.read_bytes() + json.dumps([said, again, before]).encode()
    for secret in (CANARY_API_KEY, LISTED["anthropicApiKey"]):
        assert secret.encode() not in everything
    for cell in signups.cells():
        tokens = json.loads(
            signups.stack.run("pulumi", "stack", "output", "tokens", "--json", "--show-secrets", "--stack", cell).output
        )
        for one in tokens.values():
            assert one["gateway_token"].encode() not in everything
            assert one["auth_password"].encode() not in everything

    gone = [removal(name) for name in everybody]
    doomed_caller = signups.call(*gone[: len(gone) // 2], cell_size=cell_size)
    signups.until_an_update_saves()
    doomed_caller.kill()
    signups.unlocked()
    signups.settle(gone, cell_size=cell_size)
    expect_agreement(signups, {})
