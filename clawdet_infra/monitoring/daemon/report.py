"""A round in a line: what was seen, and what was decided."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from clawdet_infra.inventory.observation import Condition, Observation
from clawdet_infra.monitoring.checks import CheckCycle
from clawdet_infra.monitoring.remediation import Act, Decision, Escalate, Plan, Wait

_NAMED = 10


@dataclass(frozen=True, kw_only=True)
class CycleReport:
    """What became of one round.  `problems` are sentences about the checker itself."""

    number: int
    round: CheckCycle
    plan: Plan = field(default_factory=Plan)
    notices: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def down(self) -> list[Observation]:
        """The looks that found an instance down."""
        return [one for one in self.round.observations if one.condition is Condition.DOWN]

    @property
    def failed(self) -> bool:
        """Whether the checker could not do all of its own work."""
        return bool(self.problems)

    def __str__(self) -> str:
        counts = Counter(one.condition for one in self.round.observations)
        parts = [f"{counts[condition]} {condition.value}" for condition in Condition]
        if self.round.unseen:
            parts.append(f"{len(self.round.unseen)} not looked at in time")
        named = [f"{one.instance} ({_cause(one)})" for one in self.down[:_NAMED]]
        more = f" and {len(self.down) - _NAMED} more" if len(self.down) > _NAMED else ""
        who = f"; down: {', '.join(named)}{more}" if named else ""
        return f"round {self.number} in {self.round.seconds:.1f} s: {', '.join(parts)}{who}"

    def facts(self) -> dict[str, Any]:
        """Return the round as plain values, for JSON."""
        return {
            "cycle": self.number,
            "seconds": self.round.seconds,
            "conditions": {one.instance: one.condition.value for one in self.round.observations},
            "down": {one.instance: _cause(one) for one in self.down},
            "notReady": {one.instance: list(one.not_ready) for one in self.round.observations if one.not_ready},
            "notChecked": self.round.unseen,
            "decisions": {one: _decision(decision) for one, decision in self.plan.decisions.items()},
            "remediationSuspended": self.plan.braked,
            "notifications": list(self.notices),
            "problems": list(self.problems),
        }


def _cause(one: Observation) -> str:
    return one.diagnosis.cause.value if one.diagnosis else "unknown"


def _decision(decision: Decision) -> Mapping[str, str]:
    match decision:
        case Act(step=step):
            action = step.value
        case Wait():
            action = "wait"
        case Escalate():
            action = "escalate"
    return {"action": action, "reason": decision.why}
