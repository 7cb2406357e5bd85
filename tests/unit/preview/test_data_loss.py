"""What an update deletes or replaces, told from the steps that a preview prints."""

from __future__ import annotations

from typing import Any

import pytest

from clawdet_infra.engine.owners import Owner, Owners
from clawdet_infra.preview.data_loss import guard, losses

STACK = "urn:pulumi:prod::clawdet::pulumi:pulumi:Stack::clawdet-prod"
SERVER = "hcloud:index/server:Server"
COMMAND = "command:remote:Command"
RECORD_SET = "hcloud:index/zoneRrset:ZoneRrset"


def urn(types: str, name: str) -> str:
    return f"urn:pulumi:prod::clawdet::{types}::{name}"


def step(op: str, types: str, name: str, parent: str = STACK, **more: Any) -> dict[str, Any]:
    """A step as `pulumi preview --json` prints it."""
    state = {
        "urn": urn(types, name),
        "custom": not types.endswith(("Customer", "Host", "Base", "$clawdet:index:Server")),
    }
    state |= {"type": types.rpartition("$")[2], "parent": parent, "inputs": more.pop("inputs", {})}
    key = "newState" if op == "create" else "oldState"
    return {"op": op, "urn": state["urn"], key: state, **more}


def instance(op: str, identity: str, server_op: str | None = None, component: str = "Customer") -> list[dict[str, Any]]:
    """The steps of a customer (or host) with a server and a record, deepest parents last, as for deletions."""
    top = f"clawdet:index:{component}"
    group = f"{top}$clawdet:index:Server"
    return [
        step(server_op or op, f"{group}${SERVER}", f"{identity}-server", urn(group, f"{identity}-server-group")),
        step(op, f"{top}${RECORD_SET}", f"{identity}-dns-a", urn(top, identity)),
        step(op, group, f"{identity}-server-group", urn(top, identity)),
        step(op, top, identity),
    ]


def tenant(op: str, identity: str) -> list[dict[str, Any]]:
    top = "clawdet:index:Customer"
    deployment = step(op, f"{top}${COMMAND}", f"{identity}-deployment", urn(top, identity), inputs={"delete": "x"})
    return [deployment, step("delete" if op == "delete" else "same", top, identity)]


@pytest.mark.parametrize("op", ["same", "create", "update", "read", "refresh", "import"])
def test_what_stays_or_comes_loses_nothing(op: str) -> None:
    assert losses(instance(op, "user123")) == []
    assert guard(instance(op, "user123"), most=0) == []


def test_a_paying_customer_that_goes_is_stopped_with_its_name() -> None:
    [finding] = guard(instance("delete", "user123"))
    assert finding.rule == "data_loss"
    assert finding.concerns == ("customer user123",)
    assert "user123-server would be deleted" in finding.message
    assert "all data" in finding.message
    assert "`user123`" in finding.hint


@pytest.mark.parametrize("name", ["user123", "user123-server"])
def test_naming_the_customer_or_the_resource_lets_it_go(name: str) -> None:
    assert guard(instance("delete", "user123"), named=[name]) == []
    assert guard(instance("delete", "user123"), named=["user12"]) != []


def test_naming_one_customer_does_not_let_another_go() -> None:
    findings = guard([*instance("delete", "user123"), *instance("delete", "acme")], named=["user123"])
    assert [finding.concerns for finding in findings] == [("customer acme",)]


@pytest.mark.parametrize("op", ["replace", "create-replacement", "delete-replaced"])
def test_a_server_that_is_replaced_is_stopped_with_the_reason(op: str) -> None:
    steps = instance("same", "acme", server_op=op)
    steps[0]["replaceReasons"] = ["location"]
    [finding] = guard(steps)
    assert "location changed" in finding.message
    assert guard(steps, named=["acme"]) == []


def test_the_steps_of_one_replacement_count_once() -> None:
    ops = ["create-replacement", "replace", "delete-replaced"]
    steps = [one for op in ops for one in instance("same", "acme", server_op=op)]
    assert len(losses(steps)) == 1
    assert len(guard(steps)) == 1


def test_a_shared_host_that_goes_is_stopped() -> None:
    [finding] = guard(instance("delete", "shared-1", component="SharedHost"))
    assert finding.concerns == ("shared host shared-1",)


def test_the_zone_that_goes_is_stopped() -> None:
    base = "clawdet:index:Base"
    zone = step("delete", f"{base}$hcloud:index/zone:Zone", "base-zone", urn(base, "base"))
    [finding] = guard([zone, step("same", base, "base")])
    assert "the DNS zone" in finding.message
    assert guard([zone, step("same", base, "base")], named=["base"]) == []


def test_a_free_customer_may_go_but_its_deployment_may_not_be_replaced() -> None:
    assert guard(tenant("delete", "alice")) == []
    [finding] = guard(tenant("replace", "alice"))
    assert "all data of the customer" in finding.message


def moved(identity: str, *ops: tuple[str, str]) -> list[dict[str, Any]]:
    """The steps of a customer who stays, with a deployment for each op and name."""
    top = "clawdet:index:Customer"
    its = [step(op, f"{top}${COMMAND}", name, urn(top, identity), inputs={"delete": "x"}) for op, name in ops]
    return [*its, step("same", top, identity)]


