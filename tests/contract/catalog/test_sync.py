"""What stacks tell: the customers of a base stack, the facts of a cell, and a registry that is made anew from them."""

from __future__ import annotations

import pytest

from clawdet_infra.catalog import Applied, Catalog, CatalogError, ConflictError, DeploymentFingerprint, Phase
from tests.contract.conftest import differs
from tests.support.frozen_clock import MINUTE, NOON, SetClock
from tests.support.signups import BASE, OTHER_SEAL, SEAL, healthy, related_to, signup, want

CELL = "prod-cell-1"
ACME = {
    "url": "https://acme.example.com",
    "ipv4": "192.0.2.1",
    "plan": "pro",
    "host": "acme",
    "image": "i",
    "user": "u",
}


def test_the_customers_of_a_base_stack_are_known_as_its_outputs_have_them(registry: Catalog, clock: SetClock) -> None:
    registry.mirror(BASE, BASE, "7", {"acme": ACME, "bob": {**ACME, "subdomain": "robert"}})
    acme, bob = registry.instances()
    assert (acme.base, acme.cell, acme.plan, acme.server, acme.phase) == (BASE, BASE, "pro", "acme", Phase.HEALTHY)
    assert (acme.subdomain, acme.host, bob.subdomain) == ("", "", "robert")
    assert registry.record("acme", SEAL) is None
    assert registry.desired(BASE, SEAL) == []
    [cell] = registry.cells()
    assert (cell.stack, cell.number, cell.customers, cell.synced_version) == (BASE, None, 2, "7")
    clock.pass_seconds(60)
    registry.mirror(BASE, BASE, "8", {"acme": ACME, "zoe": {**ACME, "host": "shared-1", "server": "clawdet-shared-1"}})
    acme, zoe = registry.instances()
    assert (acme.id, acme.created_at, acme.changed_at) == ("acme", NOON, NOON)
    assert (zoe.id, zoe.created_at, zoe.host, zoe.server) == ("zoe", NOON + MINUTE, "shared-1", "clawdet-shared-1")
    registry.mirror(BASE, BASE, "9", {"acme": {**ACME, "image": "j"}})
    [acme] = registry.instances()
    assert (acme.image, acme.changed_at) == ("j", NOON + MINUTE)


def test_who_of_a_base_stack_has_failed_is_known_until_an_update_says_otherwise(registry: Catalog) -> None:
    new = {"error": "sold out", "plan": "pro", "subdomain": "new"}
    broken = {"error": "the gateway does not stay up", "plan": "pro", "subdomain": "acme"}
    registry.mirror(BASE, BASE, "1", {"acme": ACME, "ada": ACME}, {"acme": broken, "new": new})
    acme, ada, never = registry.instances()
    assert (acme.phase, acme.error, acme.url) == (Phase.FAILED, "the gateway does not stay up", ACME["url"])
    assert (ada.phase, ada.error) == (Phase.HEALTHY, "")
    assert (never.id, never.phase, never.error, never.plan, never.url) == ("new", Phase.FAILED, "sold out", "pro", "")
    registry.mirror(BASE, BASE, "2", {"acme": {**ACME, "image": "j"}, "ada": ACME})
    assert [(one.id, one.error) for one in registry.instances() if one.phase == Phase.FAILED] == [
        ("acme", "the gateway does not stay up"),
        ("new", "sold out"),
    ]
    registry.mirror(BASE, BASE, "3", {"acme": ACME, "ada": ACME}, {})
    assert [(one.id, one.phase, one.error) for one in registry.instances()] == [
        ("acme", Phase.HEALTHY, ""),
        ("ada", Phase.HEALTHY, ""),
    ]


@differs
def test_two_customers_of_a_base_may_exchange_their_subdomains(registry: Catalog) -> None:
    registry.mirror(BASE, BASE, "1", {"a": {"subdomain": "one"}, "b": {"subdomain": "two"}})
    registry.mirror(BASE, BASE, "2", {"a": {"subdomain": "two"}, "b": {"subdomain": "one"}})
    assert [row.subdomain for row in registry.instances()] == ["two", "one"]


