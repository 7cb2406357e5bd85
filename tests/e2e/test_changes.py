"""Changes to the list of customers: each touches what it names and nothing else."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from tests.support.gateway import curl
from tests.support.live import BASELINE, LiveFleet
from tests.support.stack import customer

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(900)]

ALICE, USER = BASELINE


def all_start_times(fleet: LiveFleet) -> dict[str, dict[str, str]]:
    return {name: fleet.server(name).start_times() for name in ("shared-1", "user123")}


def owned_by(names: Any, identity: str) -> bool:
    return all(name == identity or name.startswith(f"{identity}-") for name in names)


def test_a_new_customer_is_all_that_a_preview_lists_and_an_update_touches(fleet: LiveFleet) -> None:
    before = all_start_times(fleet)
    fleet.want([ALICE, USER, customer("newcomer", "pro")])
    steps = fleet.stack.preview_steps()
    steps = {name: op for name, op in steps.items() if not name.startswith("clawdet-")}
    assert steps, "the preview shows the new customer"
    assert owned_by(steps, "newcomer"), f"the preview touches others: {steps}"
    assert set(steps.values()) == {"create"}
    assert fleet.stack.clawdet_up().ok()
    assert all_start_times(fleet) == before, "containers of other customers were restarted"
    one = fleet.stack.outputs()["customers"]["newcomer"]
    assert curl(f"{one['url']}/healthz", one["ipv4"], fleet.cloud["ca"]).status == 200

    # Removing it takes its server, records and data, and nothing else.
    fleet.deploy()
    assert all_start_times(fleet) == before
    assert "newcomer" not in fleet.stack.outputs()["customers"]
    assert not [server for server in servers(fleet) if server["name"] == "newcomer"]
    assert not [one for one in record_sets(fleet) if one["name"] == "newcomer"]


def test_a_free_customer_leaves_no_trace_on_its_host_and_its_neighbour_runs_on(fleet: LiveFleet) -> None:
    fleet.deploy([ALICE, USER, customer("bob", "free")])
    host = fleet.server("shared-1")
    assert "bob_state" in host.run("docker volume ls -q")
    alice = {name: time for name, time in host.start_times().items() if "alice" in name}
    fleet.deploy()
    assert "bob" not in host.run(
        "docker ps -a --format '{{.Names}}'; docker volume ls -q; docker network ls; ls /srv/clawdet"
    )
    assert {name: time for name, time in host.start_times().items() if "alice" in name} == alice


def test_the_order_of_the_list_changes_nothing(fleet: LiveFleet) -> None:
    fleet.want([USER, ALICE])
    assert fleet.stack.preview("--expect-no-changes").code == 0


def test_a_rotated_token_is_in_force_and_the_server_stays(fleet: LiveFleet) -> None:
    from tests.support.gateway import invoke

    before = fleet.stack.outputs()
    fleet.want([ALICE, {**USER, "tokenVersion": 2}])
    steps = fleet.stack.preview_steps()
    assert "user123-server" not in steps, "a rotation must not rebuild the server"
    fleet.stack.clawdet_up().ok()
    after = fleet.stack.outputs()
    one = after["customers"]["user123"]
    old, new = before["tokens"]["user123"]["gateway_token"], after["tokens"]["user123"]["gateway_token"]
    assert old != new
    assert invoke(one["url"], one["ipv4"], fleet.cloud["ca"], old).status == 401
    assert invoke(one["url"], one["ipv4"], fleet.cloud["ca"], new).status == 200


def test_a_release_that_does_not_start_fails_is_named_and_leaves_the_old_one_serving(fleet: LiveFleet) -> None:
    one = fleet.stack.outputs()["customers"]["user123"]
    # Caddy's image starts, but it is no gateway.
    broken = {**USER, "release": {"gateway": "docker.io/library/caddy:2.11.9"}}
    fleet.want([ALICE, broken])
    failed = fleet.stack.clawdet_up()
    assert failed.code != 0
    assert "customer user123" in failed.output, failed.output
    assert "last answer" in failed.output, failed.output
    assert curl(f"{one['url']}/healthz", one["ipv4"], fleet.cloud["ca"]).json()["ok"] is True
    fleet.deploy()
    assert fleet.stack.preview("--expect-no-changes").code == 0


def test_an_image_that_is_not_in_the_registry_is_one_sentence_of_the_preview(fleet: LiveFleet) -> None:
    fleet.want([ALICE, {**USER, "release": {"gateway": "docker.io/openclaw/openclaw:0.0.0"}}])
    failed = fleet.stack.preview()
    fleet.want([ALICE, USER])
    assert failed.code != 0
    assert "openclaw/openclaw:0.0.0 was not found" in failed.output, failed.output
    assert "Traceback" not in failed.output, "an operator needs the problem, not our source"


def servers(fleet: LiveFleet) -> list[dict[str, Any]]:
    return api(fleet, "/servers")["servers"]


def record_sets(fleet: LiveFleet) -> list[dict[str, Any]]:
    return api(fleet, "/zones/clawdet.test/rrsets")["rrsets"]


def api(fleet: LiveFleet, path: str) -> Any:
    import json

    config = f'url = "{fleet.cloud["endpoint"]}{path}"\nheader = "Authorization: Bearer {fleet.cloud["token"]}"\n'
    done = subprocess.run(
        ["curl", "--silent", "--fail", "--config", "-"], input=config, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)
