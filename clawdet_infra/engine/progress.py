"""How far an update has come with each customer and host, from the engine's events."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from clawdet_infra.engine.events import Event, Problem, Stage, Step, Violation, read_event
from clawdet_infra.engine.output import reason
from clawdet_infra.engine.owners import Owner, Owners, is_owner, is_tidying, type_of
from clawdet_infra.resources import LOCAL_COMMAND, RECORD_SET, REMOTE_COMMAND, SERVER, STACK
from clawdet_infra.secret_shapes import redacted

_TAKES_AWAY = frozenset({"delete", "delete-replaced", "discard", "discard-replaced"})
_CHANGES = frozenset({"create", "update", "replace", "create-replacement", "import", "import-replacement"})
# What is under way, and what it is called once it is done.  The other resources take no time.
_STEPS: Mapping[str, tuple[str, str]] = {
    SERVER: ("server", "server"),
    RECORD_SET: ("DNS", "DNS"),
    REMOTE_COMMAND: ("deploying", "deployment"),
    LOCAL_COMMAND: ("health check", "healthy"),
}


@dataclass
class OwnerProgress:
    """What an update has done for one customer, shared host or thing that all share.

    `doing` is what is under way, "" for nothing, and `last` the last step that is done.  Times are in seconds since the
    update began: `began` at the first change, `ended` at the last one that was finished, None while something is under
    way.  `healthy` says that the health check has passed in this update.  `error` says why something failed, "" where
    nothing did, and `on_server` that it was the deployment on the server.
    """

    owner: Owner
    began: float
    doing: str = ""
    last: str = ""
    ended: float | None = None
    healthy: bool = False
    removed: bool = False
    failed: bool = False
    error: str = ""
    on_server: bool = False
    url: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be done: a customer's health check comes last, on a shared host the deployment."""
        at_end = self.owner.kind == "shared host" and self.last == "deployment"
        return self.failed or self.removed or self.healthy or at_end

    @property
    def seconds(self) -> float:
        """How long it took, from the first change to the last."""
        return (self.began if self.ended is None else self.ended) - self.began


class Progress:
    """Takes the engine's events, and tells each step as it is done: `tell(whose, step)`."""

    def __init__(
        self, tell: Callable[[OwnerProgress, str], None] = lambda *_: None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._tell = tell
        self._clock = clock
        self._begun = clock()
        self._owners = Owners()
        self._under_way: dict[str, str] = {}
        self._urls: dict[Owner, str] = {}
        self.by_owner: dict[Owner, OwnerProgress] = {}
        """By owner, in the order in which they began."""
        self.errors: dict[str, None] = {}
        """What went wrong and concerns no customer or host."""

    @property
    def seconds(self) -> float:
        """How long the update has been running."""
        return self._clock() - self._begun

    def __call__(self, event: Event) -> None:
        """Take one event."""
        match read_event(event):
            case Step(stage=Stage.BEGINS) as step:
                self._begins(step)
            case Step(stage=Stage.ENDS) as step:
                self._ends(step)
            case Step(stage=Stage.FAILS) as step:
                self._fails(step)
            case Problem(urn=urn, message=message):
                self._is_wrong(urn, reason(redacted(message)))
            case Violation(mandatory=True) as found:
                self._is_wrong(found.urn, f"{found.policy}: {reason(redacted(found.message))}")

    def _begins(self, step: Step) -> None:
        self._learn(step)
        if not _does_something(step):
            return
        current = self._progress_of(step.urn)
        doing, _ = _STEPS.get(type_of(step.urn), ("", ""))
        if step.op in _TAKES_AWAY:
            doing = "removing"
        doing = doing or "preparing"
        self._under_way[step.urn] = doing
        if not current.doing or doing != "preparing":
            current.doing = doing
        current.ended = None

    def _ends(self, step: Step) -> None:
        self._learn(step)
        urn, op = step.urn, step.op
        if is_owner(urn):
            self._component(step)
        if not _does_something(step):
            return
        current = self._progress_of(urn)
        self._finish(current, urn)
        if op in _TAKES_AWAY or type_of(urn) not in _STEPS:
            return
        if type_of(urn) == LOCAL_COMMAND:
            current.healthy = True
        current.last = _STEPS[type_of(urn)][1]
        self._tell(current, current.last)

    def _component(self, step: Step) -> None:
        """Note what a customer's or host's component says: its address, or that all in it is gone."""
        owner = self._owners.of(step.urn)
        if step.op == "delete":
            current = self._progress_of(step.urn)
            current.removed, current.ended = True, self.seconds
            self._tell(current, "removed")
        elif step.state and (url := step.state.outputs.get("url")):
            # It may be known long before the first change.
            self._urls[owner] = str(url)
            if owner in self.by_owner:
                self.by_owner[owner].url = str(url)

    def _fails(self, step: Step) -> None:
        self._learn(step)
        current = self._progress_of(step.urn)
        current.failed = True
        self._finish(current, step.urn)

    def _is_wrong(self, urn: str, why: str) -> None:
        if not why:
            return
        if not urn or type_of(urn) == STACK or self._owners.of(urn).kind == "shared":
            self.errors[why] = None
            return
        current = self._progress_of(urn)
        current.failed = True
        self._finish(current, urn)
        current.on_server = current.on_server or type_of(urn) == REMOTE_COMMAND
        if not current.error:
            current.error = why.removeprefix("customer ").removeprefix(f"{current.owner.id}: ")
            self._tell(current, f"failed: {current.error}")

    def _learn(self, step: Step) -> None:
        self._owners.learn(step.urn, vars(step.state) if step.state else {})

    def _progress_of(self, urn: str) -> OwnerProgress:
        owner = self._owners.of(urn)
        known = self.by_owner.get(owner)
        if known is None:
            known = self.by_owner[owner] = OwnerProgress(owner, self.seconds, url=self._urls.get(owner, ""))
        return known

    def _finish(self, current: OwnerProgress, urn: str) -> None:
        """Note that a resource is done, well or not; the engine may be at others of the same owner."""
        self._under_way.pop(urn, None)
        others = (doing for other, doing in self._under_way.items() if self._owners.of(other) == current.owner)
        current.doing = next(others, "")
        current.ended = None if current.doing else self.seconds


def _does_something(step: Step) -> bool:
    """Say whether a step changes something that is not a component: those are there before what is in them."""
    kind = type_of(step.urn)
    if kind == STACK or kind.startswith("pulumi:providers:") or not (step.state and step.state.custom):
        return False
    return step.op in _CHANGES or (step.op in _TAKES_AWAY and not is_tidying(step.op, step.urn))