def test_who_is_listed_and_who_signed_up_do_not_clash(registry: Catalog) -> None:
    registry.mirror(BASE, BASE, "1", {"acme": {**ACME, "subdomain": "corp"}})
    assert related_to(registry, signup("x", subdomain="corp")) == [], "there is no record to be checked against"
    for record in (signup("acme"), signup("x", subdomain="corp")):
        with pytest.raises(ConflictError) as raised:
            want(registry, record)
        assert raised.value.holder == "acme"
    with pytest.raises(CatalogError, match=r"Take it out of that list, and run: pulumi up -s prod"):
        registry.withdraw("acme")


def test_the_other_way_round_it_is_told_and_nothing_is_lost(registry: Catalog) -> None:
    registry.mirror(BASE, BASE, "1", {"acme": ACME})
    healthy(registry, signup("ada"))
    before = registry.instances()
    for _ in range(2):
        [told] = registry.mirror(BASE, BASE, "2", {"acme": ACME, "ada": ACME})
        assert "ada is both in the stack prod and in prod-cell-1" in told
    assert registry.instances() == before
    [told] = registry.mirror(BASE, BASE, "2", {"acme": ACME, "bob": {**ACME, "subdomain": "ada"}})
    assert "bob" in told
    assert "the subdomain ada is that of customer ada" in told
    [told] = registry.mirror(BASE, BASE, "2", {"acme": ACME, "a-da": {}, "a.da": {}})
    assert "a.da" in told
    assert {"acme", "a-da", "ada"} == {row.id for row in registry.instances()}
    assert [cell.synced_version for cell in registry.cells()] == ["1", ""], "it is read again until nobody clashes"
    assert registry.mirror(BASE, BASE, "2", {"acme": ACME}) == []
    assert [cell.synced_version for cell in registry.cells()] == ["2", ""]


def test_a_mirrored_cell_changes_only_what_is_known(registry: Catalog) -> None:
    healthy(registry, signup("ada", plan="enterprise"))
    want(registry, signup("bob"))
    before = registry.desired(CELL, SEAL)
    registry.set_mark(CELL, BASE, DeploymentFingerprint(fingerprint="f", version="3", outcome="succeeded", at=NOON))
    assert registry.mirror(BASE, CELL, "4", {"ada": ACME, "bob": {}}) == []
    ada, bob = registry.instances()
    assert (ada.ipv4, ada.plan, ada.phase, ada.host) == ("192.0.2.1", "enterprise", Phase.HEALTHY, "")
    assert (bob.phase, bob.url) == (Phase.WAITING, "")
    assert registry.desired(CELL, SEAL) == before
    [cell] = registry.cells()
    assert (cell.synced_version, cell.version) == ("4", "3"), (
        "a fingerprint stays that of the version that it was taken of"
    )


def test_a_customer_of_a_cell_that_has_no_entry_is_told_until_there_is_one(registry: Catalog) -> None:
    healthy(registry, signup("ada"))
    for _ in range(2):
        [told] = registry.mirror(BASE, CELL, "4", {"ada": ACME, "stranger": ACME})
        assert "stranger runs in prod-cell-1" in told
        assert f"clawdet list --rebuild -s {BASE}" in told
        assert registry.cells()[0].synced_version != "4"
    assert [row.id for row in registry.instances()] == ["ada"]


def test_a_registry_that_was_lost_is_made_anew(registry: Catalog) -> None:
    records = {name: signup(name, subdomain=f"s-{name}") for name in ("ada", "bob")}
    registry.restore(BASE, "prod-cell-2", records, SEAL)
    assert [(row.id, row.cell, row.phase, row.revision, row.applied) for row in registry.instances()] == [
        ("ada", "prod-cell-2", Phase.HEALTHY, 1, 1),
        ("bob", "prod-cell-2", Phase.HEALTHY, 1, 1),
    ]
    assert registry.record("bob", SEAL) == records["bob"]
    assert related_to(registry, signup("x", subdomain="s-ada")) == ["ada"]
    assert not want(registry, records["ada"]).changed
    places = [want(registry, signup(f"c{number}")).instance.cell for number in range(2)]
    assert places == ["prod-cell-2", "prod-cell-3"], "cells that are not known of may be there"


