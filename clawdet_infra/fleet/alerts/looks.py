"""Counts the looks in a row that found an instance in its present condition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from clawdet_infra.fleet.alerts.subject import Subject
from clawdet_infra.fleet.records import Condition


class Looks:
    """Counts from round to round.  What was before its first round is not known and not counted."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[Condition, datetime, int, int]] = {}

    def count(self, subjects: Sequence[Subject]) -> list[Subject]:
        """Return the subjects with their looks counted; one that was not looked at since then keeps its count."""
        counted = [replace(one, looks=self._looks(one), not_ready_looks=self._not_ready_looks(one)) for one in subjects]
        self._counts = {
            one.id: (one.state.condition, one.state.observed_at, one.looks, one.not_ready_looks) for one in counted
        }
        return counted

    def _looks(self, one: Subject) -> int:
        condition, at, looks, _ = self._counts.get(one.id, (None, None, 0, 0))
        if condition is not one.state.condition:
            return 1
        return looks if at == one.state.observed_at else looks + 1

    def _not_ready_looks(self, one: Subject) -> int:
        _, at, _, looks = self._counts.get(one.id, (None, None, 0, 0))
        if one.not_ready is None or at == one.state.observed_at:
            return looks
        return looks + 1 if one.not_ready else 0
