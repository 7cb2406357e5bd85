"""How a trial went."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from clawdet_infra.trial.stages import Passed


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
