"""Looking at all instances at once, and saying why those are down that are.

`look_at_all` is one round over many instances, `look_round` the same with whom it did not come to, and `diagnose` names
the cause of what a probe, a server and the provider say of one instance.
"""

from clawdet_infra.fleet.rounds.diagnosis import diagnose
from clawdet_infra.fleet.rounds.looking import Round, WhomToAsk, look_at_all, look_round
from clawdet_infra.fleet.rounds.policy import RoundPolicy
from clawdet_infra.fleet.rounds.servers import Host, HostLooker, StatusAsker

__all__ = [
    "Host",
    "HostLooker",
    "Round",
    "RoundPolicy",
    "StatusAsker",
    "WhomToAsk",
    "diagnose",
    "look_at_all",
    "look_round",
]
