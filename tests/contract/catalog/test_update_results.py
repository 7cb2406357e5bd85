"""What updates come to, also when people ask for more while they run."""

from __future__ import annotations

import pytest

from clawdet_infra.catalog import (
    Applied,
    Catalog,
    CatalogError,
    DeploymentFingerprint,
    DesiredState,
    Lease,
    LeaseLostError,
    Phase,
)
from tests.contract.conftest import differs
from tests.support.frozen_clock import MINUTE, NOON, SetClock
from tests.support.signups import SEAL, healthy, signup, want

CELL = "prod-cell-1"
FACTS = {
    "url": "https://ada.example.com",
    "ipv4": "192.0.2.7",
    "server": "ada",
    "image": "openclaw@sha256:1",
    "user": "u",
}


def phase(registry: Catalog, identity: str = "ada") -> Phase:
    row = registry.instance(identity)
    assert row is not None
    return row.phase


@differs
def test_an_update_that_succeeds_is_kept_with_what_it_found(registry: Catalog, clock: SetClock) -> None:
    want(registry, signup("ada"))
    registry.updating(CELL, {"ada": 1})
    assert phase(registry) is Phase.UPDATING
    clock.pass_seconds(60)
    stages = [{"stage": "server", "seconds": 12.5}, {"stage": "healthy", "seconds": 40}]
    done = Applied(revision=1, ok=True, facts={**FACTS, "plan": "free"}, deploy_seconds=52.5, stages=stages)
    registry.applied(CELL, {"ada": done})
    row = registry.instance("ada")
    assert row is not None
    assert (row.phase, row.applied, row.error, row.deployed_at) == (Phase.HEALTHY, 1, "", NOON + MINUTE)
    assert (row.deploy_seconds, row.stages) == (52.5, stages)
    assert {name: getattr(row, name) for name in FACTS} == FACTS
    assert row.plan == "pro", "the plan is what is wanted"


def test_an_update_that_fails_says_why_until_one_succeeds(registry: Catalog) -> None:
    healthy(registry, signup("ada"))
    want(registry, signup("ada", tokenVersion=2))
    registry.applied(CELL, {"ada": Applied(revision=2, ok=False, error="no capacity in fsn1")})
    row = registry.instance("ada")
    assert row is not None
    assert (row.phase, row.applied, row.error, row.url) == (Phase.FAILED, 2, "no capacity in fsn1", FACTS["url"])
    assert row.deployed_at == NOON, "when it succeeded last"
    registry.applied(CELL, {"ada": Applied(revision=2, ok=False)})
    row = registry.instance("ada")
    assert row is not None
    assert row.error, "there is always a reason"
    registry.applied(CELL, {"ada": Applied(revision=2, ok=True)})
    row = registry.instance("ada")
    assert row is not None
    assert (row.phase, row.error) == (Phase.HEALTHY, "")


@pytest.mark.parametrize("ok", [True, False])
def test_what_was_asked_for_meanwhile_goes_on_waiting(registry: Catalog, ok: bool) -> None:
    want(registry, signup("ada"))
    registry.updating(CELL, {"ada": 1})
    want(registry, signup("ada", plan="enterprise"))
    assert phase(registry) is Phase.WAITING
    registry.updating(CELL, {"ada": 1})
    assert phase(registry) is Phase.WAITING, "the update works on an older one"
    registry.applied(CELL, {"ada": Applied(revision=1, ok=ok, error="" if ok else "it broke", facts=FACTS)})
    row = registry.instance("ada")
    assert row is not None
    assert (row.phase, row.revision, row.applied, row.url) == (Phase.WAITING, 2, 1, FACTS["url"])
    assert row.error == ("" if ok else "it broke"), "whoever waits for the older one sees how it ended"


def test_a_result_that_comes_late_takes_nothing_back(registry: Catalog) -> None:
    want(registry, signup("ada"))
    want(registry, signup("ada", tokenVersion=2))
    registry.applied(CELL, {"ada": Applied(revision=2, ok=True)})
    registry.applied(CELL, {"ada": Applied(revision=1, ok=False, error="late")})
    registry.applied(CELL, {"ada": Applied(revision=3, ok=False, error="of another life")})
    registry.applied("prod-cell-2", {"ada": Applied(revision=2, ok=False, error="of another cell")})
    registry.applied(CELL, {"nobody": Applied(revision=1, ok=True)})
    row = registry.instance("ada")
    assert row is not None
    assert (row.phase, row.applied, row.error) == (Phase.HEALTHY, 2, "")
    assert len(registry.instances()) == 1


