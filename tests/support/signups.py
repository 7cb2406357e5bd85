"""Customers who sign up, for the tests of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from clawdet_infra.automation.cells import CellSource
from clawdet_infra.catalog import Applied, Catalog, DeploymentFingerprint, Record, RecordCipher, Related, UpsertResult
from clawdet_infra.preview.fingerprint import UPDATED
from clawdet_infra.preview.sources import CheckoutSource

SEAL = RecordCipher("5e" * 32)
OTHER_SEAL = RecordCipher("a1" * 32)
BASE = "prod"


def signup(identity: str, **more: Any) -> dict[str, Any]:
    """A record as in YAML."""
    return {"id": identity, "plan": "pro", "anthropicApiKey": f"sk-ant-canary-0123456789-abcdefghij-{identity}", **more}


class Asked:
    """A check that lets everything pass, and keeps what it was asked about."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.related: Related | None = None

    def __call__(self, related: Related) -> Record:
        self.related = related
        return self.record

    @property
    def ids(self) -> list[str]:
        assert self.related is not None, "nothing was asked"
        return [one["id"] for one in self.related]


def want(
    registry: Catalog, record: Mapping[str, Any], *, base: str = BASE, cell_size: int = 3, seal: RecordCipher = SEAL
) -> UpsertResult:
    return registry.want(base, record, seal=seal, cell_size=cell_size, check=lambda _: record)


def related_to(registry: Catalog, record: Mapping[str, Any], base: str = BASE) -> list[str]:
    """The ids of the customers that a new one is checked against; it is refused in the end."""
    asked = Asked(record)

    def check(related: Related) -> Record:
        asked(related)
        raise PermissionError

    try:
        registry.want(base, record, seal=SEAL, cell_size=3, check=check)
    except PermissionError:
        return asked.ids
    raise AssertionError("the check was not asked")


def healthy(registry: Catalog, record: Mapping[str, Any], *, base: str = BASE, cell_size: int = 3) -> UpsertResult:
    """A customer who is wanted, and whose cell was updated with success."""
    wanted = want(registry, record, base=base, cell_size=cell_size)
    done = Applied(revision=wanted.revision, ok=True, facts={"url": f"https://{record['id']}.example.com"})
    registry.applied(wanted.instance.cell, {record["id"]: done})
    return wanted


def marked(source: CheckoutSource | CellSource, *, policies: bool = True) -> DeploymentFingerprint:
    """The mark of an update of a stack that has just gone well."""
    made_from, version = source.fingerprint(policies=policies), source.version()
    assert made_from
    assert version
    return DeploymentFingerprint(fingerprint=made_from, version=version, outcome=UPDATED, at=datetime.now(UTC))
