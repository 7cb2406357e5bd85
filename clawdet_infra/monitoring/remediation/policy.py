"""How far healing may go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HealingPolicy:
    """The bounds of healing.

    An instance is not touched before `failures` looks in a row found it down.  Between the end of a step on it and the
    next one lie at least `cooldown_seconds`; within `window_seconds` it gets at most `repairs` steps, and within
    `reboot_seconds` its server is rebooted or powered on at most `reboots` times.  A step that is not done after
    `step_seconds` has failed, and so has one after which the instance is not healthy within `settle_seconds`.  At most
    `concurrency` steps run at once.

    The brake: where more than `brake_share` of all servers, and at least `brake_least`, are down, nothing is repaired,
    because what they have in common is more likely the checker's own network than a fault in each of them.
    """

    failures: int = 3
    cooldown_seconds: float = 300
    repairs: int = 3
    window_seconds: float = 6 * 3600
    reboots: int = 1
    reboot_seconds: float = 3600
    step_seconds: float = 420
    settle_seconds: float = 180
    concurrency: int = 4
    brake_share: float = 0.3
    brake_least: int = 3

    def __post_init__(self) -> None:
        for name in ("failures", "concurrency", "brake_least"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} has to be at least 1, not {getattr(self, name)}")
        for name in ("cooldown_seconds", "window_seconds", "reboot_seconds", "step_seconds"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} has to be more than 0, not {getattr(self, name)}")
        for name in ("repairs", "reboots", "settle_seconds"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be less than 0, not {getattr(self, name)}")
        if not 0 < self.brake_share <= 1:
            raise ValueError(f"brake_share has to be above 0 and at most 1, not {self.brake_share}")

    @property
    def horizon_seconds(self) -> float:
        """How far back repairs matter."""
        return max(self.window_seconds, self.reboot_seconds, self.cooldown_seconds)
