"""Follows the engine's events of one update: which customer passed which stage, and what went wrong with whom."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from clawdet_infra.engine import events
from clawdet_infra.engine.output import Failure
from clawdet_infra.engine.stages import Passed, Stage, Stages, Watch
from clawdet_infra.error_line import FailureCode
from clawdet_infra.layout import CustomerLayout
from clawdet_infra.resources import CUSTOMER, HEALTH_ENDING, SERVER_ENDING

_ENDS: Mapping[str, Stage] = {
    SERVER_ENDING: "server",
    HEALTH_ENDING: "healthy",
}
_MANDATORY = ("mandatory", "remediate")
_DONE = ("create", "update", "same", "replace", "create-replacement", "refresh")


class UpdateProgress:
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
        self._errors: dict[str, list[Failure]] = {}
        self._failed: set[str] = set()
        self.general: list[Failure] = []
        """What went wrong with the whole update."""
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
        match events.read_event(event):
            case events.Step() as step:
                self._learn(step)
                if step.stage is events.Stage.ENDS:
                    self._passed(step)
                elif step.stage is events.Stage.FAILS and (owner := self._owners.get(step.urn)):
                    self._failed.add(owner)
            case events.Problem(failure=failure, urn=urn) if failure.sentence:
                owner = self._owners.get(urn, "")
                (self._errors.setdefault(owner, []) if owner else self.general).append(failure)
            case events.Violation(mandatory=True) as violation:
                self._refused(violation)

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

    def why(self, identity: str) -> Failure | None:
        """Return what went wrong first with a customer, None where nothing is known."""
        return next(iter(self._errors.get(identity, [])), None)

    def failed(self, identity: str) -> bool:
        """Return whether something of a customer failed."""
        return identity in self._failed or identity in self._errors

    def _refused(self, violation: events.Violation) -> None:
        """Note what a policy refuses: it stops the whole update."""
        message = " ".join(violation.message.split())
        why = Failure(f"policy {violation.policy}: {message}", FailureCode.POLICY)
        self.general.append(why)
        if owner := self._owners.get(violation.urn):
            self._errors.setdefault(owner, []).append(why)

    def _learn(self, step: events.Step) -> None:
        """Note whose a resource is: the customer's component comes before everything in it."""
        kind, _, name = step.urn.split("::", 2)[2].partition("::")
        if kind.rpartition("$")[2] == CUSTOMER:
            self._owners[step.urn] = name
            return
        owner = self._owners.get(step.state.parent) if step.state else None
        if owner is not None:
            self._owners[step.urn] = owner

    def _passed(self, step: events.Step) -> None:
        logical = step.urn.rpartition("::")[2]
        # The engine reports a component when it is registered, long before it has created what is in it.
        custom = step.state is not None and step.state.custom
        if logical not in self._names or step.op not in _DONE or self._owners.get(step.urn) is None or not custom:
            return
        identity, stage = self._names[logical]
        note = ""
        if stage == "server":
            note = str(step.new.outputs.get("ipv4Address", "")) if step.new else ""
            if note:
                self._watches[identity].start(note)
        self._stages[identity].passes(stage, note)
