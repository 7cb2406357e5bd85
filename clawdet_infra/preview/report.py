"""What a change does, as values: for each stack, for each customer in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import IntEnum
from typing import Literal

from clawdet_infra.engine.owners import Kind

Verdict = Literal["replaced", "removed", "new", "changed"]
State = Literal["unchanged", "changed", "failed", "misconfigured"]


class ChangeKind(IntEnum):
    """What a change is about, what decides most first."""

    PLAN = 1
    SERVER = 2
    SERVER_TYPE = 3
    LOCATION = 4
    URL = 5
    GATEWAY = 6
    ADDRESS = 7
    LIMITS = 8
    BROWSER_LIMITS = 9
    SUBDOMAIN = 10
    NEW_RECORD = 11
    OLD_RECORD = 12
    RECORD_TARGET = 13
    OTHER = 14


@dataclass(frozen=True, kw_only=True)
class Change:
    """One thing that changes, in words; `before` and `after` are None where there is nothing to show.

    Decisions are made by its `kind`; words may change.
    """

    what: str
    before: str | None = None
    after: str | None = None
    kind: ChangeKind = ChangeKind.OTHER

    def __str__(self) -> str:
        if self.before is None and self.after is None:
            return self.what
        if self.before is None:
            return f"{self.what} {self.after}"
        return f"{self.what} {self.before} → {self.after if self.after is not None else 'none'}"


@dataclass(frozen=True, kw_only=True)
class LostData:
    """Data that an update destroys, in a sentence.

    `name` is what somebody has to name for it to happen; `allowed` whether that was done or need not be.
    """

    sentence: str
    name: str
    allowed: bool


@dataclass(frozen=True, kw_only=True)
class Interruption:
    """A time in which a customer gets no answer, or not from everywhere, because of an update.

    `kind` is what is away: the `gateway`, the `proxy`, the whole `server`, a `move` to another server, or an `address`
    that DNS has to learn.  `seconds` is how long that usually takes at most.
    """

    kind: Literal["gateway", "proxy", "server", "move", "address"]
    seconds: int
    sentence: str

    def __str__(self) -> str:
        return f"interruption: {self.sentence}"


@dataclass(frozen=True, kw_only=True)
class CostDelta:
    """What something costs a month, net, before and after the change."""

    before: Decimal = Decimal(0)
    after: Decimal = Decimal(0)

    @property
    def difference(self) -> Decimal:
        """How much more it costs afterwards."""
        return self.after - self.before

    def __add__(self, other: CostDelta) -> CostDelta:
        return CostDelta(before=self.before + other.before, after=self.after + other.after)


@dataclass(frozen=True, kw_only=True)
class AffectedOwner:
    """A customer, a shared host or something that all share, with what becomes of it.

    `bill` is None where the costs are not known.
    """

    kind: Kind
    id: str
    verdict: Verdict
    changes: tuple[Change, ...] = ()
    interruptions: tuple[Interruption, ...] = ()
    lost: tuple[LostData, ...] = ()
    bill: CostDelta | None = None

    @property
    def lines(self) -> tuple[str, ...]:
        """What happens to it, a line each: what changes, then for how long there is no answer."""
        return tuple(map(str, (*self.changes, *self.interruptions)))


@dataclass(frozen=True, kw_only=True)
class Blocker:
    """Why the update must not happen: what a policy or the guard found, or what is wrong with the configuration.

    One that is no `mandatory` one stops nothing.
    """

    rule: str
    message: str
    hint: str = ""
    about: tuple[str, ...] = ()
    mandatory: bool = True

    def __str__(self) -> str:
        who = f"{', '.join(self.about)}: " if self.about else ""
        return f"{who}{self.message}{f' {self.hint}' if self.hint else ''}"


@dataclass(frozen=True, kw_only=True)
class StackReport:
    """What an update would do to one stack.

    `asked` is False where the engine was not started, because nothing can have changed.  `subjects` has only what is
    touched, what loses data first.  `bill` is that of all that the stack has; None, with a sentence in
    `bill_unknown`, where prices are not known.  `policies` says whether the policies looked at it.  `drifted` names
    per customer what was found other than it was left.  `problems` are in the configuration, `errors` the engine's.
    """

    stack: str
    state: State
    asked: bool = True
    subjects: tuple[AffectedOwner, ...] = ()
    policies: bool = False
    objections: tuple[Blocker, ...] = ()
    bill: CostDelta | None = None
    bill_unknown: str = ""
    currency: str = ""
    drifted: tuple[tuple[str, tuple[str, ...]], ...] = ()
    problems: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0

    @property
    def refused(self) -> bool:
        """Whether a policy or the guard stands against it."""
        return any(one.mandatory for one in self.objections)


@dataclass(frozen=True, kw_only=True)
class Report:
    """What a change does to several stacks."""

    stacks: tuple[StackReport, ...]

    @property
    def refused(self) -> bool:
        """Whether a policy or the guard stands against any of it."""
        return any(one.refused for one in self.stacks)

    @property
    def failed(self) -> bool:
        """Whether the engine could not say what would happen to some stack."""
        return any(one.state == "failed" for one in self.stacks)

    @property
    def misconfigured(self) -> bool:
        """Whether a stack's configuration is wrong."""
        return any(one.state == "misconfigured" for one in self.stacks)

    @property
    def changes(self) -> bool:
        """Whether an update would do anything, as far as it is known."""
        return any(one.state != "unchanged" or one.drifted for one in self.stacks)

    @property
    def subjects(self) -> list[tuple[str, AffectedOwner]]:
        """All that is touched, with the stack that it is in; what loses data first."""
        found = [(one.stack, subject) for one in self.stacks for subject in one.subjects]
        return sorted(found, key=lambda pair: (order(pair[1]), pair[0], pair[1].id))

    def bills(self) -> dict[str, CostDelta]:
        """Return the costs by currency, of the stacks whose costs are known."""
        found: dict[str, CostDelta] = {}
        for one in self.stacks:
            if one.bill is not None:
                found[one.currency] = found.get(one.currency, CostDelta()) + one.bill
        return found


_ORDER: Sequence[Verdict] = ("replaced", "removed", "new", "changed")


def order(subject: AffectedOwner) -> tuple[int, ...]:
    """Return where a subject stands among others: what loses data without leave, what loses data, then by verdict."""
    unnamed = any(not one.allowed for one in subject.lost)
    return (not unnamed, not subject.lost, _ORDER.index(subject.verdict))
