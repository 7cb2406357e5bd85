"""Who is told of what, and when.

`decide` is the pure core: from the state of all instances, the alerts and the maintenance windows it says what to tell
people.  `Desk` runs it after every round, `Sender` brings notices to people, and `DeadMan` tells another service that
rounds are being made at all.
"""

from clawdet_infra.fleet.alerts.deciding import Decision, after, decide
from clawdet_infra.fleet.alerts.notice import Notice
from clawdet_infra.fleet.alerts.policy import AlertPolicy
from clawdet_infra.fleet.alerts.subject import Subject

__all__ = ["AlertPolicy", "Decision", "Notice", "Subject", "after", "decide"]
