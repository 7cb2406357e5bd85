"""Follows the engine's events of one update: which customer passed which stage, and what went wrong with whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from clawdet_infra.driver.engine_errors import reason
from clawdet_infra.driver.stages import Passed, Stage, Stages, Watch
from clawdet_infra.layout import CustomerLayout
from clawdet_infra.resources import CUSTOMER, HEALTH_ENDING, SERVER_ENDING

_ENDS: Mapping[str, Stage] = {
    SERVER_ENDING: "server",
    HEALTH_ENDING: "healthy",
}
_DONE = ("create", "update", "same", "replace", "create-replacement", "refresh")


class Follower:
    """Takes the events of an update of a cell, and tells each customer's stages as they are passed."""

    def __init__(
        self,
        customers: Iterable[CustomerLayout],
        tell: Callable[[str, Passed], None],
        *,
        addresses: Mapping[str, str],
        ca_bundle: str | None,
    ) -> None:
        self._names: dict[str, tuple[str, Stage]] = {}
        self._stages: dict[str, Stages] = {}
        self._watches: dict[str, Watch] = {}
        self._errors: dict[str, list[str]] = {}
        self._failed: set[str] = set()
        self.general: list[str] = []
        """Errors that are about no customer."""
        self._owners: dict[str, str] = {}
        for one in customers:
            identity = one.id
            self._stages[identity] = Stages(partial(tell, identity))
            self._watches[identity] = Watch(self._stages[identity], one.fqdn, ca_bundle)
            for end, stage in _ENDS.items():
                self._names[f"{identity}{end}"] = (identity, stage)
            self._names[one.record] = (identity, "DNS")
            self._names[one.deployment] = (identity, "deployment")
        self._addresses = addresses

    def begin(self, identities: Iterable[str]) -> None:
        """Say that an update begins that is about these customers."""
        for identity in identities:
            if identity in self._stages:
                self._stages[identity].passes("queued")
                if identity in self._addresses:
                    self._watches[identity].start(self._addresses[identity])

    def __call__(self, event: Any) -> None:
        """Take one event of the Automation API."""
        if event.resource_pre_event is not None:
            self._learn(event.resource_pre_event.metadata)
        if event.res_outputs_event is not None:
            self._passed(event.res_outputs_event.metadata)
        if event.res_op_failed_event is not None:
            metadata = event.res_op_failed_event.metadata
            self._learn(metadata)
            if owner := self._owners.get(str(metadata.urn)):
                self._failed.add(owner)
        found = event.diagnostic_event
        if found is not None and found.severity == "error" and found.message.strip():
            owner = self._owners.get(found.urn or "", "")
            if why := reason(found.message):
                (self._errors.setdefault(owner, []) if owner else self.general).append(why)

    def end(self) -> None:
        """Look no more from outside."""
        for watch in self._watches.values():
            watch.end()

    def healthy(self, identity: str) -> bool:
        """Return whether a customer's health check has passed in this update, and nothing of the customer failed."""
        return identity not in self._failed and any(one.stage == "healthy" for one in self.passed(identity))

    def passed(self, identity: str) -> list[Passed]:
        """Return the stages that a customer has passed."""
        return list(self._stages[identity].passed) if identity in self._stages else []

    def why(self, identity: str) -> str:
        """Return what went wrong with a customer, "" where nothing is known."""
        return next(iter(self._errors.get(identity, [])), "")

    def failed(self, identity: str) -> bool:
        """Return whether something of a customer failed."""
        return identity in self._failed or identity in self._errors

    def _learn(self, metadata: Any) -> None:
        """Note whose a resource is: the customer's component comes before everything in it."""
        urn = str(metadata.urn)
        kind, _, name = urn.split("::", 2)[2].partition("::")
        if kind.rpartition("$")[2] == CUSTOMER:
            self._owners[urn] = name
            return
        state = metadata.new or metadata.old
        owner = self._owners.get(str(getattr(state, "parent", "") or ""))
        if owner is not None:
            self._owners[urn] = owner

    def _passed(self, metadata: Any) -> None:
        urn = str(metadata.urn)
        self._learn(metadata)
        logical = urn.rpartition("::")[2]
        op = str(getattr(metadata.op, "value", metadata.op))
        if logical not in self._names or op not in _DONE or self._owners.get(urn) is None or not _custom(metadata):
            return
        identity, stage = self._names[logical]
        note = ""
        if stage == "server":
            note = str((getattr(metadata.new, "outputs", None) or {}).get("ipv4Address", ""))
            if note:
                self._watches[identity].start(note)
        self._stages[identity].passes(stage, note)


def _custom(metadata: Any) -> bool:
    """Components are told when they are registered, long before what is in them is there."""
    state = metadata.new or metadata.old
    return bool(getattr(state, "custom", False))
