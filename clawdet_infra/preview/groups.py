"""Says once what happens to many in the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from clawdet_infra.engine.owners import Kind
from clawdet_infra.preview.report import AffectedOwner, Verdict, order


@dataclass(frozen=True)
class Group:
    """Subjects of one kind to which the same happens; `members` are (stack, subject)."""

    verdict: Verdict
    what: str
    members: tuple[tuple[str, AffectedOwner], ...]


def grouped(subjects: Iterable[tuple[str, AffectedOwner]]) -> list[Group]:
    """Return subjects by what happens to them, in the order of reports."""
    found: dict[tuple[Verdict, str], list[tuple[str, AffectedOwner]]] = {}
    for stack, subject in subjects:
        found.setdefault((subject.verdict, what_happens(subject)), []).append((stack, subject))
    groups = [Group(verdict, what, tuple(members)) for (verdict, what), members in found.items()]
    return sorted(groups, key=lambda group: (order(group.members[0][1]), -len(group.members)))


def what_happens(subject: AffectedOwner) -> str:
    """Return what happens to a subject without its own name, so that others can have the same."""
    changes = "; ".join(subject.lines)
    return changes.replace(f"//{subject.id}.", "//NAME.").replace(f"{subject.id}-", "ID-")


def shared_parts(kinds: Iterable[Kind]) -> list[str]:
    """Return what there is besides customers, in words: `2 shared hosts`, `what all share`."""
    found = Counter(kinds)
    told = [counted(found["shared host"], "shared host")] if found["shared host"] else []
    return [*told, "what all share"] if found["shared"] else told


def counted(number: int, word: str) -> str:
    """Return a number with its word: `1 customer`, `2 customers`."""
    return f"{number:,} {word}" if number == 1 else f"{number:,} {word}s"
