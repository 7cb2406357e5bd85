"""From outputs to instances."""

from __future__ import annotations

import pytest

from clawdet_infra.inventory import InventoryError, build
from clawdet_infra.inventory.stack_facts import facts
from tests.unit.inventory.conftest import CANARIES, a_stack, cloud, outputs


def test_every_customer_is_an_instance_on_its_server() -> None:
    inventory = build([a_stack("prod", "ada", "bob"), a_stack("cell-2", "eve", "mia", server="shared-1")])
    assert sorted(inventory.instances) == ["ada", "bob", "eve", "mia"]
    assert inventory.instances["ada"].server.name == "ada"
    assert [one.id for one in inventory.tenants("shared-1")] == ["eve", "mia"]
    assert inventory.instances["eve"].stack == "cell-2"
    assert inventory.login_keys["prod"].get_secret_value() == "canary-login-key"


def test_no_secret_shows_where_an_inventory_is_printed() -> None:
    shown = repr(build([a_stack("prod", "ada")]))
    assert not [one for one in CANARIES if one in shown]


def test_a_customer_of_two_stacks_is_an_error_that_names_both() -> None:
    with pytest.raises(InventoryError, match=r"the stacks local and prod both have a customer ada.* -s local"):
        build([a_stack("local", "ada", server="host-1"), a_stack("prod", "ada")])


def test_a_server_of_two_stacks_is_an_error_too() -> None:
    with pytest.raises(InventoryError, match="both have a server shared-1"):
        build([a_stack("local", "ada", server="shared-1"), a_stack("prod", "bob", server="shared-1")])


@pytest.mark.parametrize("missing", ["tokens", "servers", "login_key"])
def test_a_stack_of_an_older_version_is_told_to_be_brought_up(missing: str) -> None:
    old = {name: value for name, value in outputs("ada").items() if name != missing}
    with pytest.raises(InventoryError, match=f"stack prod has no output {missing}: .*clawdet up -s prod"):
        facts("prod", old, cloud())


def test_outputs_of_another_shape_are_not_quoted() -> None:
    broken = outputs("ada")
    broken["tokens"]["ada"] = CANARIES[0]
    with pytest.raises(InventoryError, match="are not those of this version") as caught:
        facts("prod", broken, cloud())
    assert not [one for one in CANARIES if one in str(caught.value)]


def test_an_id_that_nobody_has_names_the_nearest() -> None:
    inventory = build([a_stack("prod", "user123", "ada")])
    with pytest.raises(KeyError, match=r"stack prod has no customer user132\. Did you mean `user123`"):
        inventory.choose(["user132"])
