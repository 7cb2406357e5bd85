"""The whole declaration, against a recorder: what is there, what depends on what, what a change touches."""

from __future__ import annotations

import base64
import gzip
import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pulumi.runtime import resource

from clawdet_infra.agent import package
from clawdet_infra.program import declare
from tests.components.fleets import API_KEY, CUSTOMERS, customer, fleet
from tests.components.recording import DIGEST, Recorder, is_secret, run
from tests.support.examples import examples
from tests.support.stack import ROOT

SERVER = "hcloud:index/server:Server"
RECORD_SET = "hcloud:index/zoneRrset:ZoneRrset"
REMOTE = "command:remote:Command"
LOCAL = "command:local:Command"
PASSWORD = "random:index/randomPassword:RandomPassword"


def declared(**fields: Any) -> tuple[Recorder, dict[str, Any]]:
    def program() -> dict[str, Any]:
        result = declare(fleet(**fields))
        return {"customers": result.customers, "tokens": result.tokens, "servers": result.servers}

    return run(program)


def test_each_paying_customer_has_a_server_and_free_ones_share_one() -> None:
    recorder, _ = declared()
    assert set(recorder.of_type(SERVER)) == {"user123-server", "acme-server", "shared-1-server"}


def test_each_customer_has_one_address_record_and_none_for_ipv6() -> None:
    records = declared()[0].of_type(RECORD_SET)
    assert {(one["name"], one["type"]) for one in records.values()} == {
        (name, "A") for name in ("alice", "user123", "acme")
    }


def test_the_record_of_a_free_customer_leads_to_the_shared_host() -> None:
    recorder, outputs = declared()
    [address] = recorder.of_type(RECORD_SET)["alice.clawdet.test/A"]["records"]
    assert address["value"] == outputs["servers"]["shared-1"]["ipv4"]


def test_every_customer_has_one_deployment_and_one_health_check() -> None:
    recorder, _ = declared()
    assert set(recorder.of_type(REMOTE)) == {
        "alice-deployment@shared-1",
        "user123-deployment",
        "acme-deployment",
        "shared-1-edge",
    }
    assert set(recorder.of_type(LOCAL)) == {"alice-health", "user123-health", "acme-health"}


