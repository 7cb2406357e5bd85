"""How far an update has come with each customer and host, from the engine's events."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from clawdet_infra.changes.owners import Owner, Owners, is_owner, type_of
from clawdet_infra.driver.engine_errors import reason
from clawdet_infra.driver.event_log import Event
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
_MANDATORY = ("mandatory", "remediate")


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
        if found := event.get("resourcePreEvent"):
            self._begins(found["metadata"])
        elif found := event.get("resOutputsEvent"):
            self._ends(found["metadata"])
        elif found := event.get("resOpFailedEvent"):
            self._fails(found["metadata"])
        elif found := event.get("diagnosticEvent"):
            if found.get("severity") == "error":
                self._is_wrong(str(found.get("urn") or ""), reason(redacted(str(found.get("message") or ""))))
        elif (found := event.get("policyEvent")) and found.get("enforcementLevel") in _MANDATORY:
            told = f"{found.get('policyName')}: {reason(redacted(str(found.get('message') or '')))}"
            self._is_wrong(str(found.get("resourceUrn") or ""), told)

    def _begins(self, metadata: Mapping[str, Any]) -> None:
        self._learn(metadata)
        if not _does_something(metadata):
            return
        current = self._progress_of(metadata["urn"])
        doing, _ = _STEPS.get(type_of(metadata["urn"]), ("", ""))
        if metadata["op"] in _TAKES_AWAY:
            doing = "removing"
        doing = doing or "preparing"
        self._under_way[metadata["urn"]] = doing
        if not current.doing or doing != "preparing":
            current.doing = doing
        current.ended = None

    def _ends(self, metadata: Mapping[str, Any]) -> None:
        self._learn(metadata)
        urn, op = metadata["urn"], metadata["op"]
        if is_owner(urn):
            self._component(metadata)
        if not _does_something(metadata):
            return
        current = self._progress_of(urn)
        self._finish(current, urn)
        if op in _TAKES_AWAY or type_of(urn) not in _STEPS:
            return
        if type_of(urn) == LOCAL_COMMAND:
            current.healthy = True
        current.last = _STEPS[type_of(urn)][1]
        self._tell(current, current.last)

    def _component(self, metadata: Mapping[str, Any]) -> None:
        """Note what a customer's or host's component says: its address, or that all in it is gone."""
        owner = self._owners.of(metadata["urn"])
        if metadata["op"] == "delete":
            current = self._progress_of(metadata["urn"])
            current.removed, current.ended = True, self.seconds
            self._tell(current, "removed")
        elif url := (_state(metadata).get("outputs") or {}).get("url"):
            # It may be known long before the first change.
            self._urls[owner] = str(url)
            if owner in self.by_owner:
                self.by_owner[owner].url = str(url)

    def _fails(self, metadata: Mapping[str, Any]) -> None:
        self._learn(metadata)
        current = self._progress_of(metadata["urn"])
        current.failed = True
        self._finish(current, metadata["urn"])

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

    def _learn(self, metadata: Mapping[str, Any]) -> None:
        self._owners.learn(metadata["urn"], _state(metadata))

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


def _does_something(metadata: Mapping[str, Any]) -> bool:
    """Say whether a step changes something that is not a component: those are there before what is in them."""
    kind = type_of(metadata["urn"])
    if kind == STACK or kind.startswith("pulumi:providers:") or not _state(metadata).get("custom"):
        return False
    return metadata["op"] in _CHANGES or metadata["op"] in _TAKES_AWAY


def _state(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    return metadata.get("new") or metadata.get("old") or {}
