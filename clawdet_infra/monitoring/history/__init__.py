"""The past of a fleet, in SQLite or PostgreSQL: samples, state changes, repairs and alerts."""

from __future__ import annotations

from clawdet_infra.database.leases import Lease, LeaseHeld
from clawdet_infra.monitoring.history.aggregates import RELATIVE_ERROR
from clawdet_infra.monitoring.history.policy import HistoryPolicy, Retention
from clawdet_infra.monitoring.history.queries import Availability, Percentiles, Slot, Uptime
from clawdet_infra.monitoring.history.schema import HistoryError, LeaseLostError
from clawdet_infra.monitoring.history.store import History
from clawdet_infra.process_identity import Clock, this_process

__all__ = [
    "RELATIVE_ERROR",
    "Availability",
    "Clock",
    "History",
    "HistoryError",
    "HistoryPolicy",
    "Lease",
    "LeaseHeld",
    "LeaseLostError",
    "Percentiles",
    "Retention",
    "Slot",
    "Uptime",
    "this_process",
]
