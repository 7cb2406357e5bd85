"""A report for programs; docs/reference/cli.md describes the shape."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from clawdet_infra.changes.report import Bill, Report, StackReport, Subject


def as_json(report: Report) -> dict[str, Any]:
    """Return a report as what JSON has."""
    return {
        "changes": report.changes,
        "refused": report.refused,
        "failed": report.failed,
        "misconfigured": report.misconfigured,
        "monthly_cost": {currency: _bill(bill) for currency, bill in report.bills().items()},
        "stacks": [_stack(one) for one in report.stacks],
    }


def _stack(one: StackReport) -> dict[str, Any]:
    return {
        "stack": one.stack,
        "state": one.state,
        "engine_asked": one.asked,
        "seconds": round(one.seconds, 1),
        "subjects": [_subject(subject) for subject in one.subjects],
        "policies": "applied" if one.policies else "not applied",
        "objections": [asdict(objection) for objection in one.objections],
        "monthly_cost": None if one.bill is None else {"currency": one.currency, **_bill(one.bill)},
        "cost_unknown": one.bill_unknown or None,
        "drifted": {owner: list(names) for owner, names in one.drifted},
        "problems": list(one.problems),
        "errors": list(one.errors),
        "notes": list(one.notes),
    }


def _subject(one: Subject) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "id": one.id,
        "verdict": one.verdict,
        "changes": [{**asdict(change), "sentence": str(change)} for change in one.changes],
        "interruptions": [asdict(interruption) for interruption in one.interruptions],
        "lost": [asdict(lost) for lost in one.lost],
        "monthly_cost": None if one.bill is None else _bill(one.bill),
    }


def _bill(bill: Bill) -> dict[str, str]:
    # Text, since money is no binary fraction.
    return {
        "before": f"{bill.before:.2f}",
        "after": f"{bill.after:.2f}",
        "difference": f"{bill.difference:+.2f}",
    }
