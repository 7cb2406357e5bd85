"""How a trial went."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from clawdet_infra.engine.stages import Passed
from clawdet_infra.test_deploy.records import Record

ACCESS_FILE = "access.json"
"""Has the customer's secrets where a trial is kept; mode 0600, in the trial's folder."""


@dataclass(frozen=True)
class Outcome:
    """A trial's end.

    `healthy` is what it was made for.  `failure` says in one sentence why it is not, `removed` whether nothing of it
    is left, and `remains` in one sentence why something is.
    """

    name: str
    plan: str
    url: str
    address: str
    stages: Sequence[Passed]
    healthy: bool
    removed: bool
    failure: str = ""
    remains: str = ""
    interrupted: str = ""
    probe: dict[str, Any] = field(default_factory=dict)


def write_access(record: Record, url: str, user: str, token: str, password: str) -> None:
    """Mark a trial as one to be kept, and write its customer's secrets into its folder."""
    access = record.folder / ACCESS_FILE
    access.touch(mode=0o600)
    facts = {"url": url, "user": user, "gateway_token": token, "auth_password": password}
    access.write_text(json.dumps(facts, indent=2), encoding="utf-8")
    record.kept = True
    record.save()
