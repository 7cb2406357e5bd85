"""Asks the engine what an update of a stack would do.

The engine says it in events: the steps that it plans, what the policies found, and what went wrong.  Secrets are
masked in them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from clawdet_infra.engine import events
from clawdet_infra.engine.output import Cause, failure, printed_failure
from clawdet_infra.engine.owners import is_tidying
from clawdet_infra.engine.process import FailedError
from clawdet_infra.error_line import FailureCode, read
from clawdet_infra.resources import SERVER
from clawdet_infra.secret_shapes import redacted

Step = Mapping[str, Any]
"""One step, in the form of `pulumi preview --json`: op, urn, oldState, newState, diffReasons, replaceReasons."""


class Previewed(Protocol):
    """What can be asked: a stack of the checkout, or `clawdet_infra.engine.engine.Engine`."""

    def preview(
        self,
        *,
        on_event: Callable[[Any], Any] | None = None,
        policy_packs: list[str] | None = None,
        refresh: bool | None = None,
    ) -> Any:
        """Preview an update and hand each event of the engine over.  Raises FailedError."""
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
    listener = _Listener()
    begun = time.perf_counter()
    failed: FailedError | None = None
    try:
        stack.preview(
            on_event=listener.hear,
            policy_packs=[policy_pack] if policy_pack else None,
            refresh=True if refresh else None,
        )
    except FailedError as error:
        failed = error
    return listener.planned(failed, time.perf_counter() - begun)


class _Listener:
    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._drift: list[Step] = []
        self._violations: dict[Violation, None] = {}
        self._errors: dict[str, None] = {}
        self._protected: dict[str, None] = {}
        self._problems: dict[str, None] = {}
        self._policies_ran = False

    def hear(self, event: Any) -> None:
        match events.read_event(event):
            case events.Step(stage=events.Stage.BEGINS, op=op) as step if op != "refresh":
                if not is_tidying(op, step.urn):
                    self._steps.append(_step(step))
            case events.Step(stage=events.Stage.ENDS, op="refresh") as step:
                # A refresh has its result only at its end.
                self._drift += _drift(step)
            case events.Violation() as found:
                self._policy(found)
            case events.Problem(message=message):
                self._error(message)
            case events.Summary(policies=policies):
                self._policies_ran = policies

    def planned(self, failed: FailedError | None, seconds: float) -> Planned:
        violations = tuple(self._violations)
        if failed and not self._errors and not self._protected and not any(one.mandatory for one in violations):
            why = _flat(printed_failure(failed.printed).sentence) or "the engine failed and did not say why"
            self._errors[why] = None
        return Planned(
            steps=tuple(self._steps),
            drift=tuple(self._drift),
            violations=violations,
            policies_ran=self._policies_ran or bool(violations),
            protected=tuple(self._protected),
            # The engine also reports that the program ended, which follows from these problems.
            errors=tuple(self._problems or self._errors),
            misconfigured=bool(self._problems),
            seconds=seconds,
        )

    def _policy(self, found: events.Violation) -> None:
        message = _flat(found.message)
        violation = Violation(
            policy=found.policy, message=message, mandatory=found.mandatory, resource=found.urn or None
        )
        self._violations[violation] = None

    def _error(self, message: str) -> None:
        message = redacted(message).strip()
        said = failure(message)
        _, text = read(message)
        if said.cause is Cause.PROTECTED:
            self._protected |= dict.fromkeys(said.resources)
        elif said.code is FailureCode.CONFIGURATION:
            for line in text.splitlines()[1:]:
                self._problems[line.strip().removeprefix("- ")] = None
        elif said.cause is not Cause.CONSEQUENCE:
            self._errors[_flat(text)] = None


def _drift(found: events.Step) -> list[Step]:
    step = _step(found)
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


def _step(step: events.Step) -> dict[str, Any]:
    return {
        "op": step.op,
        "urn": step.urn,
        "oldState": dict(vars(step.old)) if step.old else None,
        "newState": dict(vars(step.new)) if step.new else None,
        "diffReasons": list(step.diffs),
        "replaceReasons": list(step.keys),
        "detailedDiff": list(step.detailed),
    }


def _flat(text: str) -> str:
    return " ".join(redacted(text).split())
