"""How instances are checked: how patiently, how many at a time, and how long at most."""

from __future__ import annotations

from dataclasses import dataclass

from clawdet_infra.formatting.durations import Seconds


@dataclass(frozen=True, kw_only=True)
class CheckPolicy:
    """The settings of a check cycle.

    An instance is slow if the stages of its probe together took longer than `latency_threshold_seconds`.  A probe fails
    if one answer took longer than `request_timeout_seconds` or all of it longer than `probe_timeout_seconds`.  With
    `confirm`, what was not healthy is probed again after `confirm_delay_seconds`, and the second result counts.

    `concurrency` probes run at a time.  One that is older than `slot_timeout_seconds` waits for the other side rather
    than for this machine, and gives its slot to the next, up to `max_in_flight` in all.  Probes begin at random moments
    of the first `jitter_seconds`.

    Servers are asked `host_concurrency` at a time, each for `host_timeout_seconds` at most: those of instances that are
    down in each cycle, and all of them in every cycle whose number `full_host_check_every` divides.  A cycle ends after
    `cycle_timeout_seconds`, whatever is still running.
    """

    latency_threshold_seconds: Seconds = 2
    request_timeout_seconds: Seconds = 10
    probe_timeout_seconds: Seconds = 20
    confirm: bool = True
    confirm_delay_seconds: Seconds = 1
    concurrency: int = 64
    max_in_flight: int = 400
    slot_timeout_seconds: Seconds = 0.25
    jitter_seconds: Seconds = 0.5
    host_concurrency: int = 16
    host_timeout_seconds: Seconds = 15
    full_host_check_every: int = 2
    cycle_timeout_seconds: Seconds = 55

    def __post_init__(self) -> None:
        for name in ("latency_threshold", "request_timeout", "probe_timeout", "host_timeout", "cycle_timeout"):
            seconds = getattr(self, f"{name}_seconds")
            if not seconds > 0:
                raise ValueError(f"{name}_seconds must be more than 0 s, not {seconds:g} s")
        for name in ("confirm_delay", "jitter", "slot_timeout"):
            seconds = getattr(self, f"{name}_seconds")
            if seconds < 0:
                raise ValueError(f"{name}_seconds must not be less than 0 s, not {seconds:g} s")
        for name in ("concurrency", "max_in_flight", "host_concurrency", "full_host_check_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if self.request_timeout_seconds > 60:
            raise ValueError(f"request_timeout_seconds must be 60 s at most, not {self.request_timeout_seconds:g} s")
        if self.max_in_flight < self.concurrency:
            raise ValueError(
                f"max_in_flight ({self.max_in_flight}) must not be less than concurrency ({self.concurrency})"
            )
