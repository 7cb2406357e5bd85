"""How far remediation may go."""

from __future__ import annotations

from dataclasses import dataclass, field

from clawdet_infra.formatting.durations import Seconds


@dataclass(frozen=True, kw_only=True)
class CircuitBreaker:
    """When nothing is repaired: more than `max_down_ratio` of all servers, and at least `min_servers`, are down.

    What they have in common is then more likely the checker's own network than a fault in each of them.
    """

    max_down_ratio: float = 0.3
    min_servers: int = 3

    def __post_init__(self) -> None:
        if not 0 < self.max_down_ratio <= 1:
            raise ValueError(f"max_down_ratio must be above 0 and at most 1, not {self.max_down_ratio:g}")
        if self.min_servers < 1:
            raise ValueError(f"min_servers must be at least 1, not {self.min_servers}")


@dataclass(frozen=True, kw_only=True)
class RemediationPolicy:
    """The bounds of remediation.

    An instance is not repaired before `failure_threshold` probes in a row found it down.  Between the end of a repair
    and the next one of the same instance lie at least `cooldown_seconds`.  Within `repair_window_seconds` it gets at
    most `max_repairs`, and within `reboot_window_seconds` its server is rebooted or powered on at most `max_reboots`
    times.  A repair that is not done after `step_timeout_seconds` has failed, and so has one after which the instance
    is not healthy within `recovery_timeout_seconds`.  At most `concurrency` repairs run at a time.
    """

    failure_threshold: int = 3
    cooldown_seconds: Seconds = 300
    max_repairs: int = 3
    repair_window_seconds: Seconds = 6 * 3600
    max_reboots: int = 1
    reboot_window_seconds: Seconds = 3600
    step_timeout_seconds: Seconds = 420
    recovery_timeout_seconds: Seconds = 180
    concurrency: int = 4
    circuit_breaker: CircuitBreaker = field(default_factory=CircuitBreaker)

    def __post_init__(self) -> None:
        for name in ("failure_threshold", "concurrency"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        for name in ("cooldown", "repair_window", "reboot_window", "step_timeout"):
            seconds = getattr(self, f"{name}_seconds")
            if seconds <= 0:
                raise ValueError(f"{name}_seconds must be more than 0 s, not {seconds:g} s")
        for name in ("max_repairs", "max_reboots"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be less than 0, not {getattr(self, name)}")
        if self.recovery_timeout_seconds < 0:
            raise ValueError(
                f"recovery_timeout_seconds must not be less than 0 s, not {self.recovery_timeout_seconds:g} s"
            )

    @property
    def horizon_seconds(self) -> float:
        """How far back repairs matter."""
        return max(self.repair_window_seconds, self.reboot_window_seconds, self.cooldown_seconds)
