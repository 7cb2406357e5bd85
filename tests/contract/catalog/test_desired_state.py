"""What a wish stores, where it is placed, what it is checked against and what refuses it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest

from clawdet_infra.catalog import Applied, BeingRemovedError, Catalog, CatalogError, ConflictError, DesiredState, Phase
from tests.contract.conftest import differs
from tests.support.frozen_clock import MINUTE, NOON, SetClock
from tests.support.signups import BASE, OTHER_SEAL, SEAL, Asked, healthy, related_to, signup, want

GATEWAY = "0123456789abcdef" * 4
SERVER = {"ipv4": "192.0.2.7", "hostKey": "ssh-ed25519 AAAA"}
TELEGRAM = "123456789:" + "t" * 35
OTHER_TOKEN_OF_THE_BOT = "123456789:" + "u" * 35


def test_a_new_customer_waits_in_the_first_cell(registry: Catalog) -> None:
    wanted = want(registry, signup("ada", subdomain="lovelace", host="shared-1"))
    assert (wanted.created, wanted.changed, wanted.revision, wanted.before) == (True, True, 1, None)
    row = wanted.instance
    assert (row.cell, row.subdomain, row.plan, row.host) == ("prod-cell-1", "lovelace", "pro", "shared-1")
    assert (row.desired, row.phase, row.applied) == (DesiredState.PRESENT, Phase.WAITING, 0)
    assert row.created_at == row.changed_at == NOON
    assert registry.instance("ada") == row
    assert registry.record("ada", SEAL) == signup("ada", subdomain="lovelace", host="shared-1")


def test_what_people_may_see_has_no_secret(registry: Catalog) -> None:
    wanted = healthy(registry, signup("ada", gatewayToken=GATEWAY))
    again = want(registry, signup("ada", gatewayToken=GATEWAY, plan="enterprise"))
    shown = json.dumps([asdict(row) for row in registry.instances()], default=str)
    desired = registry.desired("prod-cell-1", SEAL)
    for text in (shown, repr(wanted), repr(again), repr(desired)):
        assert "canary" not in text
        assert GATEWAY not in text
    assert again.before == signup("ada", gatewayToken=GATEWAY)
    assert desired[0].record["plan"] == "enterprise"


def test_the_same_again_changes_nothing_once_it_was_applied(registry: Catalog, clock: SetClock) -> None:
    first = healthy(registry, signup("ada"))
    clock.pass_seconds(60)
    same = want(registry, signup("ada"))
    assert (same.created, same.changed, same.revision) == (False, False, first.revision)
    assert same.instance.phase is Phase.HEALTHY
    assert same.instance.changed_at == NOON
    other = want(registry, signup("ada", tokenVersion=2))
    assert (other.created, other.changed, other.revision) == (False, True, first.revision + 1)
    assert (other.instance.phase, other.instance.changed_at) == (Phase.WAITING, NOON + MINUTE)
    assert other.instance.url == "https://ada.example.com", "what is there is there until the update"


@pytest.mark.parametrize("end", ["waiting", "updating", "failed"])
def test_the_same_again_is_brought_about_once(registry: Catalog, end: str) -> None:
    """What failed is tried again; what waits, or is being applied, gets no second update."""
    first = want(registry, signup("ada"))
    if end == "updating":
        registry.updating(first.instance.cell, {"ada": 1})
    if end == "failed":
        registry.applied(first.instance.cell, {"ada": Applied(revision=1, ok=False, error="no capacity")})
    again = want(registry, signup("ada"))
    expected = {"waiting": (1, Phase.WAITING), "updating": (1, Phase.UPDATING), "failed": (2, Phase.WAITING)}
    assert (again.changed, (again.revision, again.instance.phase)) == (True, expected[end])


@pytest.mark.parametrize("end", ["waiting", "updating", "failed"])
def test_the_same_removal_again_is_brought_about_once(registry: Catalog, end: str) -> None:
    healthy(registry, signup("ada"))
    first = registry.withdraw("ada")
    assert first is not None
    if end == "updating":
        registry.updating(first.instance.cell, {"ada": 2})
    if end == "failed":
        registry.applied(first.instance.cell, {"ada": Applied(revision=2, ok=False, error="it is locked")})
    again = registry.withdraw("ada")
    assert again is not None
    expected = {"waiting": (2, Phase.WAITING), "updating": (2, Phase.REMOVING), "failed": (3, Phase.WAITING)}
    assert (again.revision, again.instance.phase) == expected[end]


def test_one_who_is_there_waits_for_the_update_of_a_neighbour_without_one_of_its_own(registry: Catalog) -> None:
    healthy(registry, signup("ada"))
    registry.updating("prod-cell-1", {"ada": 1})
    again = want(registry, signup("ada"))
    assert (again.changed, again.revision) == (True, 1)


def test_cells_are_filled_in_order_and_nobody_moves(registry: Catalog) -> None:
    cells = [healthy(registry, signup(f"c{number}")).instance.cell for number in range(7)]
    assert cells == ["prod-cell-1"] * 3 + ["prod-cell-2"] * 3 + ["prod-cell-3"]
    removed = registry.withdraw("c1")
    assert removed is not None
    assert want(registry, signup("x1")).instance.cell == "prod-cell-3", "who is being removed takes up room"
    registry.applied("prod-cell-1", {"c1": Applied(revision=removed.revision, ok=True)})
    assert want(registry, signup("x2")).instance.cell == "prod-cell-1"
    assert want(registry, signup("c6", tokenVersion=2), cell_size=1).instance.cell == "prod-cell-3"
    assert want(registry, signup("x3"), cell_size=1).instance.cell == "prod-cell-4"
    assert want(registry, signup("x4"), cell_size=100).instance.cell == "prod-cell-1"
    counts = {cell.stack: (cell.number, cell.customers) for cell in registry.cells(BASE)}
    assert counts == {f"prod-cell-{n}": (n, count) for n, count in ((1, 4), (2, 3), (3, 2), (4, 1))}


def test_each_base_has_cells_and_names_of_its_own(registry: Catalog) -> None:
    want(registry, signup("ada"))
    assert want(registry, signup("ada"), base="local").instance.cell == "local-cell-1"
    assert [row.base for row in registry.instances()] == ["local", "prod"]
    assert [row.base for row in registry.instances("prod")] == ["prod"]
    with pytest.raises(CatalogError, match="a customer ada in local and prod"):
        registry.instance("ada")
    assert registry.instance("ada", "prod") is not None
    assert registry.withdraw("ada", "local") is not None
    found = registry.instance("ada", "prod")
    assert found is not None
    assert found.desired is DesiredState.PRESENT


@pytest.mark.parametrize(
    ("there", "new", "related"),
    [
        (signup("ada"), signup("ada", plan="free"), False),
        (signup("ada"), signup("grace"), False),
        (signup("ada"), signup("grace", subdomain="ada"), True),
        (signup("x", subdomain="ada"), signup("ada"), True),
        (signup("x", subdomain="ada"), signup("y", subdomain="ada"), True),
        (signup("a.b"), signup("a-b"), True),
        (signup("x", subdomain="a-b"), signup("y", subdomain="a.b"), True),
        (signup("ada"), signup("x", subdomain="deep.down.ada"), True),
        (signup("x", subdomain="deep.down.ada"), signup("ada"), True),
        (signup("x", subdomain="one.ada"), signup("y", subdomain="two.ada"), False),
        (signup("x", subdomain="xada"), signup("ada"), False),
        (signup("x", subdomain="a.adaxb"), signup("y", subdomain="ada_b"), False),
        (signup("x", gatewayToken=GATEWAY), signup("y", gatewayToken=GATEWAY), True),
        (signup("x", telegramBotToken=TELEGRAM), signup("y", telegramBotToken=TELEGRAM), True),
        (signup("x", telegramBotToken=TELEGRAM), signup("y", telegramBotToken=OTHER_TOKEN_OF_THE_BOT), True),
        (signup("x", gatewayToken=GATEWAY), signup("y", telegramBotToken=GATEWAY), False),
        (signup("x", existingServer=SERVER), signup("y", existingServer={**SERVER, "hostKey": "another"}), True),
        (signup("x", existingServer=SERVER), signup("y", existingServer={"ipv4": "192.0.2.8"}), False),
        (
            signup("x", existingServer={**SERVER, "ipv6": "2a01:4f8::1"}),
            signup("y", existingServer={"ipv4": "192.0.2.8", "ipv6": "2A01:04F8:0::0001"}),
            True,
        ),
        (signup("x", plan="free", host="shared-1"), signup("y", plan="free"), True),
        (signup("x", plan="free", host="shared-1"), signup("y", plan="pro"), False),
        (signup("x", plan="pro"), signup("y", plan="free"), False),
    ],
)
def test_a_new_customer_is_checked_against_those_who_could_clash(
    registry: Catalog, there: Mapping[str, Any], new: Mapping[str, Any], related: bool
) -> None:
    want(registry, there)
    for number in range(4):
        want(registry, signup(f"other-{number}"))
    assert related_to(registry, new) == ([there["id"]] if related else [])


def test_a_server_that_another_customer_of_any_base_is_on_is_refused(registry: Catalog) -> None:
    want(registry, signup("ada"), base="local")
    registry.mirror("local", "local-cell-1", "1", {"ada": {"ipv4": "192.0.2.7"}})
    with pytest.raises(ConflictError, match=r"192\.0\.2\.7 is one of this fleet: customer ada of local is on it"):
        want(registry, signup("grace", existingServer=SERVER))
    assert registry.instance("grace", "prod") is None
    assert want(registry, signup("grace", existingServer={**SERVER, "ipv4": "192.0.2.8"})).changed
    registry.mirror("prod", "prod-cell-1", "1", {"grace": {"ipv4": "192.0.2.8"}})
    assert want(registry, signup("grace", existingServer={**SERVER, "ipv4": "192.0.2.8"})).changed, "one's own"


def test_all_who_share_hosts_are_told_of_each_other_across_cells(registry: Catalog) -> None:
    for number in range(5):
        want(registry, signup(f"f{number}", plan="free", host=f"shared-{number % 2}"), cell_size=2)
    want(registry, signup("f9", plan="free", host="shared-1"), base="local")
    asked = Asked(signup("f3", plan="free", host="shared-0"))
    registry.want(BASE, signup("f3", plan="free"), seal=SEAL, cell_size=2, check=asked)
    assert asked.ids == ["f0", "f1", "f2", "f4"], "all of the base, but not the one that is asked about"
    assert asked.related is not None
    assert asked.related.before == signup("f3", plan="free", host="shared-1")
    moved = registry.instance("f3")
    assert moved is not None
    assert (moved.host, moved.cell) == ("shared-0", "prod-cell-2")


def test_one_who_is_being_removed_still_holds_the_name(registry: Catalog) -> None:
    healthy(registry, signup("ada"))
    registry.withdraw("ada")
    assert related_to(registry, signup("x", subdomain="ada")) == ["ada"]


def test_what_the_check_refuses_is_not_written(registry: Catalog) -> None:
    healthy(registry, signup("ada"))
    before = registry.instances(), registry.cells()

    def refuse(_: object) -> Mapping[str, Any]:
        raise PermissionError("no")

    for record in (signup("ada", plan="free"), signup("grace")):
        with pytest.raises(PermissionError, match="no"):
            registry.want(BASE, record, seal=SEAL, cell_size=1, check=refuse)
    assert (registry.instances(), registry.cells()) == before
    assert registry.record("ada", SEAL) == signup("ada")


@pytest.mark.parametrize("changed", [{"id": "grace"}, {"subdomain": "grace"}])
def test_a_check_may_not_change_who_it_is_about(registry: Catalog, changed: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="changed its id or subdomain"):
        registry.want(BASE, signup("ada"), seal=SEAL, cell_size=1, check=lambda _: {**signup("ada"), **changed})
    assert registry.instances() == []


@pytest.mark.parametrize(
    ("new", "said"),
    [
        (signup("x", subdomain="a.b"), "the subdomain a.b is that of customer a.b already"),
        (signup("x", subdomain="a-b"), "the subdomain a-b collides with a.b of customer a.b"),
        (signup("a-b", subdomain="x"), "the id a-b collides with that of customer a.b"),
    ],
)
def test_a_name_that_is_taken_is_refused_whatever_the_check_says(
    registry: Catalog, new: Mapping[str, Any], said: str
) -> None:
    want(registry, signup("a.b"))
    with pytest.raises(ConflictError, match=said) as raised:
        want(registry, new)
    assert raised.value.holder == "a.b"
    assert len(registry.instances()) == 1


@differs
def test_the_database_itself_holds_names_apart(registry: Catalog) -> None:
    want(registry, signup("ada"))
    want(registry, signup("grace"))
    for column in ("subdomain_slug", "id_slug"):
        with pytest.raises(CatalogError), registry._database.write() as connection:
            connection.exec_driver_sql(f"UPDATE catalog_instance SET {column} = 'ada' WHERE id = 'grace'")


@pytest.mark.parametrize("name", ["", "a\0b", "ä", "a\ud800", "x" * 300, None, 7, True])
def test_what_is_no_name_is_refused_before_it_is_looked_for(registry: Catalog, name: object) -> None:
    with pytest.raises(CatalogError, match="the customer's id has to be a host name"):
        want(registry, {"id": name, "plan": "pro"})
    if name is not None:
        with pytest.raises(CatalogError, match="the customer's subdomain has to be a host name"):
            want(registry, {"id": "ada", "plan": "pro", "subdomain": name})


@differs
def test_odd_values_reach_the_check_which_is_there_to_refuse_them(registry: Catalog) -> None:
    odd = "\0\ud800" * 300
    record = signup("ada", plan=odd, host=odd, gatewayToken=odd, telegramBotToken=odd, existingServer={"ipv4": odd})
    assert related_to(registry, record) == []
    want(registry, record)
    assert registry.record("ada", SEAL) == record


def test_one_who_is_being_removed_can_be_wanted_again_afterwards(registry: Catalog) -> None:
    healthy(registry, signup("ada"))
    removed = registry.withdraw("ada")
    assert removed is not None
    assert (removed.changed, removed.revision) == (True, 2)
    assert (removed.instance.desired, removed.instance.phase) == (DesiredState.ABSENT, Phase.WAITING)
    with pytest.raises(BeingRemovedError, match="ada is being removed"):
        want(registry, signup("ada"))
    [desired] = registry.desired("prod-cell-1", SEAL)
    assert (desired.id, desired.wanted, desired.revision, desired.applied) == ("ada", DesiredState.ABSENT, 2, 1)
    registry.applied("prod-cell-1", {"ada": Applied(revision=2, ok=True)})
    assert registry.desired("prod-cell-1", SEAL) == []
    assert registry.record("ada", SEAL) is None
    assert want(registry, signup("ada")).created


def test_nobody_is_withdrawn_where_nobody_is(registry: Catalog) -> None:
    assert registry.withdraw("nobody") is None


def test_another_key_is_told_and_nothing_is_mixed(registry: Catalog) -> None:
    healthy(registry, signup("ada"))
    for act in (
        lambda: want(registry, signup("grace"), seal=OTHER_SEAL),
        lambda: want(registry, signup("ada", plan="free"), seal=OTHER_SEAL),
        lambda: registry.record("ada", OTHER_SEAL),
        lambda: registry.desired("prod-cell-1", OTHER_SEAL),
    ):
        with pytest.raises(CatalogError, match="encrypted with another key"):
            act()
    assert [row.id for row in registry.instances()] == ["ada"]
    assert want(registry, signup("ada"), base="local", seal=OTHER_SEAL).created, "each base has a key of its own"
