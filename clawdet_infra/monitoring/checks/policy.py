"""How a round is done: how patient, how many at once, and how long at most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class RoundPolicy:
    """The tunables of a round; all times are seconds.

    A look is slow where its stages together took longer than `slow_seconds`, and has failed where one answer took
    longer than `request_seconds` or all of them longer than `look_seconds`.  With `confirm`, what was not healthy is
    looked at a second time after `confirm_pause_seconds`, and the second look is what counts.

    `at_once` looks are at work at a time.  One that is older than `working_seconds` waits for the other side rather
    than for this machine and lets another begin, up to `open_at_once` in all.  Looks begin at random moments of the
    first `spread_seconds`.  Servers are asked `hosts_at_once` at a time, each for `host_seconds` at most: those of
    instances that are down in each round, and all of them in every round whose number `all_hosts_every` divides.  At
    `deadline_seconds` the round ends, whatever is still going on.
    """

    slow_seconds: float = 2
    request_seconds: float = 10
    look_seconds: float = 20
    confirm: bool = True
    confirm_pause_seconds: float = 1
    at_once: int = 64
    open_at_once: int = 400
    working_seconds: float = 0.25
    spread_seconds: float = 0.5
    hosts_at_once: int = 16
    host_seconds: float = 15
    all_hosts_every: int = 2
    deadline_seconds: float = 55

    def __post_init__(self) -> None:
        for name in ("slow_seconds", "request_seconds", "look_seconds", "host_seconds", "deadline_seconds"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be more than 0, not {getattr(self, name)}")
        for name in ("confirm_pause_seconds", "spread_seconds", "working_seconds"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be less than 0, not {getattr(self, name)}")
        for name in ("at_once", "open_at_once", "hosts_at_once", "all_hosts_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.request_seconds > 60:
            raise ValueError(f"request_seconds must be 60 at most, not {self.request_seconds}")
        if self.open_at_once < self.at_once:
            raise ValueError(f"open_at_once ({self.open_at_once}) must not be less than at_once ({self.at_once})")
