"""When people are alerted, how often they are reminded, and when an alert is resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class FleetOutage:
    """When the fleet has one alert: more than `max_down_ratio` of all servers, and at least `min_servers`, are down."""

    max_down_ratio: float = 0.5
    min_servers: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.max_down_ratio <= 1:
            raise ValueError(f"max_down_ratio must be above 0 and at most 1, not {self.max_down_ratio:g}")
        if self.min_servers < 1:
            raise ValueError(f"min_servers must be at least 1, not {self.min_servers}")


@dataclass(frozen=True, kw_only=True)
class AlertPolicy:
    """The settings of alerts.

    `failure_threshold`: failed probes in a row before an alert, once no repair is under way that may help.
    `max_delay`, `max_delay_failures`: while repairs are under way an alert waits for them at most this long, and at
    most this many failed probes; whichever comes first.
    `slow_threshold`: slow probes in a row before an alert.
    `success_threshold`: healthy probes in a row until an alert is resolved.
    `reminders`: the time from one notification to the next reminder; the last one repeats.
    `channel_threshold`: probes in a row that found a channel of an instance not ready before people are notified, with
    low urgency; all instances share that alert.
    `certificate_expiry`: certificates that end sooner than this have an alert.
    `flap_window`: an alert that is raised again within this time of its end is flapping; it is resolved only after
    `flap_success_threshold` healthy probes in a row.
    """

    failure_threshold: int = 3
    max_delay: timedelta = timedelta(minutes=20)
    max_delay_failures: int = 20
    slow_threshold: int = 10
    success_threshold: int = 2
    reminders: tuple[timedelta, ...] = (timedelta(hours=1), timedelta(hours=4), timedelta(days=1))
    fleet_outage: FleetOutage = field(default_factory=FleetOutage)
    channel_threshold: int = 60
    certificate_expiry: timedelta = timedelta(days=14)
    flap_window: timedelta = timedelta(hours=1)
    flap_success_threshold: int = 30

    def __post_init__(self) -> None:
        counts = (
            "failure_threshold",
            "max_delay_failures",
            "slow_threshold",
            "success_threshold",
            "channel_threshold",
            "flap_success_threshold",
        )
        for name in counts:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if not self.reminders or min(self.reminders) <= timedelta(0):
            raise ValueError("reminders must name at least one time, and all of them above zero")
