"""The 10,000th customer costs about what the tenth did."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import event, insert

from clawdet_infra.catalog import Catalog, RecordCipher
from clawdet_infra.catalog.desired_state import columns_of, new_columns
from clawdet_infra.catalog.names import NameClaim, cell_name
from clawdet_infra.catalog.schema import cells, instances
from tests.contract.conftest import differs
from tests.support.frozen_clock import NOON
from tests.support.signups import BASE, SEAL, signup, want

MANY, SIZE, SHARING = 10_000, 50, 100


def fill(registry: Catalog) -> None:
    """As many customers as a loop of `want` would make, at once."""
    rows = []
    for number in range(MANY):
        shares = {"plan": "free", "host": f"shared-{number % 7}"} if number < SHARING else {}
        record = signup(f"c{number}", subdomain=f"n{number}", gatewayToken=f"{number:064x}", **shares)
        new = new_columns(BASE, record["id"], cell_name(BASE, number // SIZE + 1), NOON)
        rows.append({**new, **columns_of(NameClaim.of(record), record, SEAL)})
    stacks = sorted({row["cell"] for row in rows})
    empty = dict.fromkeys(("synced_version", "fingerprint", "version", "outcome", "error"), "")
    with registry._database.write() as connection:
        connection.execute(insert(instances), rows)
        numbered = [
            {"stack": stack, "base": BASE, "number": int(stack.rpartition("-")[2]), **empty} for stack in stacks
        ]
        connection.execute(insert(cells), numbered)
    with registry._database.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE")


def test_ten_thousand_customers_make_the_next_one_no_dearer(registry: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(registry)
    opened: list[str] = []
    statements: list[str] = []
    real = RecordCipher.open

    def counting(self: RecordCipher, text: str, identity: str) -> dict[str, object]:
        opened.append(identity)
        return real(self, text, identity)

    monkeypatch.setattr(RecordCipher, "open", counting)
    event.listen(registry._database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    record = signup("new", subdomain="below.n5", gatewayToken=f"{4321:064x}")
    wanted = want(registry, record, cell_size=SIZE)
    assert wanted.instance.cell == cell_name(BASE, MANY // SIZE + 1)
    assert opened == ["c4321", "c5"], "only those that have to do with it are decrypted"
    assert len(statements) < 20
    opened.clear()
    want(registry, signup("another", plan="free", host="shared-1"), cell_size=SIZE)
    assert len(opened) == SHARING, "those who share hosts, and nobody else"


@pytest.mark.slow  # It measures time.
def test_one_more_than_ten_thousand_takes_no_second(registry: Catalog) -> None:
    fill(registry)
    begun = time.monotonic()
    want(registry, signup("new", subdomain="below.n5", gatewayToken=f"{4321:064x}"), cell_size=SIZE)
    assert time.monotonic() - begun < 1, "no look at each of the others"


@differs
def test_lookups_go_by_indexes(registry: Catalog) -> None:
    fill(registry)
    plans: list[str] = []
    asked = "EXPLAIN " if not registry._database.is_sqlite else "EXPLAIN QUERY PLAN "

    def explain(connection: object, cursor: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith("SELECT") and "catalog_instance" in statement:
            look = cursor.connection.cursor()  # type: ignore[attr-defined]
            look.execute(asked + statement, parameters)
            plans.append(f"{statement}\n" + "\n".join(str(row[-1]) for row in look.fetchall()))

    event.listen(registry._database.engine, "before_cursor_execute", explain)
    free = signup("new", plan="free", host="shared-1", subdomain="a.b", gatewayToken="f" * 64, telegramBotToken="1:t")
    want(registry, free, cell_size=SIZE)
    assert len(plans) >= 6
    counting = [plan for plan in plans if "count(" in plan]
    for plan in plans:
        if plan not in counting:
            assert "Seq Scan on catalog_instance" not in plan, plan
            assert "SCAN catalog_instance" not in plan, plan
    assert len(counting) == 1, "customers are counted by cell, once"
