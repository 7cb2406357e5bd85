"""The engine's events, in the one form in which the rest of the program reads them.

The engine writes them as JSON to a log; the Automation API hands the same over as objects.  Secrets in them are masked,
but not what somebody has written in plain text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from clawdet_infra.engine.output import Failure, failure

Event = Mapping[str, Any]
"""One event as the engine writes it: JSON with `sequence`, `timestamp`, and a key for its kind."""

_MANDATORY = ("mandatory", "remediate")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Stage(StrEnum):
    """How far a step is."""

    BEGINS = "begins"
    ENDS = "ends"
    FAILS = "fails"


_STAGES = {"resourcePreEvent": Stage.BEGINS, "resOutputsEvent": Stage.ENDS, "resOpFailedEvent": Stage.FAILS}


@dataclass(frozen=True, kw_only=True)
class ResourceState:
    """A resource before or after a step.  Components are not `custom`."""

    type: str
    urn: str
    parent: str = ""
    custom: bool = False
    protect: bool = False
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Step:
    """What the engine does with a resource, and how far it is.

    `diffs` are the properties that differ, `detailed` their paths, and `keys` those for which it is replaced.
    """

    stage: Stage
    op: str
    urn: str
    old: ResourceState | None
    new: ResourceState | None
    diffs: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    detailed: tuple[str, ...] = ()

    @property
    def state(self) -> ResourceState | None:
        """The resource after the step, or before it where there is none after it."""
        return self.new or self.old


@dataclass(frozen=True, kw_only=True)
class Problem:
    """An error; `urn` is the URN of the resource that it is about, "" where it is about none."""

    urn: str
    message: str

    @property
    def failure(self) -> Failure:
        """What it says."""
        return failure(self.message)


@dataclass(frozen=True, kw_only=True)
class Violation:
    """What a policy found; `urn` is "" where it is about no resource.  One that is `mandatory` stops the engine."""

    policy: str
    message: str
    mandatory: bool
    urn: str


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The end; `policies` says whether policies were asked."""

    policies: bool


class EventLog:
    """A log of events that the engine is still writing."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    def new(self) -> Iterator[Event]:
        """Return the events that were written since the last call; one that is half written comes the next time."""
        if not self._path.exists():
            return
        with self._path.open("rb") as log:
            log.seek(self._read)
            for line in log:
                if not line.endswith(b"\n"):
                    return
                self._read += len(line)
                yield json.loads(line)


def read_event(event: Any) -> Step | Problem | Violation | Summary | None:
    """Return what an event says, from its JSON or from the Automation API; None where it says nothing of these."""
    for kind, stage in _STAGES.items():
        if found := _of(event, kind):
            return _step(stage, _of(found, "metadata"))
    if found := _of(event, "diagnosticEvent"):
        if _of(found, "severity") != "error":
            return None
        return Problem(urn=_text(found, "urn"), message=_text(found, "message"))
    if found := _of(event, "policyEvent"):
        return Violation(
            policy=_text(found, "policyName"),
            message=_text(found, "message"),
            mandatory=_of(found, "enforcementLevel") in _MANDATORY,
            urn=_text(found, "resourceUrn"),
        )
    if found := _of(event, "summaryEvent"):
        return Summary(policies=bool(_of(found, "PolicyPacks")))
    return None


def _step(stage: Stage, metadata: Any) -> Step:
    op = _of(metadata, "op")
    return Step(
        stage=stage,
        op=str(getattr(op, "value", op)),
        urn=_text(metadata, "urn"),
        old=_state(_of(metadata, "old")),
        new=_state(_of(metadata, "new")),
        diffs=tuple(_of(metadata, "diffs") or ()),
        keys=tuple(_of(metadata, "keys") or ()),
        detailed=tuple(sorted(_of(metadata, "detailedDiff") or ())),
    )


def _state(state: Any) -> ResourceState | None:
    if state is None:
        return None
    return ResourceState(
        type=_text(state, "type"),
        urn=_text(state, "urn"),
        parent=_text(state, "parent"),
        custom=bool(_of(state, "custom")),
        protect=bool(_of(state, "protect")),
        inputs=_of(state, "inputs") or {},
        outputs=_of(state, "outputs") or {},
    )


def _of(thing: Any, name: str) -> Any:
    """Return a field by its name in JSON; the Automation API writes the same names with underscores."""
    if isinstance(thing, Mapping):
        return thing.get(name)
    return getattr(thing, _HUMP.sub("_", name).lower(), None)


def _text(thing: Any, name: str) -> str:
    return str(_of(thing, name) or "")
