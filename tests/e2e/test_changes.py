"""Changes to the list of customers: each touches what it names and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import BrokenUpdate
from tests.support.cloud import get
from tests.support.gateway import curl
from tests.support.live import BASELINE, LiveFleet
from tests.support.secrecy import found_in
from tests.support.stack import customer

pytestmark = [pytest.mark.cloud, pytest.mark.engine, pytest.mark.timeout(900)]

ALICE, USER = BASELINE


def all_start_times(fleet: LiveFleet) -> dict[str, dict[str, str]]:
    return {name: fleet.server(name).start_times() for name in ("shared-1", "user123")}


def not_bob(times: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Leave out the containers of the new free customer."""
    return {
        server: {name: time for name, time in of.items() if not name.startswith("/bob-")}
        for server, of in times.items()
    }


def test_new_customers_are_all_that_a_preview_lists_and_an_update_touches(fleet: LiveFleet) -> None:
    before = all_start_times(fleet)
    fleet.want([ALICE, USER, customer("newcomer", "pro"), customer("bob", "free")])
    steps = fleet.stack.preview_steps()
    steps = {name: op for name, op in steps.items() if not name.startswith("clawdet-")}
    # What is a customer's is called by its id, but for the record, which is called by its host name.
    owners = {name.partition(".")[0].partition("-")[0] for name in steps}
    assert owners == {"newcomer", "bob"}, f"the preview touches others: {steps}"
    assert set(steps.values()) == {"create"}
    assert fleet.stack.clawdet_up().ok()
    assert not_bob(all_start_times(fleet)) == before, "containers of other customers were restarted"
    outputs = fleet.stack.outputs()
    one = outputs["customers"]["newcomer"]
    assert curl(f"{one['url']}/healthz", one["ipv4"], fleet.cloud["ca"]).status == 200
    host = fleet.server("shared-1")
    assert "bob_state" in host.run("docker volume ls -q")
    bob = outputs["tokens"]["bob"]
    seen = host.run("docker ps -q -f name=alice | xargs docker inspect")
    assert not found_in(seen, {"token": bob["gateway_token"], "password": bob["auth_password"]})

    # Removing them takes their servers, records and data, and nothing else.
    fleet.deploy()
    assert all_start_times(fleet) == before
    assert not {"newcomer", "bob"} & set(fleet.stack.outputs()["customers"])
    assert not [server for server in servers(fleet) if server["name"] == "newcomer"]
    assert not [one for one in record_sets(fleet) if one["name"] in ("newcomer", "bob")]
    left = host.run("docker ps -a --format '{{.Names}}'; docker volume ls -q; docker network ls; ls /srv/clawdet")
    assert "bob" not in left


def test_the_order_of_the_list_changes_nothing(fleet: LiveFleet) -> None:
    with fleet.file([USER, ALICE]):
        assert fleet.stack.preview("--expect-no-changes").code == 0


def test_a_release_that_does_not_start_fails_is_named_and_leaves_the_old_one_serving(
    broken_update: BrokenUpdate,
) -> None:
    failed = broken_update.failed
    assert failed.code != 0
    assert "customer canary" in failed.output, failed.output
    assert "last answer" in failed.output, failed.output
    assert broken_update.meanwhile.json()["ok"] is True
    assert broken_update.after.code == 0, broken_update.after.output


def test_an_image_that_is_not_in_the_registry_is_one_sentence_of_the_preview(fleet: LiveFleet) -> None:
    with fleet.file([ALICE, {**USER, "release": {"gateway": "docker.io/openclaw/openclaw:0.0.0"}}]):
        failed = fleet.stack.preview()
    assert failed.code != 0
    assert "openclaw/openclaw:0.0.0 was not found" in failed.output, failed.output
    assert "Traceback" not in failed.output, "an operator needs the problem, not our source"


def servers(fleet: LiveFleet) -> list[dict[str, Any]]:
    return get(fleet.cloud, "/servers")["servers"]


def record_sets(fleet: LiveFleet) -> list[dict[str, Any]]:
    return get(fleet.cloud, "/zones/clawdet.test/rrsets")["rrsets"]