def test_what_is_newer_than_the_stack_is_kept(registry: Catalog) -> None:
    for name in ("ada", "bob", "eve", "gone"):
        healthy(registry, signup(name), cell_size=10)
    registry.mirror(BASE, CELL, "1", {"eve": ACME})
    want(registry, signup("ada", plan="enterprise"), cell_size=10)
    registry.withdraw("bob")
    want(registry, signup("fay"), cell_size=10)
    failed = want(registry, signup("kim"), cell_size=10)
    registry.applied(CELL, {"kim": Applied(revision=failed.revision, ok=False, error="no capacity")})
    stack = {name: signup(name) for name in ("ada", "bob")} | {"eve": signup("eve", tokenVersion=2)}
    registry.restore(BASE, CELL, stack, SEAL)
    found = {row.id: (row.desired, row.phase, row.revision, row.applied) for row in registry.instances()}
    assert found == {
        "ada": ("present", "waiting", 2, 1),
        "bob": ("absent", "waiting", 2, 1),
        "eve": ("present", "healthy", 2, 2),
        "fay": ("present", "waiting", 1, 0),
        "kim": ("present", "failed", 1, 1),
    }
    assert registry.record("ada", SEAL) == signup("ada", plan="enterprise")
    eve = registry.instance("eve")
    assert eve is not None
    assert (registry.record("eve", SEAL), eve.ipv4) == (stack["eve"], "192.0.2.1")


def test_restoring_twice_changes_nothing(registry: Catalog) -> None:
    records = {name: signup(name) for name in ("ada", "bob")}
    registry.restore(BASE, CELL, records, SEAL)
    before = registry.instances(), registry.cells()
    registry.restore(BASE, CELL, records, SEAL)
    assert (registry.instances(), registry.cells()) == before


def test_records_whose_key_was_lost_are_made_anew_with_the_new_one(registry: Catalog) -> None:
    for name in ("ada", "bob"):
        healthy(registry, signup(name))
    want(registry, signup("ada", plan="enterprise"))
    want(registry, signup("fay"))
    registry.restore(BASE, CELL, {"ada": signup("ada"), "bob": signup("bob")}, OTHER_SEAL)
    assert [one.record for one in registry.desired(CELL, OTHER_SEAL)] == [signup("ada"), signup("bob")]
    assert [row.phase for row in registry.instances()] == [Phase.HEALTHY, Phase.HEALTHY]
    assert want(registry, signup("zoe"), seal=OTHER_SEAL).created


def test_a_customer_in_two_stacks_is_told(registry: Catalog) -> None:
    registry.restore(BASE, CELL, {"ada": signup("ada")}, SEAL)
    others = {"ada": signup("ada"), "bob": signup("bob"), "carl": signup("carl", subdomain="ada")}
    twice, taken = registry.restore(BASE, "prod-cell-2", others, SEAL)
    assert "ada is both in the stack prod-cell-2 and in prod-cell-1" in twice
    assert "carl" in taken
    assert {row.id: row.cell for row in registry.instances()} == {"ada": CELL, "bob": "prod-cell-2"}


def test_a_cells_customer_is_restored_in_place_of_one_that_the_base_lists(registry: Catalog) -> None:
    registry.mirror(BASE, BASE, "1", {"ada": ACME, "acme": ACME})
    [told] = registry.restore(BASE, CELL, {"ada": signup("ada")}, SEAL)
    assert "ada is both in the stack prod and in prod-cell-1" in told
    assert registry.record("ada", SEAL) == signup("ada")
    assert {row.id: row.cell for row in registry.instances()} == {"ada": CELL, "acme": BASE}


def test_a_base_is_forgotten_with_its_cells_and_customers_and_no_other_is(registry: Catalog) -> None:
    for base in (BASE, "local"):
        registry.mirror(base, base, "1", {"acme": ACME})
        want(registry, signup("ada"), base=base)
    registry.forget_base("local")
    assert {(row.base, row.id) for row in registry.instances()} == {(BASE, "acme"), (BASE, "ada")}
    assert {cell.stack for cell in registry.cells()} == {BASE, CELL}
    assert want(registry, signup("ada"), base="local").created
