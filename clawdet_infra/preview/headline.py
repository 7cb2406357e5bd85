"""The first lines of a report: what it comes to, in a few words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from clawdet_infra.config.problems import listed
from clawdet_infra.preview.groups import counted, shared_parts
from clawdet_infra.preview.report import CostDelta, Report, Verdict

_VERDICTS: Sequence[Verdict] = ("replaced", "removed", "new", "changed")


def headline(report: Report) -> str:
    """Return in one line what a change comes to."""
    where = "1 stack" if len(report.stacks) == 1 else f"{len(report.stacks)} stacks"
    if report.misconfigured:
        wrong = [one.stack for one in report.stacks if one.state == "misconfigured"]
        return f"The configuration of {', '.join(wrong)} is wrong"
    if report.failed:
        failed = [one.stack for one in report.stacks if one.state == "failed"]
        return f"It is not known what would happen to {', '.join(failed)}"
    if not report.changes:
        return f"Nothing changes ({where})"
    customers = [subject for _, subject in report.subjects if subject.kind == "customer"]
    counts = Counter(subject.verdict for subject in customers)
    told = [f"{counts[one]:,} {one}" for one in _VERDICTS if counts[one]]
    parts = [f"customers: {', '.join(told)}"] if told else []
    if shared := shared_parts(subject.kind for _, subject in report.subjects):
        parts.append(f"{listed(shared)} touched")
    drifted = sum(len(one.drifted) for one in report.stacks)
    parts += [f"drift: {counted(drifted, 'owner')}"] if drifted else []
    return f"{'; '.join(parts)} ({where})"


def costs(report: Report) -> list[str]:
    """Return what the change costs a month, a line a currency, and why something is not known.

    The provider's list has the prices of new orders.  A server that exists is billed at the price of its order until it
    is rescaled, and no list says what that was.
    """
    lines = [
        f"{money(bill)} {currency} a month, net, at the prices of new orders"
        for currency, bill in sorted(report.bills().items())
    ]
    unknown: dict[str, list[str]] = {}
    for one in report.stacks:
        if one.asked and one.bill is None and one.state in ("changed", "unchanged"):
            unknown.setdefault(one.bill_unknown, []).append(one.stack)
    lines += [f"the costs of {', '.join(stacks)} are not known: {why}" for why, stacks in sorted(unknown.items())]
    return lines


def money(bill: CostDelta) -> str:
    """Return a bill as text: what it was, what it becomes, the difference."""
    if not bill.difference:
        return f"{bill.after:,.2f} as before"
    return f"{bill.before:,.2f} → {bill.after:,.2f} ({bill.difference:+,.2f})"
