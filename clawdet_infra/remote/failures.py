"""How a deployment fails."""

from __future__ import annotations


class DeploymentError(Exception):
    """The deployment cannot go on.  The text is one sentence for the operator, without the customer's name."""


class ProbeError(DeploymentError):
    """A new release did not get ready: which probe failed, and what it saw last."""

    def __init__(self, probe: str, what: str, last_answer: str) -> None:
        super().__init__(f"probe {probe} failed: {what}; last answer: {last_answer or 'none'}")
        self.probe = probe
