"""Bounded self-healing: a pure ladder that decides, an executor that acts, and a record that keeps both honest.

`next_step` says what is done for one instance, `brake` when nothing is done at all; `Healer` applies both after each
round and cleans up after checkers that died.
"""

from clawdet_infra.monitoring.remediation.actions import Hands, NotNowError, RepairRecord, StepError
from clawdet_infra.monitoring.remediation.circuit_breaker import brake
from clawdet_infra.monitoring.remediation.decisions import Case, Decision, GiveUp, Take, Wait
from clawdet_infra.monitoring.remediation.ladder import next_step
from clawdet_infra.monitoring.remediation.policy import CircuitBreaker, HealingPolicy
from clawdet_infra.monitoring.remediation.remediator import Healer, Plan

__all__ = [
    "Case",
    "CircuitBreaker",
    "Decision",
    "GiveUp",
    "Hands",
    "Healer",
    "HealingPolicy",
    "NotNowError",
    "Plan",
    "RepairRecord",
    "StepError",
    "Take",
    "Wait",
    "brake",
    "next_step",
]