def test_a_customer_who_gets_another_server_without_its_data_has_to_be_named() -> None:
    steps = moved("alice", ("delete", "alice-deployment@shared-1"), ("create", "alice-deployment@shared-2"))
    [finding] = guard(steps)
    assert finding.rule == "data_loss"
    assert finding.concerns == ("customer alice",)
    assert "alice-deployment@shared-1 would be deleted, with all data of the customer" in finding.message
    assert guard(steps, named=["bob"]) != []
    assert guard(steps, named=["alice"]) == []


@pytest.mark.parametrize(
    ("was", "name", "is_removable", "refused"),
    [
        ("alice-deployment", "alice-deployment", False, True),
        ("alice-deployment", "alice-deployment@shared-2", True, True),
        ("alice-deployment", "alice-deployment@shared-1", True, False),
        ("alice-deployment@shared-1", "alice-deployment@shared-1", True, False),
    ],
)
def test_what_an_older_release_deployed_never_stays_behind(
    was: str, name: str, is_removable: bool, refused: bool
) -> None:
    top = "clawdet:index:Customer"
    deployment = step("update", f"{top}${COMMAND}", name, urn(top, "alice"), inputs={"delete": "x"})
    deployment["oldState"]["urn"] = urn(f"{top}${COMMAND}", was)
    deployment["newState"] = {"inputs": {"delete": "x"} if is_removable else {}}
    customer = step("update", top, "alice")
    customer["oldState"]["outputs"] = {"host": "shared-1"}
    findings = guard([deployment, customer], named=["alice"])
    assert [one.rule for one in findings] == ["left_behind"] * refused
    assert all(
        "customer alice gets another server, and would go on running on shared-1" in one.message for one in findings
    )


def test_a_removal_by_an_old_program_that_would_remove_another_customer_too_waits_for_a_newer_one() -> None:
    top = "clawdet:index:Customer"
    others = [step("same", top, "acme.trial"), step("same", top, "bob")]
    [finding] = guard([*tenant("delete", "acme"), *others], named=["acme"])
    assert finding.rule == "old_removal"
    assert "customer acme.trial" in finding.message
    newer = [one | {"urn": one["urn"].replace("-deployment", "-deployment@h")} for one in tenant("delete", "acme")]
    assert guard([*newer, *others]) == []
    assert guard([*tenant("delete", "bob"), *others[:1]]) == []


def test_a_name_that_two_could_mean_lets_only_the_one_go_whose_id_it_is() -> None:
    # The first customer's server is called like the second customer.
    steps = [*instance("delete", "acme"), *instance("delete", "acme-server")]
    assert [one.concerns for one in guard(steps, named=["acme-server"])] == [("customer acme",)]
    assert [one.concerns for one in guard(steps, named=["acme"])] == [("customer acme-server",)]
    base = "clawdet:index:Base"
    zone = step("delete", f"{base}$hcloud:index/zone:Zone", "base-zone", urn(base, "base"))
    steps = [zone, step("same", base, "base"), *instance("delete", "base")]
    [finding] = guard(steps, named=["base"])
    assert "the DNS zone" in finding.message


@pytest.mark.parametrize("identity", ["acme", "acme-dns", "acme-server", "acme-server-host-key"])
@pytest.mark.parametrize(
    ("kind", "end"),
    [
        (f"clawdet:index:DnsRecords${RECORD_SET}", "-dns-aaaa"),
        (f"clawdet:index:Server${SERVER}", "-server"),
        ("clawdet:index:Server$clawdet:index:KeyPair$random:index/randomPassword:RandomPassword", "-server-host-key"),
        (f"clawdet:index:Deployment${COMMAND}", "-deployment@shared-1"),
        ("clawdet:index:HealthCheck$command:local:Command", "-health"),
        (SERVER, "-server"),
        ("random:index/randomPassword:RandomPassword", "-server-host-key"),
        ("random:index/randomPassword:RandomPassword", "-token"),
        ("random:index/randomPassword:RandomPassword", "-token-password"),
        (COMMAND, "-deployment@shared-1"),
        ("command:remote:CopyToRemote", "-agent"),
    ],
)
def test_a_part_is_known_by_its_name_where_the_engine_did_not_come_to_what_it_is_in(
    identity: str, kind: str, end: str
) -> None:
    part = step("delete", f"clawdet:index:Customer${kind}", f"{identity}{end}")
    part["oldState"]["parent"] = ""
    assert Owners([part]).of(part["urn"]) == Owner("customer", identity)


def test_more_losses_than_may_be_are_stopped_unless_enough_of_them_are_named() -> None:
    ids = [f"free{number}" for number in range(6)]
    steps = [one for identity in ids for one in tenant("delete", identity)]
    [finding] = guard(steps, most=5)
    assert finding.rule == "deletions"
    assert finding.concerns == tuple(ids)
    assert guard(steps, most=6) == []
    assert guard(steps, most=5, named=["free0"]) == []


def test_a_rotation_is_counted_and_not_taken_for_a_loss_of_data() -> None:
    top = "clawdet:index:Customer"
    steps = [
        step("replace", f"{top}$random:index/randomPassword:RandomPassword", f"c{number}-token", urn(top, f"c{number}"))
        for number in range(3)
    ]
    groups = [step("same", top, f"c{number}") for number in range(3)]
    assert guard([*steps, *groups]) == []
    assert [finding.rule for finding in guard([*steps, *groups], most=2)] == ["deletions"]
