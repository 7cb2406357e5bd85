"""Errors on purpose: requests and actions that fail or wait, so that clients can be tested against them.

Shares for a whole cloud are set when it starts, written `ROUTE=SHARE` or `ROUTE=SHARE:CODE`, for example
`POST /servers=0.2` or `POST /servers=1:resource_unavailable`; `*` stands for every route.  The code `lost` stands for
a request that is carried out and whose answer is lost: the client gets a gateway's time-out.  `ACTION COMMAND=SHARE`
lets actions fail after they were accepted.  With a seed, the same requests fail on every run.

While a cloud runs, rules for single calls can be added and removed (`localcloud.api.fault_routes`).  They are kept in
memory only.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from localcloud.api.errors import STATUS_OF, ApiError
from localcloud.machines.base import MachineError

if TYPE_CHECKING:
    from localcloud.api.state import State

DEFAULT_CODE = "service_error"
LOST = "lost"
CODES = (*STATUS_OF, LOST)

Facts = Iterable[Mapping[str, Any]]
"""What is known of a call, one mapping a source: its body, its path and query, and the object that it is about."""


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


@dataclass(eq=False)
class Rule:
    """Which calls fail, and how."""

    route: str
    """A route's name, `ACTION COMMAND`, or `*` for every route."""
    code: str | None
    """The error that a call is answered with; None lets it wait only."""
    share: float = 1.0
    """The share of matching calls that the rule is for."""
    times: int | None = None
    """After how many calls the rule ends; None stands for never."""
    match: Mapping[str, Any] = field(default_factory=dict)
    """What the facts of a call must have.  Texts may have the wildcards `*` and `?`; mappings are compared by key."""
    delay: float = 0.0
    """Seconds that a call waits before it fails or continues; one whose answer is lost waits after its effect."""
    chance: random.Random = field(default_factory=random.Random)
    id: int = 0
    hits: int = 0
    """How many calls the rule was applied to."""
    removed: asyncio.Event = field(default_factory=asyncio.Event)

    def takes(self, route: str, facts: Facts) -> bool:
        """Say whether the rule applies to this call, and count it if so."""
        if self.route != route and (self.route != "*" or route.startswith("ACTION ")):
            return False
        if self.times is not None and self.hits >= self.times:
            return False
        if not all(any(key in some and _fits(value, some[key]) for some in facts) for key, value in self.match.items()):
            return False
        if self.chance.random() >= self.share:
            return False
        self.hits += 1
        return True

    async def wait(self) -> bool:
        """Wait for the rule's delay.  Returns False where the rule was removed meanwhile and no longer counts."""
        if self.delay:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.removed.wait(), self.delay)
        return not self.removed.is_set()


def _fits(wanted: Any, found: Any) -> bool:
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(key in found and _fits(wanted[key], found[key]) for key in wanted)
    if isinstance(wanted, str) and isinstance(found, str | int) and not isinstance(found, bool):
        return fnmatchcase(str(found), wanted)
    return bool(wanted == found)


class Faults:
    """Decides which request or action fails.  Each rule has randomness of its own, so rules do not disturb others."""

    def __init__(self, rates: Mapping[str, float], seed: int | None) -> None:
        """`rates` are those of the configuration: they hold as long as the cloud runs."""
        self._fixed = []
        self._added: dict[int, Rule] = {}
        self._last = 0
        for name, rate in rates.items():
            route, colon, code = name.rpartition(":")
            route, code = (route, code) if colon and code in CODES else (name, DEFAULT_CODE)
            chance = random.Random() if seed is None else random.Random(f"{seed} {name}")  # noqa: S311
            self._fixed.append(Rule(route, code, share=rate, chance=chance))

    @property
    def added(self) -> list[Rule]:
        """The rules that were added and not removed, oldest first."""
        return list(self._added.values())

    def add(self, rule: Rule) -> None:
        """Let a rule hold from now on, and give it an id."""
        self._last += 1
        rule.id = self._last
        self._added[rule.id] = rule

    def remove(self, number: int) -> bool:
        """End a rule that was added, for waiting calls too; says whether it existed."""
        rule = self._added.pop(number, None)
        if rule is None:
            return False
        rule.removed.set()
        return True

    def clear(self) -> None:
        """End every rule that was added."""
        for number in list(self._added):
            self.remove(number)

    async def check_request(self, route: str, facts: Facts = ()) -> None:
        """Raise an error where this request is to fail; it then has had no effect."""
        for rule in self._taking(route, facts, lost=False):
            if await rule.wait() and rule.code is not None:
                raise ApiError(rule.code, f"injected error for {route}")

    async def check_answer(self, route: str, facts: Facts = ()) -> None:
        """Raise an error where this request, which was carried out, is to lose its answer."""
        for rule in self._taking(route, facts, lost=True):
            if await rule.wait():
                raise ApiError("timeout", f"injected loss of the answer of {route}")

    async def check_action(self, command: str, facts: Facts = ()) -> None:
        """Raise MachineError where this action is to fail."""
        for rule in self._taking(f"ACTION {command}", facts, lost=False):
            if await rule.wait() and rule.code is not None:
                raise MachineError(f"injected error for {command}")

    def _taking(self, route: str, facts: Facts, *, lost: bool) -> Iterator[Rule]:
        for rule in (*self._fixed, *self._added.values()):
            if (rule.code == LOST) is lost and rule.takes(route, facts):
                yield rule


def facts_of_object(state: State, kind: str, key: str) -> list[dict[str, Any]]:
    """What the state has of an object (name, labels, …), given by its kind and id or name; empty for an unknown one."""
    found = state.find(kind, key)
    return [] if found is None else [dict(vars(found))]
