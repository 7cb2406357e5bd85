"""Bounded remediation: a pure ladder decides, an executor acts, and a record keeps both honest.

`next_step` decides for one instance, and `circuit_breaker` when nothing is done at all.  `Remediator` applies both
after each check cycle, and cleans up after daemons that died.
"""

from clawdet_infra.monitoring.remediation.actions import Actions, NotNowError, RepairRecord, StepError
from clawdet_infra.monitoring.remediation.circuit_breaker import circuit_breaker
from clawdet_infra.monitoring.remediation.decisions import Act, Decision, Escalate, RemediationInput, Wait
from clawdet_infra.monitoring.remediation.ladder import next_step
from clawdet_infra.monitoring.remediation.policy import CircuitBreaker, RemediationPolicy
from clawdet_infra.monitoring.remediation.remediator import Plan, Remediator

__all__ = [
    "Act",
    "Actions",
    "CircuitBreaker",
    "Decision",
    "Escalate",
    "NotNowError",
    "Plan",
    "RemediationInput",
    "RemediationPolicy",
    "Remediator",
    "RepairRecord",
    "StepError",
    "Wait",
    "circuit_breaker",
    "next_step",
]
