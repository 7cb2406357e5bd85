"""What a probe found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Stage = Literal["dns", "tcp", "tls", "healthz", "startupz", "auth", "api", "readyz"]
"""What is looked at, in this order; what comes after a stage that failed was not looked at.

A gateway that does not serve `/startupz` is asked for `/readyz` in its place.
"""

Sign = Literal[
    "no-name",
    "wrong-address",
    "refused",
    "unreachable",
    "timeout",
    "lost",
    "expired",
    "wrong-name",
    "untrusted",
    "no-certificate",
    "handshake",
    "open",
    "denied",
    "starting",
    "answer",
]
"""How a stage failed, in a word for programs: what the other side did, or did not do.

`lost` is a connection that was there and broke off, `no-certificate` a server that has none for this name, `handshake`
any other trouble with TLS.  `open` lets in who shows nothing or something wrong, `denied` keeps out who shows the right
thing, `starting` says of itself that it starts or ends, and `answer` is any other HTTP answer that is not the right
one.
"""


@dataclass(frozen=True)
class Failure:
    """The stage that failed, what was wrong, and what the other side answered last; no secret in any of them.

    `sign` says the same for programs, and `status` is the HTTP status where there was one.
    """

    stage: Stage
    what: str
    last_answer: str
    sign: Sign = "answer"
    status: int | None = None

    def __str__(self) -> str:
        return f"probe {self.stage} failed: {self.what}; last answer: {self.last_answer or 'none'}"


@dataclass(frozen=True)
class ProbeResult:
    """The result of one look at a customer.

    `seconds` is the time that each stage took, `certificate_days` what is left of the certificate's life, `address`
    where the connections went; each of them is there as far as the probe got.  `not_ready` names what of a gateway that
    serves is not ready, by its own word: normally channels that do not reach their service.  Nothing fails for that.
    """

    customer: str
    failure: Failure | None
    seconds: Mapping[Stage, float]
    address: str | None = None
    certificate_days: float | None = None
    not_ready: tuple[str, ...] = ()

    @property
    def healthy(self) -> bool:
        """Whether every stage passed."""
        return self.failure is None

    @property
    def total_seconds(self) -> float:
        """The time of all stages together, but for `readyz`: how channels are does not make an instance slow."""
        return round(sum(taken for stage, taken in self.seconds.items() if stage != "readyz"), 4)

    def facts(self) -> dict[str, Any]:
        """Return the verdict as plain values, for JSON."""
        return {"healthy": self.healthy, **asdict(self)}
