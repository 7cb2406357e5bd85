"""When people are told, how often they are reminded, and when they are told that it is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, kw_only=True)
class AlertPolicy:
    """The tunables of alerts.  A look is one probe of one instance.

    `raise_failures`: failed looks in a row before an alert, once no repair is under way that may heal the instance.
    `raise_after`, `raise_after_failures`: while repairs are under way an alert waits for them at most this long, and at
    most this many failed looks; whichever comes first.
    `slow_looks`: slow looks in a row before an alert.
    `resolve_looks`: healthy looks in a row until an alert is resolved.
    `reminders`: the time from one notice to the next reminder; the last one repeats.
    `fleet_share`, `fleet_servers`: where more than this share of all servers, and at least this many of them, are down
    at once, the fleet has one alert.
    `channel_looks`: looks in a row that found a channel of an instance not ready before people are told, by a notice of
    low urgency; all instances share it.
    `certificate_days`: certificates with fewer days left are told of.
    `flap_window`: an alert that is raised again within this time of its end is flapping; it is resolved only after
    `flap_calm_looks` healthy looks in a row.
    """

    raise_failures: int = 3
    raise_after: timedelta = timedelta(minutes=20)
    raise_after_failures: int = 20
    slow_looks: int = 10
    resolve_looks: int = 2
    reminders: tuple[timedelta, ...] = (timedelta(hours=1), timedelta(hours=4), timedelta(days=1))
    fleet_share: float = 0.5
    fleet_servers: int = 3
    channel_looks: int = 60
    certificate_days: float = 14
    flap_window: timedelta = timedelta(hours=1)
    flap_calm_looks: int = 30

    def __post_init__(self) -> None:
        counts = (
            "raise_failures",
            "raise_after_failures",
            "slow_looks",
            "resolve_looks",
            "fleet_servers",
            "channel_looks",
        )
        for name in (*counts, "flap_calm_looks"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}, and has to be at least 1")
        if not 0 < self.fleet_share <= 1:
            raise ValueError(f"fleet_share is {self.fleet_share}, and has to be above 0 and at most 1")
        if not self.reminders or min(self.reminders) <= timedelta(0):
            raise ValueError("reminders has to name at least one time, and all of them above zero")
