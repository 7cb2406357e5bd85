"""The results of checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

_MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One problem that must be fixed before a deployment.

    `rule` is the rule's name and `hint` the advice to fix it.  `service` is the service in the compose file, `file` the
    file to fix (relative to the checkout) with its `line` if known, and `concerns` the plans or customers with the
    problem.  None of them contains a secret.
    """

    rule: str
    message: str
    hint: str = ""
    service: str | None = None
    file: str | None = None
    line: int | None = None
    concerns: tuple[str, ...] = ()

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        named = [*self.concerns[:_MOST_NAMED]]
        if len(self.concerns) > _MOST_NAMED:
            named.append(f"{len(self.concerns) - _MOST_NAMED} more")
        who = f"{', '.join(named)}: " if named else ""
        what = f"service {self.service}: " if self.service else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{place}{who}{what}{self.message}{hint}"


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings, merging those that differ only in whom they concern."""
    concerns: dict[Finding, list[str]] = {}
    for finding in findings:
        known = concerns.setdefault(replace(finding, concerns=()), [])
        known += [one for one in finding.concerns if one not in known]
    return [replace(finding, concerns=tuple(names)) for finding, names in concerns.items()]


@dataclass(frozen=True, kw_only=True)
class Check:
    """The result of one check: its scope, duration and findings.

    `detail` is a short text for people.  A check that could not run is `skipped`, and its `detail` is the reason.
    """

    name: str
    detail: str
    findings: Sequence[Finding] = ()
    skipped: bool = False
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether there are no findings; a skipped check passes."""
        return not self.findings
