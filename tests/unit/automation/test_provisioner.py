"""Calls that provision and remove, on a real registry, with updates that do what they are told to."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from clawdet_infra.automation import (
    AutomationError,
    BusyError,
    CancelledError,
    CapacityError,
    DeadlineError,
    ImmutableError,
    InputError,
    LossError,
    Provisioner,
    SetupError,
    Signup,
    StageEvent,
    TakenError,
    UnknownCustomerError,
    leasing,
    provisioner,
)
from clawdet_infra.automation.base import Base
from clawdet_infra.automation.cells import CellSource
from clawdet_infra.driver.engine import Stopped
from clawdet_infra.driver.recovering import LockedError
from clawdet_infra.driver.stages import Passed
from clawdet_infra.recovery import Lock
from clawdet_infra.registry import Applied, Desired, Lease, Registry, Seal, Wish
from tests.unit.automation.samples import CANARY, base, customer, step

CELL = "prod-cell-1"
SOON = 10.0


class World:
    """The engine of these tests: what it was asked to bring about, and how that goes."""

    def __init__(self) -> None:
        self.base = base(customer("listed"))
        self.updates: list[list[tuple[str, Wish, int]]] = []
        self.broken: dict[str, str] = {}
        self.basis: str | None = "settings"
        self.losing: list[str] = []
        self.previews = 0
        self.locked = 0
        self.during: Callable[[threading.Event, Callable[[str, Passed], Any]], None] = lambda stop, tell: None
        self.at_once = 0
        self.lock = threading.Lock()

    def bases(self, name: str, root: Path) -> World:
        return self

    def get(self) -> Base:
        return self.base

    def update(
        self,
        over: Base,
        cell: str,
        desired: Sequence[Desired],
        root: Path,
        *,
        stop: threading.Event,
        tell: Callable[[str, Passed], Any],
    ) -> Update:
        return Update(self, cell, desired, stop, tell)


class Update:
    def __init__(
        self,
        world: World,
        cell: str,
        desired: Sequence[Desired],
        stop: threading.Event,
        tell: Callable[[str, Passed], Any],
    ) -> None:
        self._world, self._cell, self._desired, self._stop, self._tell = world, cell, desired, stop, tell

    def recover(self) -> None:
        if self._world.locked:
            self._world.locked -= 1
            raise LockedError(self._cell, Lock(Path("x"), 1, "elsewhere", datetime(2026, 3, 1, tzinfo=UTC)))

    def prepare(self) -> None:
        pass

    @property
    def stack(self) -> Update:
        return self

    def preview(self, *, on_event: Callable[[Any], Any], **_: Any) -> None:
        self._world.previews += 1
        for one in self._desired:
            on_event(step("resourcePreEvent", one.id, op="same"))
            op = "replace" if one.id in self._world.losing else "same"
            on_event(step("resourcePreEvent", one.id, "hcloud:index/server:Server", f"{one.id}-server", op=op))

    def run(self, parallel: int) -> dict[str, Applied]:
        world = self._world
        assert world.lock.acquire(blocking=False), "one update of a cell at a time"
        try:
            world.updates.append([(one.id, one.wanted, one.revision) for one in self._desired])
            for one in self._desired:
                self._tell(one.id, Passed("server", 1.0, "192.0.2.7"))
            world.during(self._stop, self._tell)
            if self._stop.is_set():
                raise Stopped
            return {one.id: self._outcome(one) for one in self._desired}
        finally:
            world.lock.release()

    def _outcome(self, one: Desired) -> Applied:
        error = self._world.broken.get(one.id, "")
        facts = {"url": f"https://{one.id}.clawdet.com", "ipv4": "192.0.2.7", "server": one.id, "user": one.id}
        stages = [{"stage": "server", "seconds": 1.0, "note": "192.0.2.7"}]
        stages.append({"stage": "healthy", "seconds": 2.0, "note": ""})
        return Applied(revision=one.revision, ok=not error, error=error, facts=facts, deploy_seconds=2.0, stages=stages)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    monkeypatch.setattr(provisioner, "Bases", made.bases)
    monkeypatch.setattr(provisioner, "CellUpdate", made.update)
    monkeypatch.setattr(provisioner, "_POLL_SECONDS", 0.02)
    monkeypatch.setattr(leasing, "_LOOK_SECONDS", 0.02)
    monkeypatch.setattr(CellSource, "version", lambda self: "7")
    monkeypatch.setattr(CellSource, "fingerprint", lambda self, *, policies: "f1")
    monkeypatch.setattr(leasing, "basis", lambda base, root: made.basis)
    return made


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/registry.db"


@pytest.fixture
def fleet(world: World, url: str, tmp_path: Path) -> Provisioner:
    return Provisioner("prod", registry=url, root=tmp_path, cell_size=3)


def signup(identity: str = "bob", plan: str = "pro", **more: Any) -> Signup:
    return Signup(id=identity, plan=plan, api_key=SecretStr(CANARY), **more)


def test_a_customer_is_made_and_told(fleet: Provisioner, world: World) -> None:
    told: list[StageEvent] = []
    result = fleet.provision(signup(), told.append)
    assert (result.success, result.created, result.changed) == (True, True, True)
    assert (result.access_url, result.cell, result.server) == ("https://bob.clawdet.com", CELL, "bob")
    assert [one.stage for one in told] == ["queued", "server", "healthy"], "each stage once"
    assert result.stages == tuple(told)
    assert world.updates == [[("bob", Wish.PRESENT, 1)]]


def test_a_second_call_changes_nothing(fleet: Provisioner, world: World) -> None:
    first = fleet.provision(signup())
    second = fleet.provision(signup())
    assert (second.created, second.changed) == (False, False)
    assert (second.access_url, second.cell, second.user) == (first.access_url, first.cell, first.user)
    assert len(world.updates) == 1


def test_a_call_after_one_that_failed_makes_the_customer(fleet: Provisioner, world: World) -> None:
    world.broken["bob"] = "sold out (resource_unavailable)"
    with pytest.raises(CapacityError, match="customer bob: sold out"):
        fleet.provision(signup())
    world.broken.clear()
    assert fleet.provision(signup()).created, "the first one that succeeded made it"


def test_calls_that_wait_together_go_up_in_one_update(fleet: Provisioner, world: World) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def during(stop: threading.Event, tell: Any) -> None:
        begun.set()
        assert go_on.wait(SOON)

    world.during = during
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(fleet.provision, signup("ada"))
        assert begun.wait(SOON)
        others = [threads.submit(fleet.provision, signup(name)) for name in ("bob", "carl")]
        deadline = time.monotonic() + SOON
        while len(fleet._registry.instances("prod")) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        go_on.set()
        assert [one.result(SOON).customer for one in (first, *others)] == ["ada", "bob", "carl"]
    assert [[name for name, _, _ in one] for one in world.updates] == [["ada"], ["ada", "bob", "carl"]]


def test_a_customer_who_fails_is_no_failure_of_others(fleet: Provisioner, world: World) -> None:
    world.broken["ada"] = "the gateway did not get ready"
    with pytest.raises(AutomationError, match="customer ada"):
        fleet.provision(signup("ada"))
    assert fleet.provision(signup("bob")).success
    assert fleet._registry.instance("ada", "prod").phase == "failed"  # type: ignore[union-attr]


def test_a_full_cell_is_followed_by_another(fleet: Provisioner) -> None:
    cells = [fleet.provision(signup(f"c{number}")).cell for number in range(4)]
    assert cells == [CELL, CELL, CELL, "prod-cell-2"]


REFUSED: list[tuple[Signup, type[InputError]]] = [
    (signup(plan="gold"), InputError),
    (signup("Not An Id"), InputError),
    (signup("übel"), InputError),
    (signup(""), InputError),
    (signup(gateway_token=SecretStr("canary")), InputError),
    (signup("listed"), TakenError),
    (signup(subdomain="listed"), TakenError),
    (signup(subdomain="ada"), TakenError),
    (signup("ada", "free"), ImmutableError),
    (signup(server_ipv4="metadata.example.com"), InputError),
]


@pytest.mark.parametrize(("asked", "kind"), REFUSED, ids=range(len(REFUSED)))
def test_what_cannot_be_is_refused_and_not_stored(
    fleet: Provisioner, world: World, asked: Signup, kind: type[InputError]
) -> None:
    fleet.provision(signup("ada"))
    before = fleet._registry.instances("prod")
    with pytest.raises(kind) as caught:
        fleet.provision(asked)
    assert type(caught.value) is kind
    assert "canary" not in f"{caught.value} {caught.value!r}"
    assert fleet._registry.instances("prod") == before
    assert len(world.updates) == 1


def test_a_registry_with_another_key_is_for_a_person(fleet: Provisioner, world: World) -> None:
    fleet.provision(signup("ada"))
    world.base = replace(world.base, outputs={"registry_key": "a1" * 32})
    with pytest.raises(SetupError, match="another key"):
        fleet.provision(signup())


def test_cancelling_stops_the_update_and_the_next_call_goes_on(fleet: Provisioner, world: World) -> None:
    cancelled = threading.Event()

    def during(stop: threading.Event, tell: Any) -> None:
        cancelled.set()
        assert stop.wait(SOON), "the engine is told"

    world.during = during
    with pytest.raises(CancelledError):
        fleet.provision(signup(), cancelled=cancelled)
    world.during = lambda stop, tell: None
    assert fleet.provision(signup()).created


def test_the_deadline_stops_the_update_and_the_next_call_goes_on(fleet: Provisioner, world: World) -> None:
    world.during = lambda stop, tell: stop.wait(SOON) and None
    with pytest.raises(DeadlineError):
        fleet.provision(signup(), deadline=0.3)
    world.during = lambda stop, tell: None
    assert fleet.provision(signup()).created


def test_who_waits_for_another_until_the_deadline_is_told_so(fleet: Provisioner, url: str) -> None:
    with Registry.open(url) as other:
        lease = other.acquire(f"cell:{CELL}", 60)
        assert isinstance(lease, Lease)
        with pytest.raises(BusyError, match="what was asked for is stored"):
            fleet.provision(signup(), deadline=0.3)
        other.release(lease)
    assert fleet.provision(signup()).success


def test_an_engine_that_still_runs_is_waited_for(fleet: Provisioner, world: World) -> None:
    world.locked = 3
    assert fleet.provision(signup()).success
    assert world.locked == 0


def test_a_customer_is_removed_and_its_id_is_free_again(fleet: Provisioner, world: World) -> None:
    fleet.provision(signup())
    told: list[str] = []
    assert fleet.deprovision("bob", lambda event: told.append(event.stage)).existed
    assert told[-1] == "removed"
    assert world.updates[-1] == [("bob", Wish.ABSENT, 2)]
    assert not fleet.deprovision("bob").existed
    assert fleet.provision(signup(plan="enterprise", subdomain="robert")).created


def test_a_removal_that_failed_is_told_and_done_by_the_next_call(fleet: Provisioner, world: World) -> None:
    fleet.provision(signup())
    world.broken["bob"] = "the server is in use"
    with pytest.raises(AutomationError, match="the server is in use"):
        fleet.deprovision("bob")
    with pytest.raises(BusyError):
        fleet.provision(signup())
    world.broken.clear()
    assert fleet.deprovision("bob").existed


def test_a_customer_of_the_stacks_file_is_not_removed(
    fleet: Provisioner, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = {"url": "https://listed.clawdet.com", "plan": "pro", "subdomain": "listed"}
    fleet._registry.mirror("prod", "prod", "1", {"listed": facts})
    with pytest.raises(InputError, match="Take it out of that list"):
        fleet.deprovision("listed")


def test_nothing_is_known_of_a_stranger(fleet: Provisioner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clawdet_infra.automation.mirroring.versions", lambda root: {})
    with pytest.raises(UnknownCustomerError):
        fleet.status("bob")


def test_a_signup_costs_no_neighbour_its_data(fleet: Provisioner, world: World) -> None:
    fleet.provision(signup("ada"))
    world.basis, world.losing = "another type of server", ["ada"]
    for call in (lambda: fleet.provision(signup()), lambda: fleet.update(CELL)):
        with pytest.raises(LossError, match="ada-server would be replaced") as caught:
            call()
        assert caught.value.action == "call"
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


def test_a_callers_secrets_are_in_no_column_in_plain_text(fleet: Provisioner, tmp_path: Path) -> None:
    fleet.provision(signup())
    assert fleet._registry.record("bob", Seal("5e" * 32), "prod") == signup().record()
    assert not [one for one in tmp_path.glob("registry.db*") if CANARY.encode() in one.read_bytes()]
