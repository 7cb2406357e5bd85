"""Asks the engine what an update of a stack would do.

The engine says it in events: the steps that it plans, what the policies found, and what went wrong.  Secrets are
masked in them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from clawdet_infra.changes.scrubbing import scrubbed
from clawdet_infra.changes.wording import SERVER

Step = Mapping[str, Any]
"""One step, in the form of `pulumi preview --json`: op, urn, oldState, newState, diffReasons, replaceReasons."""

_MANDATORY = ("mandatory", "remediate")
_PROTECTED = re.compile(r'resource "?(urn:[^"]+?)"? (?:cannot be deleted|as it is currently marked for protection)')
_MISCONFIGURED = "The configuration has "
# What the engine says of the rest where something has failed, as Go words it.
_CUT_OFF = "context canceled"
# What it says besides when the program ended with an error of its own.
_PROGRAM_ENDED = "an unhandled error occurred: program exited"


class Previewed(Protocol):
    """What can be asked: `pulumi.automation.Stack`, or a stack of the checkout."""

    def preview(
        self,
        *,
        on_event: Callable[[Any], Any] | None = None,
        policy_packs: list[str] | None = None,
        refresh: bool | None = None,
    ) -> Any:
        """Preview an update and hand each engine event over.  Raises the Automation API's CommandError."""
        ...


@dataclass(frozen=True, kw_only=True)
class Violation:
    """What a policy found; `resource` is the URN of the resource, where it is about one.  No secret is in it."""

    policy: str
    message: str
    mandatory: bool
    resource: str | None = None


@dataclass(frozen=True, kw_only=True)
class Planned:
    """What the engine answered.

    `steps` are in the order of the engine.  `drift` has the steps of a refresh that found a resource other than it was
    left, or a server off.  `protected` are the URNs of what would be deleted or replaced and must not be; the engine
    stops there, so its answer is not a whole one.  `policies_ran` says whether a policy pack looked at it.  `errors`
    holds sentences that say why the answer is incomplete; `misconfigured` says that the stack's configuration is why.
    `seconds` is how long it took.
    """

    steps: tuple[Step, ...]
    drift: tuple[Step, ...] = ()
    violations: tuple[Violation, ...] = ()
    policies_ran: bool = False
    protected: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    misconfigured: bool = False
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether the engine could not say what would happen."""
        return bool(self.errors)


def ask(stack: Previewed, *, policy_pack: str | None = None, refresh: bool = False) -> Planned:
    """Return what an update of a stack would do; with `refresh`, after a look at the cloud.

    What fails is in the answer.  Raises nothing of the engine's.
    """
    from pulumi.automation import CommandError

    listener = _Listener()
    begun = time.perf_counter()
    said = ""
    try:
        stack.preview(
            on_event=listener.hear,
            policy_packs=[policy_pack] if policy_pack else None,
            refresh=True if refresh else None,
        )
    except CommandError as error:
        said = str(error)
    return listener.planned(said, time.perf_counter() - begun)


class _Listener:
    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._drift: list[Step] = []
        self._violations: dict[Violation, None] = {}
        self._errors: dict[str, None] = {}
        self._protected: dict[str, None] = {}
        self._misconfigured = False
        self._policies_ran = False

    def hear(self, event: Any) -> None:
        if event.resource_pre_event:
            self._steps += _steps(event.resource_pre_event.metadata)
        elif event.res_outputs_event:
            self._drift += _drift(event.res_outputs_event.metadata)
        elif event.policy_event:
            self._policy(event.policy_event)
        elif event.diagnostic_event and event.diagnostic_event.severity == "error":
            self._error(event.diagnostic_event.message)
        elif event.summary_event:
            self._policies_ran = bool(event.summary_event.policy_packs)

    def planned(self, said: str, seconds: float) -> Planned:
        violations = tuple(self._violations)
        if said and not self._errors and not self._protected and not any(one.mandatory for one in violations):
            self._errors[_reason(said)] = None
        causes = [one for one in self._errors if not one.startswith(_PROGRAM_ENDED)]
        return Planned(
            steps=tuple(self._steps),
            drift=tuple(self._drift),
            violations=violations,
            policies_ran=self._policies_ran or bool(violations),
            protected=tuple(self._protected),
            errors=tuple(causes or self._errors),
            misconfigured=self._misconfigured,
            seconds=seconds,
        )

    def _policy(self, event: Any) -> None:
        found = Violation(
            policy=event.policy_name,
            message=_flat(event.message),
            mandatory=event.enforcement_level in _MANDATORY,
            resource=event.resource_urn or None,
        )
        self._violations[found] = None

    def _error(self, message: str) -> None:
        text = scrubbed(message).strip()
        if "protect" in text and (found := _PROTECTED.findall(" ".join(text.split()))):
            self._protected |= dict.fromkeys(found)
        elif _MISCONFIGURED in text:
            # The program tells all problems in one error, one a line.
            self._misconfigured = True
            text = text[text.index(_MISCONFIGURED) :]
            for line in text.splitlines()[1:]:
                self._errors[line.strip().removeprefix("- ")] = None
        elif text and not text.startswith("preview failed") and not text.endswith(_CUT_OFF):
            self._errors[_flat(text)] = None


def _steps(metadata: Any) -> list[Step]:
    step = _step(metadata)
    # A refresh is told when it has an answer.
    return [] if step["op"] == "refresh" else [step]


def _drift(metadata: Any) -> list[Step]:
    step = _step(metadata)
    if step["op"] != "refresh":
        return []
    before, after = step["oldState"] or {}, step["newState"] or {}
    if not after or is_off(after):
        return [step]
    # What the provider computes may come later than the update that it follows from; nobody has changed that.
    given = before.get("inputs") or {}
    old, new = before.get("outputs") or {}, after.get("outputs") or {}
    return [step] if any(old.get(key) != new.get(key) for key in given) else []


def is_off(state: Mapping[str, Any]) -> bool:
    """Return whether a refreshed state is that of a server that is off or goes down.

    No update checks this, so it is reported even if an earlier refresh has already recorded it.
    """
    return state.get("type") == SERVER and (state.get("outputs") or {}).get("status") in ("off", "stopping")


def _step(metadata: Any) -> dict[str, Any]:
    return {
        "op": str(getattr(metadata.op, "value", metadata.op)),
        "urn": metadata.urn,
        "oldState": _state(metadata.old),
        "newState": _state(metadata.new),
        "diffReasons": list(metadata.diffs or ()),
        "replaceReasons": list(metadata.keys or ()),
        "detailedDiff": sorted(metadata.detailed_diff or ()),
    }


def _state(state: Any) -> dict[str, Any] | None:
    if state is None:
        return None
    return {
        "type": state.type,
        "urn": state.urn,
        "parent": state.parent,
        "custom": bool(state.custom),
        "protect": bool(state.protect),
        "inputs": state.inputs or {},
        "outputs": state.outputs or {},
    }


def _flat(text: str) -> str:
    return " ".join(scrubbed(text).split())


def _reason(said: str) -> str:
    """Return the line of a failed command's output that says why."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told: Sequence[str] = [line for line in lines if line.startswith("error:")] or lines[-1:]
    return _flat(" ".join(line.removeprefix("error:") for line in told)) or "the engine failed and did not say why"
