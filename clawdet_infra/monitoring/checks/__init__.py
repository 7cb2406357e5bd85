"""Looking at all instances at once, and saying why those are down that are.

`look_round` is one round over many instances, and `diagnose` names the cause of what a probe, a server and the provider
say of one instance.
"""

from clawdet_infra.monitoring.checks.diagnosis import diagnose
from clawdet_infra.monitoring.checks.host_status import Host, HostLooker, StatusAsker
from clawdet_infra.monitoring.checks.policy import RoundPolicy
from clawdet_infra.monitoring.checks.run import Round, WhomToAsk, look_round

__all__ = [
    "Host",
    "HostLooker",
    "Round",
    "RoundPolicy",
    "StatusAsker",
    "WhomToAsk",
    "diagnose",
    "look_round",
]
