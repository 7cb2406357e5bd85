"""Alerts: what is sent to people, and when.

`decide` is the pure core: from the state of all instances, the open alerts and the maintenance windows it decides what
to send.  `AlertManager` runs it after each check cycle, `sender.Sender` delivers notifications, and
`heartbeat.Heartbeat` reports to another service that check cycles run; the last two take time to import.
"""

from clawdet_infra.monitoring.alerts.evaluate import Decision, after, decide
from clawdet_infra.monitoring.alerts.manager import AlertManager
from clawdet_infra.monitoring.alerts.notification import Delivery, Notification
from clawdet_infra.monitoring.alerts.policy import AlertPolicy
from clawdet_infra.monitoring.alerts.target import AlertTarget

__all__ = ["AlertManager", "AlertPolicy", "AlertTarget", "Decision", "Delivery", "Notification", "after", "decide"]
