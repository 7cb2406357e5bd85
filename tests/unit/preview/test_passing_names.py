"""What a preview says of a name that passes from one customer to another, told from the engine's steps."""

from __future__ import annotations

from typing import Any

import pytest

from clawdet_infra.engine.owners import Owner, Owners
from clawdet_infra.preview import field_changes
from clawdet_infra.preview.analyze import stack_report
from clawdet_infra.preview.data_loss import losses
from clawdet_infra.preview.engine_plan import Planned
from clawdet_infra.preview.report import AffectedOwner, Change
from tests.unit.preview.test_data_loss import COMMAND, RECORD_SET, step, urn

TOP = "clawdet:index:Customer"
DNS = f"{TOP}$clawdet:index:DnsRecords"


def dns(op: str, owner: str) -> list[dict[str, Any]]:
    """The steps of a customer's component and of what its records are in."""
    groups = [step(op, TOP, owner), step(op, DNS, f"{owner}-dns", urn(TOP, owner))]
    for group in groups:
        for which in ("oldState", "newState"):
            if group.get(which):
                group[which]["custom"] = False
    return groups


def state(owner: str, host: str, address: str = "192.0.2.1") -> dict[str, Any]:
    return {
        "type": RECORD_SET,
        "custom": True,
        "parent": urn(DNS, f"{owner}-dns"),
        "inputs": {
            "zone": "clawdet.com",
            "name": host,
            "type": "A",
            "ttl": 300,
            "records": [{"value": address}],
            "labels": {"clawdet-role": "customer", "clawdet-id": owner},
        },
    }


def record(op: str, host: str, old: str | None = None, new: str | None = None) -> dict[str, Any]:
    """The step of a record, given whose it was and is."""
    states = {"oldState": state(old, host) if old else None, "newState": state(new, host, "192.0.2.2") if new else None}
    return {"op": op, "urn": urn(f"{DNS}${RECORD_SET}", f"{host}.clawdet.com/A"), **states}


def deployment(owner: str, old: str, new: str) -> dict[str, Any]:
    found = step("update", f"{TOP}$clawdet:index:Deployment${COMMAND}", f"{owner}-deployment", urn(TOP, owner))
    before = found["oldState"]

    def create(host: str) -> dict[str, str]:
        return {"create": f"# customer: {owner}\n# plan: pro\n# url: https://{host}.clawdet.com\nexec"}

    return {
        **found,
        "oldState": {**before, "inputs": create(old)},
        "newState": {**before, "inputs": create(new)},
        "diffReasons": ["create"],
    }


def told(*steps: dict[str, Any]) -> dict[str, AffectedOwner]:
    report = stack_report("prod", Planned(steps=steps), prices="nobody asked")
    return {one.id: one for one in report.subjects}


def words(subject: AffectedOwner) -> list[str]:
    return [str(one) for one in subject.changes]


PASSED = (
    *dns("same", "ada"),
    *dns("same", "bob"),
    record("update", "desk", "ada", "bob"),
    record("create", "ada", None, "ada"),
    record("delete", "bob", "bob"),
    deployment("ada", "desk", "ada"),
    deployment("bob", "bob", "desk"),
)


def test_who_gets_the_name_and_from_whom_is_said() -> None:
    found = told(*PASSED)
    assert words(found["ada"]) == ["address https://desk.clawdet.com → https://ada.clawdet.com"]
    assert words(found["bob"]) == [
        "address https://bob.clawdet.com → https://desk.clawdet.com",
        "takes over desk.clawdet.com from ada",
    ]


def test_what_is_left_out_and_what_comes_first_do_not_follow_from_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: [change.kind for change in one.changes] for name, one in told(*PASSED).items()}
    monkeypatch.setattr(field_changes, "Change", lambda what, **more: Change(what="something", **more))
    reworded = told(*PASSED)
    assert {name: [change.kind for change in one.changes] for name, one in reworded.items()} == before
    assert words(reworded["ada"]) == ["something https://desk.clawdet.com → https://ada.clawdet.com"]


def test_a_new_customer_who_takes_the_name_of_one_who_leaves_says_so() -> None:
    found = told(*dns("delete", "ada"), *dns("create", "bob"), record("update", "desk", "ada", "bob"))
    assert found["bob"].verdict == "new"
    assert words(found["bob"]) == ["takes over desk.clawdet.com from ada"]
    assert found["ada"].verdict == "removed"


def test_a_record_that_passes_is_lost_by_nobody() -> None:
    assert [one.owner for one in losses(PASSED)] == ["customer bob"], "the record of the old name alone"


def test_a_record_alone_is_told_by_its_host_name() -> None:
    found = told(*dns("same", "ada"), record("create", "desk", None, "ada"))
    assert words(found["ada"]) == ["new DNS record desk.clawdet.com"]


@pytest.mark.parametrize("whole", [True, False])
def test_a_record_has_an_owner_also_where_the_engine_stopped_before_it_told_of_the_customer(whole: bool) -> None:
    passing = record("update", "desk-server", "ada", "bob")
    owners = Owners([*(dns("same", "bob") if whole else ()), passing])
    assert owners.of(passing["urn"]) == Owner("customer", "bob")
