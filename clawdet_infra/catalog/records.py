"""What goes into the catalog and comes out of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

Record = Mapping[str, Any]
"""A customer's configuration, its keys as in YAML (`id`, `plan`, `anthropicApiKey`, …), with secrets in plain text."""


class DesiredState(StrEnum):
    """Whether a customer is to be there."""

    PRESENT = "present"
    ABSENT = "absent"


class Phase(StrEnum):
    """How far the newest wish about a customer has got."""

    WAITING = "waiting"
    UPDATING = "updating"
    REMOVING = "removing"
    HEALTHY = "healthy"
    FAILED = "failed"


@dataclass(frozen=True, kw_only=True)
class InstanceRow:
    """A customer as the catalog knows it; nothing in it is secret.

    `cell` is the stack that has the customer: a cell, or the base stack itself.  `plan` and `host` (the shared host, ""
    for none) are what is wanted; `url`, `ipv4`, `server`, `image` and `user` are what was there at last, "" where that
    is unknown.  `revision` is the newest wish and `applied` the last one that an update ended with, 0 for none;
    `error` says why that update failed, "" where it did not, and `error_code` is the same for programs, "" where it is
    not known.  `deploy_seconds` and `stages` are of that update too,
    `deployed_at` is when the last one succeeded.
    """

    id: str
    base: str
    cell: str
    subdomain: str
    plan: str
    host: str
    desired: DesiredState
    phase: Phase
    revision: int
    applied: int
    url: str
    ipv4: str
    server: str
    image: str
    user: str
    error: str
    error_code: str = ""
    created_at: datetime
    changed_at: datetime
    deployed_at: datetime | None
    deploy_seconds: float | None
    stages: list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class UpsertResult:
    """What became of a wish.

    `created` says that there was no such customer.  `changed` says that an update has to bring `revision` about; where
    it is false, that was done already.  `before` is the record of before, None where there was none.
    """

    instance: InstanceRow
    revision: int
    created: bool
    changed: bool
    before: Record | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True)
class Desired:
    """A customer that a cell is to have, or to have no more; `record` holds secrets.

    `has_data` is false only for a customer who is known never to have come up.  `failed` says that an update could not
    bring the newest wish about, and that nobody has asked for it since.
    """

    id: str
    wanted: DesiredState
    revision: int
    applied: int
    has_data: bool
    failed: bool
    record: Record = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Applied:
    """What an update brought about for one customer.

    `facts` are `url`, `ipv4`, `server`, `image` and `user`, as far as known; other keys are left alone.  `stages` are
    plain values, the first stage first.
    """

    revision: int
    ok: bool
    error: str = ""
    error_code: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    deploy_seconds: float | None = None
    stages: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, kw_only=True)
class DeploymentFingerprint:
    """How the last update of a stack ended, and of what: `fingerprint` of all that went in, `version` that came out."""

    fingerprint: str
    version: str
    outcome: str
    error: str = ""
    at: datetime


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A stack: a cell, by its number, or a base stack (`number` None).

    `fingerprint`, `version`, `updated_at`, `outcome` and `error` are those of its `DeploymentFingerprint`, empty if it
    has none.  `synced_version` is the version that the facts of its customers were last read from; see
    `Catalog.mirror`.
    """

    stack: str
    base: str
    number: int | None
    customers: int
    fingerprint: str
    version: str
    updated_at: datetime | None
    outcome: str
    error: str
    synced_version: str

    @property
    def mark(self) -> DeploymentFingerprint | None:
        """How its last update ended; None where it had none."""
        if self.updated_at is None:
            return None
        return DeploymentFingerprint(
            fingerprint=self.fingerprint,
            version=self.version,
            outcome=self.outcome,
            error=self.error,
            at=self.updated_at,
        )


class Related(tuple[Record, ...]):
    """The records that a new one has to get along with; `before` is the one that it is to replace."""

    before: Record | None

    def __new__(cls, records: Iterable[Record], before: Record | None = None) -> Related:
        """Take the records of others, and the one of before."""
        made = super().__new__(cls, records)
        made.before = before
        return made

    def __repr__(self) -> str:
        # The records hold secrets.
        return f"<{len(self)} related records>"
