"""What callers get back.  None of it holds a secret."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clawdet_infra.engine.stages import Passed


@dataclass(frozen=True, kw_only=True)
class StageEvent:
    """A customer passed a stage: queued, server, DNS, SSH, deployment, TLS, healthy or removed.

    `seconds` are since the call began, or, for a stage that an update of another call passed, since that update began;
    no stage has fewer than the one before.
    """

    customer: str
    stage: str
    seconds: float
    note: str = ""

    @classmethod
    def of(cls, customer: str, passed: Passed) -> StageEvent:
        """Return the event of a stage."""
        return cls(customer=customer, stage=passed.stage, seconds=passed.seconds, note=passed.note)


OnStage = Callable[[StageEvent], None]


@dataclass(frozen=True, kw_only=True)
class Provisioned:
    """A customer who is there and healthy.

    `deploy_time` is in seconds, from the call to the end of the update.  `created` says whether this call, or one that
    died before, made the customer; `changed` whether anything had to be done at all.  `stages` are those of the update.
    """

    success: bool
    customer: str
    access_url: str
    deploy_time: float
    cell: str
    plan: str
    server: str
    ipv4: str
    user: str
    created: bool
    changed: bool
    stages: tuple[StageEvent, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Removed:
    """A customer of whom nothing is left; `existed` is false where there was nothing to remove."""

    success: bool
    customer: str
    existed: bool
    remove_time: float
