"""Whatever customers bring along: no secret is in the database, in any form, and none comes out but with the key."""

from __future__ import annotations

import base64
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from clawdet_infra.catalog import Applied, Catalog, CatalogError
from tests.support.examples import examples
from tests.support.signups import BASE, SEAL, healthy, want

_HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
_LETTERS = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-", min_size=30, max_size=60)
SIGNUPS = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["ada", "bob", "eve", "a.b", "x-1"]),
        "plan": st.sampled_from(["free", "pro", "enterprise"]),
        "anthropicApiKey": _LETTERS.map("sk-ant-{}".format),
    },
    optional={
        "gatewayToken": _HEX,
        "telegramBotToken": _LETTERS.map("123456789:{}".format),
        "host": st.just("shared-1"),
    },
)
SECRET = ("anthropicApiKey", "gatewayToken", "telegramBotToken")


def forms(secret: str) -> list[bytes]:
    """What somebody would look for who has the file: the text, its half, and what it may have been turned into."""
    plain = secret.encode()
    turned = [base64.b64encode(plain)[:-4], base64.urlsafe_b64encode(plain)[:-4], plain.hex().encode(), plain[::-1]]
    return [plain, plain[8:-8], secret.encode("utf-16-le"), *turned]


def rows(file: Path, table: str) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(file)
    try:
        return connection.execute(f"SELECT * FROM {table}").fetchall()
    finally:
        connection.close()


def act(registry: Catalog, record: dict[str, Any], what: str) -> None:
    if what == "restore":
        registry.restore(BASE, "prod-cell-1", {record["id"]: record}, SEAL)
    elif what == "fail":
        wanted = want(registry, record)
        failed = Applied(revision=wanted.revision, ok=False, error="it broke")
        registry.applied(wanted.instance.cell, {record["id"]: failed})
    elif what == "want":
        want(registry, record)
    else:
        healthy(registry, record)
    if what == "withdraw":
        registry.withdraw(record["id"])


@settings(max_examples=examples(25))
@given(st.lists(SIGNUPS, min_size=1, max_size=6), st.data())
def test_no_secret_is_in_any_column_or_in_the_file(signups: list[dict[str, Any]], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with Catalog.open(f"sqlite:///{folder}/registry.db") as registry:
            said = []
            for record in signups:
                try:
                    act(
                        registry, record, data.draw(st.sampled_from(["want", "healthy", "fail", "restore", "withdraw"]))
                    )
                except CatalogError as error:
                    said.append(str(error).encode())
            columns = [
                str(value).encode()
                for table in ("catalog_instance", "catalog_cell", "catalog_lease")
                for row in rows(Path(folder) / "registry.db", table)
                for value in row
            ]
            # Also what the log of changes has before it is taken over into the file.
            files = [file.read_bytes() for file in Path(folder).iterdir()]
            assert len(files) >= 2
        files += [file.read_bytes() for file in Path(folder).iterdir()]
    for record in signups:
        for name in SECRET:
            for form in forms(record[name]) if name in record else []:
                assert not any(form in text for text in (*columns, *files, *said))
