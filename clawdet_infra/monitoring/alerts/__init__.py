"""Who is told of what, and when.

`decide` is the pure core: from the state of all instances, the alerts and the maintenance windows it says what to tell
people.  `Desk` runs it after every round, `sender.Sender` brings notices to people, and `deadman.DeadMan` tells another
service that rounds are being made at all; these two take time to import.
"""

from clawdet_infra.monitoring.alerts.evaluate import Decision, after, decide
from clawdet_infra.monitoring.alerts.manager import Desk
from clawdet_infra.monitoring.alerts.notification import Delivery, Notice
from clawdet_infra.monitoring.alerts.policy import AlertPolicy
from clawdet_infra.monitoring.alerts.target import Subject

__all__ = ["AlertPolicy", "Decision", "Delivery", "Desk", "Notice", "Subject", "after", "decide"]
