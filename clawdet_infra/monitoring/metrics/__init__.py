"""The fleet in numbers, in Prometheus' text form.

`Readings` is what is known at one moment; `text` writes it down, and `Exporter` serves the newest one.
"""

from clawdet_infra.monitoring.metrics.exporter import CONTENT_TYPE, samples, text
from clawdet_infra.monitoring.metrics.readings import InstanceReading, Readings, StageTimes, from_history

__all__ = ["CONTENT_TYPE", "InstanceReading", "Readings", "StageTimes", "from_history", "samples", "text"]
