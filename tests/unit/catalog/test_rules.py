"""Any order of wishes, updates and removals, beside a model that has no database."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from clawdet_infra.catalog import Applied, BeingRemovedError, Catalog, ConflictError, Phase, cell_number
from tests.support.examples import examples
from tests.support.signups import BASE, SEAL, signup, want

IDS = st.sampled_from([f"c{number}" for number in range(8)])
SIZE = 3


@dataclass
class Known:
    record: dict[str, Any]
    cell: str
    revision: int = 1
    applied: int = 0
    ok: bool = False
    absent: bool = False

    @property
    def failed(self) -> bool:
        return self.applied == self.revision and not self.ok


class Wishes(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.mkdtemp()
        self.registry = Catalog.open(f"sqlite:///{self.folder}/registry.db")
        self.known: dict[str, Known] = {}

    def teardown(self) -> None:
        self.registry.close()
        shutil.rmtree(self.folder)

    @rule(identity=IDS, subdomain=st.none() | IDS, version=st.integers(1, 2))
    def want(self, identity: str, subdomain: str | None, version: int) -> None:
        record = signup(identity, tokenVersion=version, **({"subdomain": subdomain} if subdomain else {}))
        before = self.known.get(identity)
        taken = [other for other, one in self.known.items() if other != identity and name(one.record) == name(record)]
        if before is not None and before.absent:
            with pytest.raises(BeingRemovedError):
                want(self.registry, record, cell_size=SIZE)
            return
        if taken:
            with pytest.raises(ConflictError) as raised:
                want(self.registry, record, cell_size=SIZE)
            assert [raised.value.holder] == taken
            return
        sizes = Counter(one.cell for one in self.known.values())
        wanted = want(self.registry, record, cell_size=SIZE)
        assert wanted.created == (before is None)
        if before is None:
            cell = wanted.instance.cell
            number = cell_number(BASE, cell)
            assert number is not None
            assert sizes[cell] < SIZE
            assert all(sizes[f"{BASE}-cell-{lower}"] >= SIZE for lower in range(1, number)), "the lowest with room"
            self.known[identity] = Known(record, cell)
            return
        assert wanted.before == before.record
        done = before.ok and before.applied == before.revision and before.record == record
        assert wanted.changed == (not done)
        # The same call again waits for the update that is under way already.
        if before.record != record or before.failed:
            before.record, before.revision = record, before.revision + 1
        assert wanted.revision == before.revision

    @rule(identity=IDS)
    def withdraw(self, identity: str) -> None:
        withdrawn, known = self.registry.withdraw(identity), self.known.get(identity)
        if known is None:
            assert withdrawn is None
            return
        if not known.absent or known.failed:
            known.absent, known.revision = True, known.revision + 1
        assert withdrawn is not None
        assert withdrawn.revision == known.revision

    @precondition(lambda self: self.known)
    @rule(data=st.data(), ok=st.booleans())
    def apply(self, data: st.DataObject, ok: bool) -> None:
        identity = data.draw(st.sampled_from(sorted(self.known)))
        known = self.known[identity]
        revision = data.draw(st.integers(1, known.revision))
        self.registry.updating(known.cell, {identity: revision})
        self.registry.applied(known.cell, {identity: Applied(revision=revision, ok=ok)})
        if known.absent and ok and revision == known.revision:
            del self.known[identity]
        elif revision >= known.applied:
            known.applied, known.ok = revision, ok

    @invariant()
    def both_agree(self) -> None:
        rows = {row.id: row for row in self.registry.instances()}
        assert rows.keys() == self.known.keys()
        for identity, known in self.known.items():
            row = rows[identity]
            assert (row.cell, row.revision, row.applied) == (known.cell, known.revision, known.applied)
            assert (row.desired == "absent") == known.absent
            assert (row.phase is Phase.HEALTHY) == (known.ok and known.applied == known.revision)
            assert bool(row.error) == (known.applied > 0 and not known.ok)
        found = {
            one.id: one.record for cell in self.registry.cells() for one in self.registry.desired(cell.stack, SEAL)
        }
        assert found == {identity: known.record for identity, known in self.known.items()}
        assert all(cell.customers <= SIZE for cell in self.registry.cells())


def name(record: dict[str, Any]) -> str:
    return str(record.get("subdomain") or record["id"])


TestWishes = Wishes.TestCase
TestWishes.settings = settings(max_examples=examples(25), stateful_step_count=25)