def test_the_health_check_fails_for_a_customer_that_does_not_answer() -> None:
    inputs = declared()[0].of_type(LOCAL)["user123-health"]
    # No name server listens on port 1.
    request = {**json.loads(inputs["stdin"]), "resolver": "127.0.0.1:1", "deadline_seconds": 1}
    environment = {**os.environ, **inputs["environment"]}
    done = subprocess.run(
        ["/bin/sh", "-c", inputs["create"]],
        cwd=ROOT,
        env=environment,
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("[clawdet:unhealthy] customer user123: probe dns failed: ")


def test_outputs_have_the_documented_shape() -> None:
    _, outputs = declared()
    assert outputs["customers"]["user123"] == {
        "url": "https://user123.clawdet.test",
        "ipv4": outputs["servers"]["user123"]["ipv4"],
        "plan": "pro",
        "host": "user123",
        "image": f"10.64.0.1:5000/openclaw/openclaw:2026.9.6@{DIGEST}",
        "user": "user123",
    }
    assert set(outputs["tokens"]["user123"]) == {"gateway_token", "auth_password"}


def test_tokens_are_64_hex_characters_and_differ_between_customers() -> None:
    tokens = declared()[1]["tokens"]
    values = [one["gateway_token"] for one in tokens.values()]
    assert all(len(value) == 64 and set(value) <= set("0123456789abcdef") for value in values)
    assert len(set(values)) == len(values)


def test_the_password_is_the_beginning_of_the_token_unless_it_is_independent() -> None:
    derived = declared()[1]["tokens"]["user123"]
    assert derived["auth_password"] == derived["gateway_token"][:16]
    independent = declared(customers=[customer("user123", authPassword="independent")])[1]["tokens"]["user123"]
    assert not independent["gateway_token"].startswith(independent["auth_password"])
    assert len(independent["auth_password"]) >= 16


def test_a_token_that_the_customer_brings_along_is_used_and_none_is_made() -> None:
    given_token = "0123456789abcdef" * 4
    recorder, outputs = declared(customers=[customer("user123", gatewayToken=given_token)])
    assert outputs["tokens"]["user123"]["gateway_token"] == given_token
    assert "user123-token" not in recorder.of_type(PASSWORD)


def test_a_rotation_makes_a_new_token_and_leaves_the_server_alone() -> None:
    before, _ = declared(customers=[customer("user123")])
    after, _ = declared(customers=[customer("user123", tokenVersion=2)])
    assert before.of_type(PASSWORD)["user123-token"]["keepers"] != after.of_type(PASSWORD)["user123-token"]["keepers"]
    assert before.of_type(SERVER) == after.of_type(SERVER)


def test_each_image_is_looked_up_once_however_many_customers_use_it() -> None:
    recorder, _ = declared()
    looked_up = [call.args["name"] for call in recorder.calls]
    assert sorted(looked_up) == sorted(set(looked_up))


def test_nobody_asks_for_the_browser_where_no_plan_has_one() -> None:
    recorder, _ = declared(customers=[customer("user123")])
    assert not [call for call in recorder.calls if "headless" in call.args["name"]]


def test_an_image_that_is_pinned_already_is_not_looked_up() -> None:
    pinned = {
        "gateway": f"ghcr.io/openclaw/openclaw@{DIGEST}",
        "proxy": f"docker.io/library/caddy@{DIGEST}",
        "browser": f"docker.io/chromedp/headless-shell@{DIGEST}",
    }
    recorder, _ = declared(release=pinned)
    assert recorder.calls == []


def test_a_customer_has_nine_resources_and_a_tenant_seven() -> None:
    def mine(identity: str) -> list[str]:
        names = declared()[0].resources.values()
        own = (identity, f"{identity}.clawdet.test/A")
        return sorted(
            f"{one.typ} {one.name}" for one in names if one.name in own or one.name.startswith(f"{identity}-")
        )

    assert mine("user123") == [
        "clawdet:index:Customer user123",
        "clawdet:index:HealthCheck user123-health",
        "command:local:Command user123-health",
        "command:remote:Command user123-deployment",
        "command:remote:CopyToRemote user123-agent",
        "hcloud:index/server:Server user123-server",
        "hcloud:index/zoneRrset:ZoneRrset user123.clawdet.test/A",
        f"{PASSWORD} user123-server-host-key",
        f"{PASSWORD} user123-token",
    ]
    assert len(mine("alice")) == 7


def test_the_agent_is_a_file_that_is_named_by_its_content_and_copied_to_no_place_of_another() -> None:
    copies = declared()[0].of_type("command:remote:CopyToRemote")
    assert set(copies) == {"alice-agent", "user123-agent", "acme-agent", "shared-1-agent"}
    digest = package.build().digest
    for one in copies.values():
        file = Path(one["source"].removeprefix("the file "))
        assert file.name == f"{digest}.pyz"
        assert file.read_bytes() == package.build().content
        assert digest in one["remotePath"]
    assert len({one["remotePath"] for one in copies.values()}) == len(copies), "two would write to one file at once"


def test_a_resource_is_noted_with_the_line_that_declares_it_and_not_with_the_whole_stack() -> None:
    declared()
    noted: list[Any] = []

    class Resource:
        """As deep as the constructors of the SDK, which its function counts."""

        def __init__(self, more: int) -> None:
            Resource(more - 1) if more else noted.append(resource._get_source_position(resource._get_stack_trace()))

    Resource(2)
    [position] = noted
    assert position.uri.endswith("/tests/components/test_program.py")
    assert not resource._get_stack_trace().frames


def test_secrets_are_in_no_command_text_and_no_user_data() -> None:
    recorder, outputs = declared()
    secrets = [API_KEY, *(value for one in outputs["tokens"].values() for value in one.values())]
    for kind in (REMOTE, LOCAL, SERVER):
        for name, inputs in recorder.of_type(kind).items():
            seen = {key: value for key, value in inputs.items() if key not in ("stdin", "connection")}
            if kind == SERVER:
                seen["userData"] = gzip.decompress(base64.b64decode(seen["userData"])).decode()
            seen = json.dumps(seen)
            assert not [secret for secret in secrets if secret in seen], f"{name} shows a secret"


def test_a_tenant_of_a_shared_host_is_removed_by_a_command_and_others_with_their_server() -> None:
    commands = declared()[0].of_type(REMOTE)
    assert "delete" in commands["alice-deployment@shared-1"], "nothing else removes the containers and data of a tenant"
    assert "delete" not in commands["user123-deployment"], "the server goes, and everything on it"


def test_what_holds_secrets_is_marked_secret_as_a_whole() -> None:
    recorder, _ = declared()
    for kind in (REMOTE, LOCAL):
        for name in recorder.of_type(kind):
            assert is_secret(recorder.resources[f"{kind}::{name}"].inputs["stdin"]), f"{name} would show its stdin"
    for name in recorder.of_type(SERVER):
        assert is_secret(recorder.resources[f"{SERVER}::{name}"].inputs["userData"]), f"{name} would show its host key"


def test_ssh_connections_are_pinned_to_a_host_key() -> None:
    for name, inputs in declared()[0].of_type(REMOTE).items():
        assert inputs["connection"]["hostKey"].startswith("ssh-ed25519 "), f"{name} would accept any host key"


def test_the_firewall_lets_ssh_in_from_the_configured_networks_only() -> None:
    [firewall] = declared()[0].of_type("hcloud:index/firewall:Firewall").values()
    rules = {rule.get("port", rule["protocol"]): rule["sourceIps"] for rule in firewall["rules"]}
    assert rules["22"] == ["203.0.113.0/24"]
    assert set(rules) == {"22", "80", "443", "icmp"}


def test_a_server_of_a_paying_customer_is_protected_at_hetzner_too() -> None:
    servers = declared()[0].of_type(SERVER)
    assert servers["user123-server"]["deleteProtection"] is True
    assert servers["user123-server"]["rebuildProtection"] is True
    assert declared(protect=False)[0].of_type(SERVER)["user123-server"]["deleteProtection"] is False


def _inputs_without(recorder: Recorder, identity: str) -> dict[str, Any]:
    """The inputs of all resources but one customer's."""
    return {
        key: one.inputs
        for key, one in recorder.resources.items()
        if one.name != identity and not one.name.startswith((f"{identity}-", f"{identity}.clawdet.test/"))
    }


ids = st.lists(
    st.from_regex(r"[a-z][a-z0-9]{2,8}", fullmatch=True).filter(
        lambda name: name not in ("api", "www", "mail", "base")
    ),
    min_size=1,
    max_size=4,
    unique=True,
)


@settings(max_examples=examples(15))
@given(ids, st.sampled_from(["pro", "enterprise"]))
def test_adding_a_customer_changes_no_input_of_any_other_resource(names: list[str], plan: str) -> None:
    before, _ = declared(customers=[customer(f"c-{name}") for name in names])
    after, _ = declared(customers=[customer("newcomer", plan), *(customer(f"c-{name}") for name in names)])
    assert _inputs_without(after, "newcomer") == _inputs_without(before, "newcomer")


def _record_sets(names: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """What is at the cloud under each logical name, given the customers' subdomains: the name, and where it leads."""
    recorder, _ = declared(customers=[customer(one, subdomain=name) for one, name in names.items()])
    found = recorder.of_type(RECORD_SET).items()
    return {logical: (one["name"], one["records"][0]["value"]) for logical, one in found}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"ada": "desk", "bob": "bob"}, {"ada": "ada", "bob": "desk"}),
        ({"ada": "desk", "bob": "bob"}, {"ada": "bob", "bob": "desk"}),
        ({"ada": "one", "bob": "two", "eve": "three"}, {"ada": "two", "bob": "three", "eve": "four"}),
        ({"ada": "one", "bob": "two", "eve": "three"}, {"ada": "two", "bob": "three", "eve": "one"}),
        ({"ada": "desk"}, {"bob": "desk"}),
    ],
    ids=["passed on", "exchanged", "chain", "circle", "left and taken"],
)
def test_a_name_that_passes_to_another_customer_is_one_record_that_is_changed_in_place(
    before: dict[str, str], after: dict[str, str]
) -> None:
    old, new = _record_sets(before), _record_sets(after)
    # The engine makes what is new in any order, and deletes at the end what is gone.
    taken = {name for name, _ in old.values()}
    for logical, (name, _) in new.items():
        assert logical in old or name not in taken, f"{name} would be made while another customer has it"
        assert old.get(logical, (name,))[0] == name, f"{logical} would be replaced, and {name} have no record meanwhile"


@pytest.mark.parametrize("order", [CUSTOMERS, CUSTOMERS[::-1]])
def test_the_order_of_the_list_changes_nothing(order: list[dict[str, Any]]) -> None:
    recorder, outputs = declared(customers=order)
    reference, reference_outputs = declared()
    assert _inputs_without(recorder, "nobody") == _inputs_without(reference, "nobody")
    assert outputs == reference_outputs
