"""How a deployment fails."""

from __future__ import annotations

from clawdet_infra.error_line import FailureCode


class DeploymentError(Exception):
    """The deployment cannot go on.  The text is one sentence for the operator, without the customer's name."""

    code: FailureCode = FailureCode.DEPLOYMENT

    def followed_by(self, more: str) -> DeploymentError:
        """Return the same failure with what was done about it."""
        error = DeploymentError(f"{self}; {more}")
        error.code = self.code
        return error


class LockHeldError(DeploymentError):
    """Somebody else holds a lock."""

    code = FailureCode.LOCK_HELD


class ProbeError(DeploymentError):
    """A release is not ready: which probe failed, what was wrong, and what was answered last.

    `final` means that waiting does not help.
    """

    code = FailureCode.NOT_READY

    def __init__(self, probe: str, what: str, last_answer: str, *, final: bool = False) -> None:
        super().__init__(f"probe {probe} failed: {what}; last answer: {last_answer or 'none'}")
        self.probe = probe
        self.last_answer = last_answer
        self.final = final
