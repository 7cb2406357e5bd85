"""What the provider would refuse of an update, told from the steps that a preview prints."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.config.servers import SERVER_TYPES, misfit_of_type
from clawdet_infra.preview.conflicts import refusals
from localcloud.api.catalogue.server_types import SERVER_TYPES as SOLD
from tests.unit.preview.test_data_loss import COMMAND, RECORD_SET, SERVER, step, urn

TOP = "clawdet:index:Customer"
GROUP = f"{TOP}$clawdet:index:Server"
STACK_TYPE = "pulumi:pulumi:Stack"
KINDS = st.sampled_from(sorted(SERVER_TYPES))


def resized(old: Any, new: Any, disk: Any, op: str = "update", identity: str = "user123") -> list[dict[str, Any]]:
    made = step(op, f"{GROUP}${SERVER}", f"{identity}-server", urn(TOP, identity))
    made["oldState"] = {**made["oldState"], "outputs": {"serverType": old, "primaryDiskSize": disk}}
    made["newState"] = {**made["oldState"], "inputs": {"serverType": new}}
    return [step("same", STACK_TYPE, "clawdet-prod"), made, step("same", TOP, identity)]


@pytest.mark.parametrize(
    ("old", "new", "disk", "part"),
    [
        ("cx33", "cx23", 80, "its disk has 80 GB, a cx23 has 40"),
        ("cx23", "cax11", 40, "processors of different architectures"),
        ("cx33", "cx23", 40, None),
        ("cx23", "cx33", 40, None),
        ("cx33", "cx33", 640, None),
        ("cx33", "cx999", 80, None),
        ("old1", "cx23", 80, None),
        ("cx33", {"4dabf18193072939515e22adb298388d": "x"}, 80, None),
        ("cx33", "cx23", None, None),
    ],
)
def test_a_type_that_the_provider_would_refuse_is_told(old: Any, new: Any, disk: Any, part: str | None) -> None:
    found = refusals(resized(old, new, disk))
    if part is None:
        assert found == []
    else:
        [one] = found
        assert part in one.message
        assert (one.rule, one.concerns) == ("server_type", ("customer user123",))
        assert "user123-server" in one.message


def test_a_server_that_is_made_anew_has_the_disk_of_its_new_type() -> None:
    assert refusals(resized("cx33", "cx23", 80, op="replace")) == []


@given(KINDS, KINDS)
def test_with_the_disk_kept_every_change_of_type_can_be_undone(old: str, new: str) -> None:
    disk = SERVER_TYPES[old].disk
    if misfit_of_type(old, new, disk) is None:
        assert misfit_of_type(new, old, disk) is None


def test_server_types_are_those_that_the_local_cloud_sells() -> None:
    known = {name: (one.cores, one.memory_gib, one.disk, one.locations) for name, one in SERVER_TYPES.items()}

    assert known == {one.name: (one.cores, one.memory, one.disk, one.locations) for one in SOLD}


def on_existing(identity: str, address: str, plan: str = "pro") -> list[dict[str, Any]]:
    """The steps of a customer who is to come to a server that is there."""
    deployment = step(
        "create",
        f"{TOP}${COMMAND}",
        f"{identity}-deployment",
        urn(TOP, identity),
        inputs={"create": f"# plan: {plan}\necho"},
    )
    record = step(
        "create",
        f"{TOP}${RECORD_SET}",
        f"{identity}-dns-a",
        urn(TOP, identity),
        inputs={"type": "A", "records": [{"value": address}]},
    )
    return [deployment, record, step("create", TOP, identity)]


def there(identity: str, address: str, component: str = TOP) -> list[dict[str, Any]]:
    server = step("same", f"{component}$clawdet:index:Server${SERVER}", f"{identity}-server", urn(component, identity))
    server["oldState"] = {**server["oldState"], "outputs": {"ipv4Address": address}}
    return [server, step("same", component, identity)]


HOST = "clawdet:index:SharedHost"


@pytest.mark.parametrize(
    ("steps", "refused"),
    [
        ([*there("ada", "5.75.200.1"), *on_existing("bob", "5.75.200.1")], ["customer bob"]),
        ([*there("shared-1", "5.75.200.1", HOST), *on_existing("bob", "5.75.200.1")], ["customer bob"]),
        ([*there("shared-1", "5.75.200.1", HOST), *on_existing("bob", "5.75.200.1", "free")], []),
        ([*there("ada", "5.75.200.1"), *on_existing("bob", "5.75.200.2")], []),
        (there("ada", "5.75.200.1"), []),
    ],
)
def test_an_existing_server_that_is_one_of_the_stack_is_refused(
    steps: list[dict[str, Any]], refused: list[str]
) -> None:
    assert [name for one in refusals(steps) for name in one.concerns] == refused


def record(op: str, owner: str, name: str, old: str | None = None, new: str | None = None) -> dict[str, Any]:
    made = step(op, f"{TOP}$clawdet:index:DnsRecords${RECORD_SET}", name, urn(TOP, owner))
    state = made.pop("oldState", None) or made.pop("newState")
    for which, subdomain in (("oldState", old), ("newState", new)):
        inputs = {"zone": "clawdet.com", "name": subdomain, "type": "A"}
        made[which] = {**state, "inputs": inputs} if subdomain else None
    return made


BOTH = [step("same", TOP, "ada"), step("same", TOP, "bob")]


@pytest.mark.parametrize(
    ("steps", "refused"),
    [
        # As an older release left them: the records are the customers', and the names are exchanged.
        (
            [
                record("replace", "ada", "ada.clawdet.com/A", "desk", "ada"),
                record("replace", "bob", "desk.clawdet.com/A", "bob", "desk"),
            ],
            ["customer bob"],
        ),
        (
            [
                record("delete", "ada", "ada-dns-a", "desk"),
                record("create", "bob", "desk.clawdet.com/A", None, "desk"),
            ],
            ["customer bob"],
        ),
        # As this one leaves them.
        (
            [
                record("create", "ada", "ada.clawdet.com/A", None, "ada"),
                record("update", "bob", "desk.clawdet.com/A", "desk", "desk"),
                record("delete", "bob", "bob.clawdet.com/A", "bob"),
            ],
            [],
        ),
        ([record("replace", "ada", "ada.clawdet.com/A", "desk", "ada")], []),
    ],
    ids=["old records exchanged", "old record left and taken", "passed on", "renamed"],
)
def test_a_name_that_the_cloud_would_refuse_is_told_before(steps: list[dict[str, Any]], refused: list[str]) -> None:
    found = refusals([*BOTH, *steps])
    assert [name for one in found for name in one.concerns] == refused
    for one in found:
        assert one.rule == "name_taken"
        assert "desk.clawdet.com is still that of customer ada" in one.message
