"""One look at a customer's gateway from outside: is it reachable and alive?

`probe_once` looks once, `probe_until_healthy` until a deadline; both return a `ProbeResult`.  As a program
(`python3 -m clawdet_infra.probe`) it reads a `Target` as JSON from stdin.
"""

from clawdet_infra.probe.probe import probe_once, trust
from clawdet_infra.probe.result import Failure, ProbeResult, Sign, Stage
from clawdet_infra.probe.target import Target
from clawdet_infra.probe.wait import probe_until_healthy

__all__ = ["Failure", "ProbeResult", "Sign", "Stage", "Target", "probe_once", "probe_until_healthy", "trust"]
