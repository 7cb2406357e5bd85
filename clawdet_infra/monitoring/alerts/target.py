"""What alerts are about: one instance, and what is known of it at the end of a round."""

from __future__ import annotations

from dataclasses import dataclass

from clawdet_infra.inventory.observation import Cause, Condition, State


@dataclass(frozen=True, kw_only=True)
class AlertTarget:
    """One instance, how it is, and what was done about it.

    `looks` counts the looks in a row that found it in its present condition.  `whole_server` says that what is wrong
    concerns all of its server.  `done` says in sentences what was done so far.  `healing` says that the repair ladder
    is at work on it, or about to be: such an instance may heal without anybody being told.  `last_answer` is what it
    answered last, `certificate_days` what is left of its certificate's life, None where that is not known.  `not_ready`
    names what of it is not ready although it serves, normally channels, None where that is not known, and
    `not_ready_looks` counts the looks in a row that saw something so.
    """

    state: State
    url: str
    looks: int = 1
    whole_server: bool = False
    done: tuple[str, ...] = ()
    healing: bool = False
    last_answer: str = ""
    certificate_days: float | None = None
    not_ready: tuple[str, ...] | None = None
    not_ready_looks: int = 0

    @property
    def id(self) -> str:
        """The instance's id, which is the customer's."""
        return self.state.instance

    @property
    def server(self) -> str:
        """The name of its server."""
        return self.state.server

    @property
    def sick(self) -> bool:
        """Whether it is not healthy."""
        return self.state.condition is not Condition.HEALTHY

    @property
    def down(self) -> bool:
        """Whether it does not do its work."""
        return self.state.condition is Condition.DOWN

    @property
    def cause(self) -> Cause:
        """Why it is down."""
        return self.state.cause or Cause.UNKNOWN
