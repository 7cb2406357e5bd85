"""A report for programs; docs/reference/cli.md describes the shape."""

from __future__ import annotations

from typing import Any

from clawdet_infra.formatting.json_format import plain_json
from clawdet_infra.preview.report import AffectedOwner, Change, CostDelta, Report, StackReport


def as_json(report: Report) -> dict[str, Any]:
    """Return a report as what JSON has."""
    report_fields = {
        "changes": report.changes,
        "refused": report.refused,
        "failed": report.failed,
        "misconfigured": report.misconfigured,
        "monthlyCost": {currency: _bill(bill) for currency, bill in report.bills().items()},
        "stacks": [_stack(one) for one in report.stacks],
    }
    plain: dict[str, Any] = plain_json(report_fields)
    return plain


def _stack(one: StackReport) -> dict[str, Any]:
    return {
        "stack": one.stack,
        "state": one.state,
        "engineAsked": one.asked,
        "seconds": round(one.seconds, 1),
        "subjects": [_subject(subject) for subject in one.subjects],
        "policies": "applied" if one.policies else "not applied",
        "violations": list(one.objections),
        "monthlyCost": None if one.bill is None else {"currency": one.currency, **_bill(one.bill)},
        "costUnknown": one.bill_unknown or None,
        "drifted": {owner: list(names) for owner, names in one.drifted},
        "problems": list(one.problems),
        "errors": list(one.errors),
        "notes": list(one.notes),
    }


def _subject(one: AffectedOwner) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "customer" if one.kind == "customer" else "id": one.id,
        "changeKind": one.verdict,
        "changes": [_change(change) for change in one.changes],
        "interruptions": list(one.interruptions),
        "dataLosses": list(one.lost),
        "monthlyCost": None if one.bill is None else _bill(one.bill),
    }


def _change(one: Change) -> dict[str, str | None]:
    return {"field": one.what, "before": one.before, "after": one.after, "sentence": str(one)}


def _bill(bill: CostDelta) -> dict[str, str]:
    # Text, since money is no binary fraction.
    return {
        "before": f"{bill.before:.2f}",
        "after": f"{bill.after:.2f}",
        "difference": f"{bill.difference:+.2f}",
    }
