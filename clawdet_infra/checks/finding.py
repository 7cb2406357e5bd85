"""What a check has found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

_MOST_NAMED = 3


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that must not be deployed as it is.

    `rule` is the rule's name and `hint` says how to mend it.  `service` is the service of the compose file, `file` the
    file to mend (seen from the checkout) with its `line` where that is known, and `concerns` names the plans or
    customers whose deployment it was seen in.  No secret is in any of them.
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
    """Return findings with those in one that differ only in whom they concern."""
    concerns: dict[Finding, list[str]] = {}
    for finding in findings:
        known = concerns.setdefault(replace(finding, concerns=()), [])
        known += [one for one in finding.concerns if one not in known]
    return [replace(finding, concerns=tuple(names)) for finding, names in concerns.items()]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check: what was looked at, how long it took, and what it found.

    `detail` is for people, in a few words.  A check that could not be made is `skipped`, and its `detail` says why.
    """

    name: str
    detail: str
    findings: Sequence[Finding] = ()
    skipped: bool = False
    seconds: float = 0.0

    @property
    def passed(self) -> bool:
        """Whether nothing was found; a check that was skipped stops nothing."""
        return not self.findings
