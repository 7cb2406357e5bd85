"""Looking at all instances at once, and saying why those are down that are.

`run_checks` is one round over many instances, and `diagnose` names the cause of what a probe, a server and the provider
say of one instance.
"""

from clawdet_infra.monitoring.checks.diagnosis import diagnose
from clawdet_infra.monitoring.checks.host_status import Host, HostLooker, StatusAsker
from clawdet_infra.monitoring.checks.policy import CheckPolicy
from clawdet_infra.monitoring.checks.run import CheckCycle, WhomToAsk, run_checks

__all__ = [
    "CheckCycle",
    "CheckPolicy",
    "Host",
    "HostLooker",
    "StatusAsker",
    "WhomToAsk",
    "diagnose",
    "run_checks",
]
