"""Calls that provision and remove, on a real registry, with updates that do what they are told to."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
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
    Provisioned,
    Provisioner,
    SetupError,
    Signup,
    StageEvent,
    TakenError,
    UnknownCustomerError,
    existing_server,
    leases,
    provisioner,
    server_type,
)
from clawdet_infra.catalog import Catalog, CatalogError, DesiredState, Lease, RecordCipher, RefusedError
from tests.unit.automation.samples import CANARY
from tests.unit.automation.world import CELL, SOON, World, signup


def test_a_customer_is_made_and_told(fleet: Provisioner, world: World) -> None:
    told: list[StageEvent] = []
    result = fleet.provision(signup(), told.append)
    assert (result.success, result.created, result.changed) == (True, True, True)
    assert (result.access_url, result.cell, result.server) == ("https://bob.clawdet.com", CELL, "bob")
    assert [one.stage for one in told] == ["queued", "server", "healthy"], "each stage once"
    assert result.stages == tuple(told)
    assert [one.seconds for one in told] == sorted(one.seconds for one in told)
    assert world.updates == [[("bob", DesiredState.PRESENT, 1)]]


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


def test_the_same_call_again_during_its_update_waits_for_that_update(fleet: Provisioner, world: World) -> None:
    with held(world) as go_on, ThreadPoolExecutor(2) as threads:
        first = threads.submit(fleet.provision, signup())
        again = asked(threads, fleet, signup(), world)
        go_on.set()
        assert [one.result(SOON).success for one in (first, again)] == [True, True]
    assert len(world.updates) == 1


def test_the_same_call_again_during_a_neighbours_update_causes_none_of_its_own(
    fleet: Provisioner, world: World
) -> None:
    fleet.provision(signup("ada"))
    with held(world) as go_on, ThreadPoolExecutor(2) as threads:
        neighbour = threads.submit(fleet.provision, signup("bob"))
        again = asked(threads, fleet, signup("ada"), world)
        assert not again.done(), "the update concerns the whole cell"
        go_on.set()
        assert [one.result(SOON).success for one in (neighbour, again)] == [True, True]
    assert len(world.updates) == 2


@contextmanager
def held(world: World) -> Iterator[threading.Event]:
    """Updates that do not end before the event is set."""
    go_on = threading.Event()
    world.begun = threading.Event()

    def during(stop: threading.Event, tell: Any) -> None:
        world.begun.set()
        assert go_on.wait(SOON)

    world.during = during
    yield go_on


def asked(threads: ThreadPoolExecutor, fleet: Provisioner, customer: Signup, world: World) -> Future[Provisioned]:
    """A call that waits for an update that has begun."""
    assert world.begun.wait(SOON)
    queued = threading.Event()
    call = threads.submit(fleet.provision, customer, lambda _: queued.set())
    assert queued.wait(SOON)
    return call


def test_after_an_update_that_was_killed_the_same_call_updates_again(fleet: Provisioner, world: World) -> None:
    fleet.provision(signup("ada"))
    fleet._registry.updating(CELL, {"ada": 1})
    assert fleet.provision(signup("ada")).success
    assert len(world.updates) == 2
    assert fleet._registry.instance("ada", "prod").phase == "healthy"  # type: ignore[union-attr]


@pytest.mark.parametrize("broken", [KeyError("shared-9"), ValueError(CANARY), OSError("away")], ids=range(3))
def test_what_nobody_foresaw_is_an_error_for_a_person_without_its_words(
    fleet: Provisioner, world: World, broken: Exception
) -> None:
    def during(stop: threading.Event, tell: Any) -> None:
        raise broken

    fleet.provision(signup("ada"))
    world.during = during
    calls: list[Callable[[], object]] = [
        lambda: fleet.provision(signup()),
        lambda: fleet.deprovision("ada"),
        lambda: fleet.update(CELL),
    ]
    for call in calls:
        with pytest.raises(SetupError, match=f"met a {type(broken).__name__}") as caught:
            call()
        assert CANARY not in f"{caught.value!r}"
        assert caught.value.__cause__ is None
    world.during = lambda stop, tell: None
    assert fleet.provision(signup()).success, "the cell is not blocked"


def test_a_callers_function_that_fails_ends_no_update(fleet: Provisioner, world: World) -> None:
    def fail(event: StageEvent) -> None:
        raise RuntimeError(event.stage)

    assert fleet.provision(signup(), fail).success
    fleet.update(CELL, fail)
    assert len(world.updates) == 2


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


FLEET_SERVERS = {
    "base": {"zone": "clawdet.com", "hosts": {"shared-1": {"ipv4": "5.75.200.1", "ipv6": "2a01:4f8:c17:1::1"}}},
    "servers": {"listed": {"ipv4": "5.75.200.2", "host_key": "x"}},
    "customers": {"listed": {"ipv4": "5.75.200.3", "host": "listed"}},
}
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPHJrSmEsAEpu4Fq1J7aGFQ1BhJbGXBCfFBNGHa1DPtL"


@pytest.mark.parametrize("host_key", [None, HOST_KEY], ids=["its key is asked", "its key is given"])
@pytest.mark.parametrize(
    ("named", "part"),
    [
        ({"ipv4": "127.0.0.1"}, "the machine itself"),
        ({"ipv4": "169.254.169.254"}, "metadata"),
        ({"ipv4": "0.0.0.0"}, "no server's address"),
        ({"ipv4": "224.0.0.5"}, "multicast"),
        ({"ipv4": "10.0.0.7"}, "private"),
        ({"ipv4": "2130706433"}, "not an IPv4 address"),
        ({"ipv4": "5.75.200.1"}, "the server shared-1 of this fleet"),
        ({"ipv4": "5.75.200.2"}, "the server listed of this fleet"),
        ({"ipv4": "5.75.200.3"}, "the server listed of this fleet"),
        ({"ipv4": "5.75.200.4"}, "customer ada of prod is on it"),
        ({"ipv4": "5.75.200.9", "ipv6": "2a01:4f8:c17:1::7"}, "the server shared-1 of this fleet"),
        ({"ipv4": "5.75.200.9", "ipv6": "fe80::1%eth0"}, "has a zone"),
    ],
)
def test_a_server_that_is_not_the_callers_is_refused_before_anything_connects(
    fleet: Provisioner,
    world: World,
    monkeypatch: pytest.MonkeyPatch,
    named: dict[str, str],
    part: str,
    host_key: str | None,
) -> None:
    world.base = replace(world.base, outputs={**world.base.outputs, **FLEET_SERVERS})
    fleet.provision(signup("ada"))
    fleet._registry.mirror("prod", CELL, "1", {"ada": {"ipv4": "5.75.200.4"}})
    connected: list[str] = []
    monkeypatch.setattr(provisioner, "shown_host_key", lambda address, *_, **__: connected.append(address) or HOST_KEY)
    monkeypatch.setattr(existing_server, "Provider", lambda cloud: connected.append("the provider"))
    options = {"existingServer": {"hostKey": HOST_KEY, **named}} if "ipv6" in named else {}
    server = {} if options else {"server_ipv4": named["ipv4"], "server_host_key": host_key}
    with pytest.raises(InputError, match=part):
        fleet.provision(signup(options=options, **server))
    assert connected == []
    assert fleet._registry.instance("bob", "prod") is None


def test_a_disk_that_would_have_to_shrink_is_refused_before_anything_is_stored(
    fleet: Provisioner, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    class Disks:
        def __init__(self, cloud: object) -> None:
            pass

        async def disk_of(self, name: str) -> int:
            asked.append(name)
            return 80

    monkeypatch.setattr(server_type, "Provider", Disks)
    fleet.provision(signup(plan="enterprise"))
    before = fleet._registry.instance("bob", "prod")
    with pytest.raises(ImmutableError, match="its disk has 80 GB, a cx23 has 40"):
        fleet.provision(signup(plan="pro"))
    assert fleet._registry.instance("bob", "prod") == before
    assert (len(world.updates), asked) == (1, ["bob"])
    fleet.provision(signup(plan="enterprise", subdomain="robert"))
    assert asked == ["bob"], "the provider is asked where the type changes"


def test_a_server_that_only_the_provider_knows_is_refused_too(
    fleet: Provisioner, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Known:
        def __init__(self, cloud: object) -> None:
            pass

        async def fleet_server_at(self, address: object) -> str | None:
            return "staging-1" if str(address) == "5.75.200.9" else None

    monkeypatch.setattr(existing_server, "Provider", Known)
    monkeypatch.setattr(provisioner, "shown_host_key", lambda *_, **__: HOST_KEY)
    with pytest.raises(TakenError, match="the server staging-1 of this fleet"):
        fleet.provision(signup(server_ipv4="5.75.200.9"))
    assert fleet.provision(signup(server_ipv4="5.75.200.10")).success
    assert not fleet.provision(signup(server_ipv4="5.75.200.10")).changed


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


def test_an_update_is_stopped_before_the_cells_lease_ends_while_the_registry_is_away(
    fleet: Provisioner, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leases, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(leases, "_STOP_SECONDS", 0.5)
    stopped: list[bool] = []

    def during(stop: threading.Event, tell: Any) -> None:
        # The registry cannot be reached for as long as this update runs: it is renewed every ten seconds.
        stopped.append(stop.wait(SOON))
        world.during = lambda stop, tell: None

    world.during = during
    assert fleet.provision(signup()).created, "the call goes on when it has the lease again"
    assert stopped == [True]


def test_an_update_that_lost_its_lease_notes_nothing(fleet: Provisioner, world: World, tmp_path: Path) -> None:
    """Another machine updates the cell by now; how the first update ended is not to be noted over that."""

    def during(stop: threading.Event, tell: Any) -> None:
        with sqlite3.connect(tmp_path / "registry.db") as database:
            database.execute("UPDATE catalog_lease SET token = 'another', expires_at_boottime = 0, expires_at = 0")
        world.broken["bob"] = "the first update failed"
        world.during = lambda stop, tell: world.broken.clear()

    world.during = during
    assert fleet.provision(signup()).created
    assert len(world.updates) == 2
    assert world.basis == "settings"


def test_who_waits_for_another_until_the_deadline_is_told_so(fleet: Provisioner, url: str) -> None:
    with Catalog.open(url) as other:
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
    assert world.updates[-1] == [("bob", DesiredState.ABSENT, 2)]
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


def test_a_new_registry_reads_the_stacks_before_it_says_that_nobody_is_there(
    fleet: Provisioner, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = {"url": "https://listed.clawdet.com", "plan": "pro", "host": "h", "ipv4": "", "image": "", "user": ""}
    outputs = {"prod": {"base": {"zone": "clawdet.com"}, "customers": {"listed": listed}}, CELL: {"customers": {}}}
    monkeypatch.setattr("clawdet_infra.automation.sync.versions", lambda root: dict.fromkeys(outputs, 1))
    monkeypatch.setattr("clawdet_infra.automation.sync.outputs_of", lambda stack, root: outputs[stack])
    with pytest.raises(InputError, match="Take it out of that list"):
        fleet.deprovision("listed")
    assert not fleet.deprovision("nobody").existed
    outputs[CELL]["customers"] = {"lost": listed}
    monkeypatch.setattr("clawdet_infra.automation.sync.versions", lambda root: dict.fromkeys(outputs, 2))
    for _ in range(2):
        with pytest.raises(SetupError, match="lost runs in prod-cell-1, and the catalog does not know it"):
            fleet.deprovision("lost")


@pytest.mark.parametrize(("raised", "kind"), [(RefusedError, InputError), (CatalogError, SetupError)])
def test_what_the_caller_can_do_follows_from_the_kind_of_error_and_not_from_its_words(
    fleet: Provisioner,
    monkeypatch: pytest.MonkeyPatch,
    raised: type[CatalogError],
    kind: type[AutomationError],
) -> None:
    def refuse(*_: Any) -> None:
        raise raised("the registry of a customer that did not sign up has to be a host name")

    monkeypatch.setattr(fleet._registry, "withdraw", refuse)
    with pytest.raises(AutomationError) as caught:
        fleet.deprovision("bob")
    assert type(caught.value) is kind


def test_nothing_is_known_of_a_stranger(fleet: Provisioner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clawdet_infra.automation.sync.versions", lambda root: {})
    with pytest.raises(UnknownCustomerError):
        fleet.status("bob")


def test_a_callers_secrets_are_in_no_column_in_plain_text(fleet: Provisioner, tmp_path: Path) -> None:
    fleet.provision(signup())
    assert fleet._registry.record("bob", RecordCipher("5e" * 32), "prod") == signup().record()
    assert not [one for one in tmp_path.glob("registry.db*") if CANARY.encode() in one.read_bytes()]


def test_the_catalog_is_named_by_its_old_argument_too(
    world: World, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Provisioner("prod", registry=url, root=tmp_path):
        assert "the argument `registry` is now `catalog`" in caplog.text
    with pytest.raises(SetupError, match="`registry` is the old name of `catalog`"):
        Provisioner("prod", catalog=url, registry=url, root=tmp_path)
