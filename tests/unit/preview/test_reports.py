"""Reports of any size, and of what others wrote into them."""

from __future__ import annotations

import json
from decimal import Decimal
from io import StringIO

import pytest
from rich.console import Console

from clawdet_infra.preview.as_json import as_json
from clawdet_infra.preview.markdown import MARK, MOST_CHARACTERS, as_markdown, escaped
from clawdet_infra.preview.report import (
    AffectedOwner,
    Blocker,
    Change,
    CostDelta,
    LostData,
    Report,
    StackReport,
    Verdict,
)
from clawdet_infra.preview.text import as_text


def subject(number: int, verdict: Verdict = "changed", *, own: bool = False, lost: bool = False) -> AffectedOwner:
    image = f"registry.test/gateway:{number if own else 2}"
    return AffectedOwner(
        kind="customer",
        id=f"customer-{number}",
        verdict=verdict,
        changes=(Change(what="gateway image", before="registry.test/gateway:1", after=image),),
        lost=(LostData(sentence=f"customer-{number}-server is deleted", name=f"customer-{number}", allowed=False),)
        if lost
        else (),
        bill=CostDelta(before=Decimal("5.99"), after=Decimal("8.99")),
    )


def stack(*subjects: AffectedOwner, name: str = "prod", **more: object) -> StackReport:
    return StackReport(stack=name, state="changed", subjects=subjects, currency="EUR", **more)  # type: ignore[arg-type]


def test_the_same_change_to_a_thousand_is_one_line_with_a_count() -> None:
    stacks = [stack(*(subject(50 * cell + one) for one in range(50)), name=f"cell-{cell}") for cell in range(20)]
    text = as_markdown(Report(stacks=tuple(stacks)))
    assert len(text) < 3000
    assert "| 1,000 | **changed** | gateway image registry.test/gateway:1 → registry.test/gateway:2 |" in text
    assert "customers: 1,000 changed (20 stacks)" in text
    terminal = StringIO()
    Console(width=120, file=terminal).print(as_text(Report(stacks=tuple(stacks))))
    assert "1,000 of them" in terminal.getvalue()


@pytest.mark.parametrize("lost", [False, True])
def test_a_thousand_different_changes_fit_a_comment(lost: bool) -> None:
    subjects = [subject(one, "removed" if lost else "changed", own=True, lost=lost) for one in range(1000)]
    objections = tuple(
        Blocker(rule="data_loss", message="x" * 2000, about=(f"customer customer-{one}",)) for one in range(1000)
    )
    text = as_markdown(Report(stacks=(stack(*subjects, objections=objections, errors=("y" * 5000,) * 1000),)))
    assert len(text) <= MOST_CHARACTERS
    assert text.startswith(f"{MARK}\n")
    if lost:
        assert text.index("Data is lost") < 200 + len(MARK), "what loses data comes first"
        assert "950 further things" in text, "what is left out is counted"


def test_data_that_would_be_lost_is_first_and_says_what_to_name() -> None:
    report = Report(stacks=(stack(subject(1), name="a"), stack(subject(2, "removed", lost=True), name="z")))
    assert [one.id for _, one in report.subjects] == ["customer-2", "customer-1"]
    text = as_markdown(report)
    assert text.index("customer-2") < text.index("customer-1")
    assert "`--allow-loss customer-2`" in text


@pytest.mark.parametrize(
    "text", ["<img src=x>", "a|b", "[x](y)", "@everyone", "`code`", "**bold**", "line\nbreak", "#1", "~~x~~", "&lt;"]
)
def test_what_others_wrote_is_text_and_nothing_else(text: str) -> None:
    shown = escaped(text)
    assert "\n" not in shown
    for special in "<|[@`*#~&":
        assert f"{special}" not in shown.replace(f"\\{special}", "")


def test_links_are_not_followed() -> None:
    assert "://" not in escaped("see https://evil.test")


def test_several_stacks_are_one_report_with_one_sum() -> None:
    bill = CostDelta(before=Decimal(10), after=Decimal("12.50"))
    report = Report(
        stacks=(
            stack(subject(1), bill=bill),
            stack(subject(2), name="two", bill=bill),
            stack(name="three", bill_unknown="the provider could not be asked for its prices"),
            StackReport(stack="four", state="unchanged", asked=False),
        )
    )
    text = as_markdown(report)
    assert "20.00 → 25.00 (+5.00) EUR a month, net, at the prices of new orders" in text
    assert "the costs of three are not known: the provider could not be asked for its prices" in text
    assert "four" in text
    told = as_json(report)
    assert told["monthlyCost"] == {"EUR": {"before": "20.00", "after": "25.00", "difference": "+5.00"}}
    json.dumps(told)


def test_an_outcome_is_told_from_the_stacks() -> None:
    quiet = StackReport(stack="a", state="unchanged")
    assert not Report(stacks=(quiet,)).changes
    warned = StackReport(stack="a", state="unchanged", objections=(Blocker(rule="x", message="m", mandatory=False),))
    assert not Report(stacks=(warned,)).refused
    assert Report(stacks=(quiet, StackReport(stack="b", state="failed"))).failed
    assert Report(stacks=(StackReport(stack="b", state="misconfigured"),)).misconfigured
    drifted = StackReport(stack="a", state="unchanged", drifted=(("customer ada", ("ada-server is gone",)),))
    assert Report(stacks=(drifted,)).changes
    assert "ada-server is gone" in as_markdown(Report(stacks=(drifted,)))
