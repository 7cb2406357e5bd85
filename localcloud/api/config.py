"""What can be set about one local cloud's API."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

from localcloud.api.clock import Clock, SystemClock


@dataclass(frozen=True)
class ApiConfig:
    """How the API behaves.  The defaults behave as the real one, only faster."""

    token: str
    """The project's API token; the provider insists on 64 characters."""

    action_seconds: float = 0.1
    """How long an action runs beyond what its machine needs."""

    boot_delay: float = 0.0
    """Seconds that a server takes longer to boot than its machine does."""

    rate_limit: int = 3600
    """Requests an hour; as many may come at once, and they grow back evenly."""

    error_rates: Mapping[str, float] = field(default_factory=dict)
    """Share of requests that fail, by route: `{"POST /servers": 0.2}`, and of actions that fail, by command:
    `{"ACTION start_server": 0.1}`.  See `localcloud.api.faults` for which error they fail with."""

    limits: Mapping[str, int] = field(default_factory=dict)
    """Most objects of a kind that the project may have: `{"server": 10}`.  What is not named has no limit."""

    sold_out: frozenset[tuple[str, str]] = frozenset()
    """Pairs of server type and location, by name, that cannot be had now; `*` stands for every location."""

    seed: int | None = None
    """Makes injected errors and generated passwords the same on every run."""

    watch_seconds: float = 10.0
    """How often machines are asked what they do, so that a server that went off by itself is shown as off."""

    clock: Clock = field(default_factory=SystemClock)

    def randomness(self) -> random.Random:
        """A source of randomness: the system's, or one that starts from `seed`."""
        return random.SystemRandom() if self.seed is None else random.Random(self.seed)  # noqa: S311