def test_one_who_was_removed_is_gone_only_when_that_succeeded(registry: Catalog) -> None:
    healthy(registry, signup("ada"))
    registry.withdraw("ada")
    registry.updating(CELL, {"ada": 2})
    assert phase(registry) is Phase.REMOVING
    registry.applied(CELL, {"ada": Applied(revision=2, ok=False, error="the server is protected")})
    assert phase(registry) is Phase.FAILED
    again = registry.withdraw("ada")
    assert again is not None
    assert again.revision == 3
    registry.applied(CELL, {"ada": Applied(revision=2, ok=True)})
    assert phase(registry) is Phase.WAITING, "somebody asked again, and will look for the result"
    registry.applied(CELL, {"ada": Applied(revision=3, ok=True)})
    assert registry.instance("ada") is None


def test_an_update_of_before_the_removal_removes_nobody(registry: Catalog) -> None:
    want(registry, signup("ada"))
    registry.updating(CELL, {"ada": 1})
    registry.withdraw("ada")
    registry.applied(CELL, {"ada": Applied(revision=1, ok=True)})
    row = registry.instance("ada")
    assert row is not None
    assert (row.desired, row.phase, row.applied) == (DesiredState.ABSENT, Phase.WAITING, 1)


def test_a_cell_is_told_all_that_it_is_to_have(registry: Catalog) -> None:
    for name in ("zoe", "ada", "bob", "eve"):
        healthy(registry, signup(name))
    registry.withdraw("bob")
    found = [(one.id, one.wanted, one.revision, one.applied) for one in registry.desired(CELL, SEAL)]
    assert found == [("ada", "present", 1, 1), ("bob", "absent", 2, 1), ("zoe", "present", 1, 1)]
    assert [one.record for one in registry.desired(CELL, SEAL)] == [signup("ada"), signup("bob"), signup("zoe")]


def test_marks_are_kept_for_cells_and_bases(registry: Catalog) -> None:
    want(registry, signup("ada"))
    assert registry.mark(CELL) is None
    mark = DeploymentFingerprint(fingerprint="f1", version="12", outcome="succeeded", at=NOON)
    registry.set_mark(CELL, "prod", mark)
    registry.set_mark(
        "prod", "prod", DeploymentFingerprint(fingerprint="f0", version="3", outcome="failed", error="why", at=NOON)
    )
    assert registry.mark(CELL) == mark
    base, cell = registry.cells()
    assert (base.stack, base.number, base.outcome, base.error, base.customers) == ("prod", None, "failed", "why", 0)
    assert (cell.fingerprint, cell.version, cell.updated_at, cell.customers) == ("f1", "12", NOON, 1)
    with pytest.raises(CatalogError, match="elsewhere is no cell of prod: those are called prod-cell-1"):
        registry.set_mark("elsewhere", "prod", mark)


def test_a_cell_is_forgotten_only_when_it_is_empty(registry: Catalog) -> None:
    wanted = want(registry, signup("ada"))
    with pytest.raises(CatalogError, match="still has 1 customer"):
        registry.forget_cell(CELL)
    registry.withdraw("ada")
    registry.applied(CELL, {"ada": Applied(revision=wanted.revision + 1, ok=True)})
    registry.forget_cell(CELL)
    assert registry.cells() == []
    assert want(registry, signup("grace")).instance.cell == CELL


@differs
def test_an_update_whose_lease_another_process_has_notes_nothing(registry: Catalog) -> None:
    want(registry, signup("ada"))
    lease = registry.acquire(f"cell:{CELL}", 60)
    assert isinstance(lease, Lease)
    registry.updating(CELL, {"ada": 1}, lease)
    registry.release(lease)
    assert isinstance(registry.acquire(f"cell:{CELL}", 60), Lease)
    with pytest.raises(LeaseLostError):
        registry.applied(CELL, {"ada": Applied(revision=1, ok=False, error="it lost its lease")}, lease)
    with pytest.raises(LeaseLostError):
        registry.updating(CELL, {"ada": 1}, lease)
    with pytest.raises(LeaseLostError):
        registry.set_mark(
            CELL, "prod", DeploymentFingerprint(fingerprint="f", version="1", outcome="failed", at=NOON), lease
        )
    assert phase(registry) is Phase.UPDATING
    assert registry.mark(CELL) is None
