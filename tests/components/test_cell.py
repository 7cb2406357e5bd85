"""A cell's declaration, against a recorder: customers over the base of another stack."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from clawdet_infra.program import declare, declare_cell, zone_behind_firewall
from tests.components.fleets import API_KEY, customer, fleet
from tests.components.recording import Recorder, is_secret, run

BASE = "organization/clawdet/prod"
CELL = "prod-cell-1"
NEWCOMERS = [customer("bob", "pro"), customer("carol", "free", host="shared-1")]
SERVER = "hcloud:index/server:Server"
REMOTE = "command:remote:Command"
RECORD_SET = "hcloud:index/zoneRrset:ZoneRrset"


def base(**fields: Any) -> dict[str, Any]:
    """What the stack of the base exports."""

    def program() -> dict[str, Any]:
        result = declare(fleet(**fields))
        return {"login_key": result.login_key, **result.more}

    return run(program)[1]


def cell(customers: list[dict[str, Any]]) -> tuple[Recorder, dict[str, Any]]:
    def program() -> dict[str, Any]:
        result = declare_cell(fleet(customers), cell=CELL, base="prod", records={one["id"]: one for one in customers})
        return {
            "customers": result.customers,
            "tokens": result.tokens,
            "servers": result.servers,
            "login_key": result.login_key,
            **result.more,
        }

    return run(program, {BASE: base()})


def test_a_cell_declares_its_customers_and_nothing_that_the_base_has() -> None:
    recorder, _ = cell(NEWCOMERS)
    assert set(recorder.of_type(SERVER)) == {"bob-server"}
    assert set(recorder.of_type(REMOTE)) == {"bob-deployment", "carol-deployment@shared-1"}
    shared = {"index/firewall", "index/zone:", "index/sshKey"}
    assert not [one.typ for one in recorder.resources.values() if any(kind in one.typ for kind in shared)]


def test_its_servers_are_under_the_firewall_of_the_base_and_say_their_cell() -> None:
    labels = cell(NEWCOMERS)[0].of_type(SERVER)["bob-server"]["labels"]
    key, value = base()["base"]["server_selector"].split("=")
    assert labels[key] == value
    assert labels["clawdet-cell"] == CELL


def test_a_base_of_another_domain_is_refused_before_a_server_is_made() -> None:
    shared = base()["base"]
    with pytest.raises(pulumi.RunError, match="clawdet up -s prod"):
        zone_behind_firewall(shared, "clawdet-fleet=other.example", "prod")
    assert zone_behind_firewall(shared, shared["server_selector"], "prod") == "clawdet.test"


def test_deployments_log_in_with_the_key_of_the_base() -> None:
    recorder, outputs = cell(NEWCOMERS)
    exported = base()
    for one in recorder.of_type(REMOTE).values():
        assert one["connection"]["privateKey"] == exported["login_key"]
    assert outputs["login_key"] == exported["login_key"]


def test_a_free_customer_lives_on_the_host_of_the_base() -> None:
    recorder, outputs = cell(NEWCOMERS)
    host = base()["base"]["hosts"]["shared-1"]
    connection = recorder.of_type(REMOTE)["carol-deployment@shared-1"]["connection"]
    assert (connection["host"], connection["hostKey"]) == (host["ipv4"], host["host_key"])
    [address] = recorder.of_type(RECORD_SET)["carol.clawdet.test/A"]["records"]
    assert address["value"] == host["ipv4"]
    assert outputs["customers"]["carol"]["host"] == "shared-1"
    assert set(outputs["servers"]) == {"bob"}


def test_it_exports_the_records_of_its_customers_as_a_secret() -> None:
    def program() -> dict[str, Any]:
        more = declare_cell(fleet(NEWCOMERS), cell=CELL, base="prod", records={"bob": NEWCOMERS[0]}).more
        return {"secret": pulumi.Output.from_input(more["records"]).is_secret(), **more}

    outputs = run(program, {BASE: base()})[1]
    assert outputs["records"]["bob"]["anthropicApiKey"] == API_KEY
    assert outputs["secret"]
    assert outputs["base_stack"] == "prod"


HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPHJrSmEsAEpu4Fq1J7aGFQ1BhJbGXBCfFBNGHa1DPtL"


def test_a_server_that_is_there_is_used_and_not_rented() -> None:
    there = customer("dave", existingServer={"ipv4": "5.75.200.7", "hostKey": HOST_KEY})
    recorder, outputs = cell([there])
    assert not recorder.of_type(SERVER)
    [(name, deployment)] = recorder.of_type(REMOTE).items()
    assert name.startswith("dave-deployment@existing-"), "on another server it would be another resource"
    assert (deployment["connection"]["host"], deployment["connection"]["hostKey"]) == ("5.75.200.7", HOST_KEY)
    assert deployment["delete"], "the customer would stay on a server that is not removed with it"
    assert set(recorder.of_type(RECORD_SET)) == {"dave.clawdet.test/A"}
    assert outputs["servers"] == {"dave": {"ipv4": "5.75.200.7", "host_key": HOST_KEY}}


def test_secrets_of_a_cell_are_marked_on_their_way_to_the_engine() -> None:
    recorder, _ = cell(NEWCOMERS)
    deployment = recorder.resources[f"{REMOTE}::bob-deployment"].inputs
    assert is_secret(deployment["stdin"])
    assert is_secret(deployment["connection"]) or is_secret(deployment["connection"]["privateKey"])
