"""What stacks export, as the registry keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clawdet_infra.automation import SetupError, sync
from clawdet_infra.automation.sync import facts_of, note_update, rebuild, refresh
from clawdet_infra.catalog import Catalog, Phase
from clawdet_infra.inventory import InventoryError
from tests.support.signups import SEAL, signup, want
from tests.unit.automation.samples import base

Outputs = dict[str, Any]


def exported(**customers: str) -> dict[str, Any]:
    """What a stack says of customers, by the name that each is at."""
    return {
        "customers": {
            name: {
                "url": f"https://{at}",
                "ipv4": "192.0.2.7",
                "plan": "pro",
                "host": name,
                "image": "openclaw:1",
                "user": name,
            }
            for name, at in customers.items()
        }
    }


def of_base(domain: str = "clawdet.com", **customers: str) -> dict[str, Any]:
    return {**exported(**customers), "base": {"zone": domain, "hosts": {}}}


@pytest.mark.parametrize("subdomain", ["acme", "assistant.acme", "a.b.c", "x.clawdet", "clawdet"])
@pytest.mark.parametrize("domain", ["clawdet.com", "fleet.clawdet.co.uk"])
def test_a_subdomain_is_all_that_is_before_the_domain(subdomain: str, domain: str) -> None:
    assert facts_of(of_base(domain, acme=f"{subdomain}.{domain}"))["acme"]["subdomain"] == subdomain


def test_where_the_domain_is_unknown_the_subdomain_is_too() -> None:
    assert facts_of(exported(acme="assistant.acme.clawdet.com"))["acme"]["subdomain"] == ""


def test_only_a_free_customer_is_on_a_shared_host() -> None:
    outputs = of_base(ada="ada.clawdet.com")
    assert facts_of(outputs)["ada"]["host"] == ""
    outputs["customers"]["ada"] |= {"plan": "free", "host": "shared-1"}
    assert facts_of(outputs)["ada"]["host"] == "shared-1"


def test_a_stack_without_customers_has_no_facts() -> None:
    assert facts_of({}) == facts_of({"customers": None}) == {}


# --- with a registry ----------------------------------------------------------------------------------------------


class Stacks:
    """Stacks with versions and outputs; counts how often the outputs of each were read.

    `succeeded` says whether their last update did.
    """

    def __init__(self) -> None:
        self.succeeded = False
        self.all: dict[str, tuple[int, dict[str, Any]]] = {}
        self.read: list[str] = []

    def versions(self, root: Path) -> Mapping[str, int]:
        return {name: version for name, (version, _) in self.all.items()}

    def outputs(self, stack: str, root: Path) -> Mapping[str, Any]:
        self.read.append(stack)
        return self.all[stack][1]


@pytest.fixture
def stacks(monkeypatch: pytest.MonkeyPatch) -> Stacks:
    made = Stacks()
    monkeypatch.setattr(sync, "versions", made.versions)
    monkeypatch.setattr(sync, "outputs_of", made.outputs)
    monkeypatch.setattr(sync, "last_update_succeeded", lambda stack, root: made.succeeded)
    return made


@pytest.fixture
def registry(tmp_path: Path) -> Catalog:
    return Catalog.open(f"sqlite:///{tmp_path}/registry.db")


def test_customers_of_the_base_are_known_by_their_whole_subdomain(
    stacks: Stacks, registry: Catalog, tmp_path: Path
) -> None:
    stacks.all["prod"] = 1, of_base(acme="assistant.acme.clawdet.com")
    refresh(registry, "prod", tmp_path)
    assert [(one.id, one.subdomain, one.cell) for one in registry.instances("prod")] == [
        ("acme", "assistant.acme", "prod")
    ]


def test_only_stacks_that_have_changed_are_read_again(stacks: Stacks, registry: Catalog, tmp_path: Path) -> None:
    stacks.all = {"prod": (1, of_base(acme="acme.clawdet.com")), "prod-cell-1": (1, exported())}
    stacks.all |= {"local": (1, of_base(ada="ada.clawdet.test")), "prod-cell-x": (1, exported())}
    refresh(registry, "prod", tmp_path)
    assert sorted(stacks.read) == ["prod", "prod-cell-1"], "others are none of this base's"
    refresh(registry, "prod", tmp_path)
    assert len(stacks.read) == 2, "nothing has changed"
    stacks.all["prod"] = 2, of_base()
    refresh(registry, "prod", tmp_path)
    assert stacks.read[2:] == ["prod"]
    assert registry.instances("prod") == []


def failed(registry: Catalog) -> dict[str, str]:
    return {one.id: one.error for one in registry.instances("prod") if one.phase == Phase.FAILED}


def test_who_has_failed_has_failed_until_an_update_succeeds_by_whatever_command(
    stacks: Stacks, registry: Catalog, tmp_path: Path
) -> None:
    stacks.all["prod"] = 1, of_base(acme="acme.clawdet.com", ada="ada.clawdet.com")
    note_update(registry, "prod", tmp_path, {"acme": {"error": "the gateway does not stay up"}}, ["ada"])
    note_update(registry, "prod", tmp_path, {"ada": {"error": "sold out"}}, ["acme"])
    assert failed(registry) == {"acme": "the gateway does not stay up", "ada": "sold out"}
    stacks.all["prod"] = 2, stacks.all["prod"][1]
    refresh(registry, "prod", tmp_path)
    assert len(failed(registry)) == 2, "the stack has changed, and not by an update that did all"
    note_update(registry, "prod", tmp_path, {"ada": {"error": "sold out"}}, [])
    assert failed(registry) == {"ada": "sold out"}, "acme was updated meanwhile"
    stacks.succeeded = True
    refresh(registry, "prod", tmp_path)
    assert failed(registry) == {}, "also where the update left the stack as it was"


def test_a_registry_that_was_lost_is_made_anew(stacks: Stacks, registry: Catalog, tmp_path: Path) -> None:
    record = signup("bob", subdomain="assistant.bob")
    stacks.all = {
        "prod": (1, of_base(acme="assistant.acme.clawdet.com")),
        "prod-cell-2": (5, {**exported(bob="assistant.bob.clawdet.com"), "records": {"bob": record}}),
    }
    rebuild(registry, base(), tmp_path)
    found = {one.id: (one.cell, one.subdomain, one.url) for one in registry.instances("prod")}
    assert found == {
        "acme": ("prod", "assistant.acme", "https://assistant.acme.clawdet.com"),
        "bob": ("prod-cell-2", "assistant.bob", "https://assistant.bob.clawdet.com"),
    }
    assert registry.record("bob", SEAL) == record
    assert not want(registry, record).changed, "what the stack has need not be brought about again"


def test_stacks_that_cannot_be_read_are_for_a_person(
    stacks: Stacks, registry: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks.all["prod"] = 1, of_base()

    def refuse(stack: str, root: Path) -> Mapping[str, Any]:
        raise InventoryError(f"stack {stack} needs its passphrase")

    monkeypatch.setattr(sync, "outputs_of", refuse)
    with pytest.raises(SetupError, match="stack prod needs its passphrase"):
        refresh(registry, "prod", tmp_path)
