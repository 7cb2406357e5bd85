"""What a probe found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Stage = Literal["dns", "tcp", "tls", "healthz", "readyz", "auth", "api"]
"""What is looked at, in this order; what comes after a stage that failed was not looked at."""


@dataclass(frozen=True)
class Failure:
    """The stage that failed, what was wrong, and what the other side answered last; no secret in any of them."""

    stage: Stage
    what: str
    last_answer: str

    def __str__(self) -> str:
        return f"probe {self.stage} failed: {self.what}; last answer: {self.last_answer or 'none'}"


@dataclass(frozen=True)
class Verdict:
    """The result of one look at a customer.

    `seconds` is the time that each stage took, `certificate_days` what is left of the certificate's life, `address`
    where the connections went; each of them is there as far as the probe got.
    """

    customer: str
    failure: Failure | None
    seconds: Mapping[Stage, float]
    address: str | None = None
    certificate_days: float | None = None

    @property
    def healthy(self) -> bool:
        """Whether every stage passed."""
        return self.failure is None

    def facts(self) -> dict[str, Any]:
        """Return the verdict as plain values, for JSON."""
        return {"healthy": self.healthy, **asdict(self)}
