"""Is a customer's gateway reachable and alive, seen from outside?

`probe_once` looks once, `probe_until_healthy` until a deadline; both return a `Verdict`.  As a program
(`python3 -m clawdet_infra.fleet.probe`) it reads a `Target` as JSON from stdin.
"""

from clawdet_infra.fleet.probe.looking import probe_once, trust
from clawdet_infra.fleet.probe.target import Target
from clawdet_infra.fleet.probe.verdict import Failure, Sign, Stage, Verdict
from clawdet_infra.fleet.probe.waiting import probe_until_healthy

__all__ = ["Failure", "Sign", "Stage", "Target", "Verdict", "probe_once", "probe_until_healthy", "trust"]
