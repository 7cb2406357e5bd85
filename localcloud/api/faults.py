"""Errors on purpose: shares of requests and of actions that fail, so that clients can be tried against them.

A rule is written `ROUTE=SHARE` or `ROUTE=SHARE:CODE`, for example `POST /servers=0.2` or
`POST /servers=1:resource_unavailable`; `*` stands for every route.  The code `lost` stands for a request that is
carried out and whose answer is lost: the client gets a gateway's time-out.  `ACTION COMMAND=SHARE` lets actions fail
after they were accepted.  With a seed, the same requests fail on every run.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping

from localcloud.api.errors import STATUS_OF, ApiError
from localcloud.machines.base import MachineError

DEFAULT_CODE = "service_error"
LOST = "lost"
CODES = (*STATUS_OF, LOST)


class FaultSyntaxError(ValueError):
    """A rule that cannot be read; the text says which and why."""


def parse_rates(rules: Iterable[str]) -> dict[str, float]:
    """Read rules as they are given on the command line into `ApiConfig.error_rates`."""
    rates = {}
    for rule in rules:
        route, equals, rest = rule.rpartition("=")
        share, _, code = rest.partition(":")
        try:
            rate = float(share)
        except ValueError:
            rate = -1.0
        if not equals or not route.strip() or not 0 <= rate <= 1:
            raise FaultSyntaxError(f"error rate '{rule}' is not like 'POST /servers=0.2' (a share from 0 to 1)")
        if code and code not in CODES:
            raise FaultSyntaxError(f"error rate '{rule}' names no known error code; known are {', '.join(CODES)}")
        rates[f"{route.strip()}:{code}" if code else route.strip()] = rate
    return rates


class Faults:
    """Decides which request or action fails.  Each rule has randomness of its own, so rules do not disturb others."""

    def __init__(self, rates: Mapping[str, float], seed: int | None) -> None:
        self._rules = []
        for name, rate in rates.items():
            route, colon, code = name.rpartition(":")
            route, code = (route, code) if colon and code in CODES else (name, DEFAULT_CODE)
            chance = random.Random() if seed is None else random.Random(f"{seed} {name}")  # noqa: S311
            self._rules.append((route, code, rate, chance))

    def check_request(self, route: str) -> None:
        """Raise an error where this request is to fail; it then has had no effect."""
        for name, code, rate, chance in self._rules:
            if code != LOST and name in ("*", route) and chance.random() < rate:
                raise ApiError(code, f"injected error for {route}")

    def check_answer(self, route: str) -> None:
        """Raise an error where this request, which was carried out, is to lose its answer."""
        for name, code, rate, chance in self._rules:
            if code == LOST and name in ("*", route) and chance.random() < rate:
                raise ApiError("timeout", f"injected loss of the answer of {route}")

    def check_action(self, command: str) -> None:
        """Raise MachineError where this action is to fail."""
        for name, _, rate, chance in self._rules:
            if name == f"ACTION {command}" and chance.random() < rate:
                raise MachineError(f"injected error for {command}")
