"""What an update of a cell does to the neighbours of who asked for it, and what is kept of how it ended."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from clawdet_infra.automation import (
    AutomationError,
    DataLossError,
    Provisioner,
)
from clawdet_infra.automation.leases import has_tags_untold
from clawdet_infra.engine.stages import Passed
from tests.unit.automation.world import CELL, World, signup


def test_a_signup_costs_no_neighbour_its_data(fleet: Provisioner, world: World) -> None:
    fleet.provision(signup("ada"))
    world.basis, world.losing = "another type of server", ["ada"]
    for call in (lambda: fleet.provision(signup()), lambda: fleet.update(CELL)):
        with pytest.raises(DataLossError, match="ada-server would be replaced") as caught:
            call()
        assert caught.value.action == "escalate"
    assert len(world.updates) == 1, "it is refused before the update"
    fleet.update(CELL, allow_loss=["ada"])
    assert fleet.provision(signup()).success, "what was allowed once is done, and hinders nobody after it"


def test_who_is_removed_or_never_came_up_may_lose_what_there_is(fleet: Provisioner, world: World) -> None:
    fleet.provision(signup("ada"))
    world.broken["carl"] = "the gateway did not get ready"
    with pytest.raises(AutomationError, match="carl"):
        fleet.provision(signup("carl"))
    world.basis, world.losing = "another type of server", ["ada", "carl"]
    assert fleet.deprovision("ada").existed
    assert fleet.provision(signup()).success


def test_the_engine_is_asked_about_losses_once_for_each_state_of_the_settings(fleet: Provisioner, world: World) -> None:
    fleet.provision(signup("ada"))
    fleet.provision(signup("ada", subdomain="countess"))
    assert world.previews == 0, "nobody else's settings have come to ada"
    world.basis = "another release"
    fleet.provision(signup("bob"))
    fleet.provision(signup("carl"))
    assert world.previews == 1
    world.base = replace(world.base, outputs={**world.base.outputs, "base": {"hosts": {"shared-1": "192.0.2.99"}}})
    fleet.provision(signup("bob", subdomain="robert"))
    assert world.previews == 2, "what the base shares has changed"
    world.basis = None
    fleet.deprovision("bob")
    fleet.deprovision("carl")
    assert world.previews == 4, "what is not known is asked each time"


def test_how_an_update_of_a_cell_ended_is_kept(fleet: Provisioner, world: World) -> None:
    world.broken["ada"] = "the gateway did not get ready"
    with pytest.raises(AutomationError):
        fleet.provision(signup("ada"))
    mark = fleet._registry.mark(CELL)
    assert mark is not None
    assert (mark.outcome, mark.error, mark.version) == ("failed", "failed: ada", "7")
    assert mark.fingerprint == "", "what somebody failed with is not what the cell is made from"
    world.broken.clear()
    fleet.provision(signup("ada"))
    mark = fleet._registry.mark(CELL)
    assert mark is not None
    assert (mark.error, mark.fingerprint) == ("", "f1")


def test_settings_that_changed_during_an_update_are_not_taken_for_what_it_was_made_from(
    fleet: Provisioner, world: World
) -> None:
    def edit(stop: threading.Event, tell: Callable[[str, Passed], Any]) -> None:
        world.basis = "others"

    world.during = edit
    fleet.provision(signup("ada"))
    mark = fleet._registry.mark(CELL)
    assert mark is not None
    assert (mark.outcome, mark.fingerprint) == ("updated", "")


def test_all_customers_of_a_cell_are_updated_and_a_failure_is_in_the_result(fleet: Provisioner, world: World) -> None:
    fleet.provision(signup("ada"))
    fleet.provision(signup("bob"))
    world.broken["bob"] = "the new release did not get ready"
    told: list[tuple[str, str]] = []
    rows = fleet.update(CELL, lambda event: told.append((event.customer, event.stage)))
    assert {one.id: str(one.phase) for one in rows} == {"ada": "healthy", "bob": "failed"}
    assert told == [("ada", "server"), ("bob", "server")]


def test_a_failed_customer_is_tried_again_when_somebody_asks_and_not_for_others(
    fleet: Provisioner, world: World
) -> None:
    world.broken["bob"] = "the gateway did not get ready"
    with pytest.raises(AutomationError, match="bob"):
        fleet.provision(signup("bob"))
    failed = fleet._registry.instance("bob")
    fleet.provision(signup("ada"))
    assert [name for name, _, _ in world.updates[-1]] == ["ada"]
    assert fleet._registry.instance("bob") == failed, "what is known of it stays as it was"
    mark = fleet._registry.mark(CELL)
    assert mark is not None
    assert mark.outcome == "updated"

    fleet.update(CELL)
    assert [name for name, _, _ in world.updates[-1]] == ["ada", "bob"], "an operator means everybody"

    world.broken.clear()
    assert fleet.provision(signup("bob")).success, "whoever asks again is served"
    fleet.provision(signup("carl"))
    assert [name for name, _, _ in world.updates[-1]] == ["ada", "bob", "carl"]


def test_who_could_not_be_removed_is_taken_along_by_others(fleet: Provisioner, world: World) -> None:
    fleet.provision(signup("bob"))
    world.broken["bob"] = "the server does not answer"
    with pytest.raises(AutomationError, match="bob"):
        fleet.deprovision("bob")
    world.broken.clear()
    fleet.provision(signup("ada"))
    assert fleet._registry.instance("bob") is None


@pytest.mark.parametrize(
    ("release", "untold"),
    [
        (None, False),
        ({}, False),
        ({"gateway": "ghcr.io/own/gate:1"}, False),
        ({"gateway": "ghcr.io/own/gate:1", "proxy": f"caddy:2@sha256:{'1' * 64}"}, False),
        ({"proxy": "caddy:2"}, True),
        ({"browser": "chromedp/headless-shell:156"}, True),
    ],
)
def test_a_tag_of_ones_own_that_nobody_would_see_move_is_no_part_of_a_fingerprint(
    release: dict[str, str] | None, untold: bool
) -> None:
    assert has_tags_untold({"id": "ada", **({} if release is None else {"release": release})}) is untold
