from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.ci.markdown import block, listed, sanitize


@pytest.mark.parametrize(
    ("text", "forbidden"),
    [
        ("hello @everybody", r"@everybody"),
        (r"hello \@octocat and @org/team", r"@o"),
        ("![look](https://example.com/pixel.png)", r"!\["),
        ("<img src=https://example.com/pixel.png>", r"<img"),
        ("<!-- hidden -->", r"<!--"),
        ("a <a href='https://example.com'>b</a>", r"<a"),
        ("<details onclick=x>", r"<details o"),
        ("/merge", r"^/merge"),
        ("text\n   /close\n", r"(?m)^\s*/close"),
        ("one\x1b[2J\x07\u202etwo", r"[\x1b\x07\u202e]"),
        ("a\r/approve", r"\r"),
    ],
)
def test_what_would_call_load_hide_or_order_is_taken_apart(text: str, forbidden: str) -> None:
    assert not re.search(forbidden, sanitize(text))


@pytest.mark.parametrize(
    "text",
    [
        "### Preview: 2 customers change",
        "| who | what |\n|---|---|\n| ada | **new**<br>image `caddy:2@sha256:00` |",
        "<details><summary>Stacks</summary>\n\n- prod\n\n</details>",
        "```text\n/merge @everybody <img>\n```",
        r"caddy:2\@sha256:00, mail to ops@clawdet.com, https://example.com/a/b, a/b, 3 < 4",
    ],
)
def test_what_a_report_is_made_of_stays(text: str) -> None:
    assert sanitize(text) == text


def test_a_block_of_code_that_was_left_open_takes_in_nothing_that_follows() -> None:
    assert sanitize("```\nopen").endswith("\n```")
    assert sanitize("~~~~\nopen\n~~~").endswith("\n~~~~")


def test_what_only_looks_like_the_end_of_a_block_opens_nothing() -> None:
    shown = sanitize("```\n``` not the end\n/merge\n```\n/merge")
    assert shown.split("\n")[2] == "/merge", "it is still code"
    assert shown.split("\n")[4] != "/merge", "the block has ended"


@given(st.text(alphabet="`~\n /a@<!", max_size=60))
def test_text_cannot_leave_its_block(text: str) -> None:
    shown = block(text).split("\n")
    fence = shown[0].removesuffix("text")
    assert set(fence) == {"`"}
    assert shown[-1] == fence
    assert not any(line.strip().startswith(fence) for line in shown[1:-1])


@given(st.text(alphabet="`~\n /ab", max_size=80))
def test_no_order_is_left_outside_of_blocks(text: str) -> None:
    """Judged by the rules of CommonMark on fences, worked out once more here in another way."""
    fence = ""
    for line in sanitize(text).split("\n"):
        stripped = line.lstrip(" ")
        indent = len(line) - len(stripped)
        marks = re.match(r"(`{3,}|~{3,})(.*)", stripped) if indent < 4 else None
        if fence:
            if marks and marks[1][0] == fence[0] and len(marks[1]) >= len(fence) and not marks[2].strip():
                fence = ""
        elif marks and not (marks[1][0] == "`" and "`" in marks[2]):
            fence = marks[1]
        else:
            assert not re.match(r"\s*/\w", line)
    assert fence == ""


def test_of_a_long_text_the_end_is_kept() -> None:
    shown = block("\n".join(f"line {number}" for number in range(500)))
    assert "line 499" in shown
    assert "line 1\n" not in shown
    assert len(shown.split("\n")) < 70


def test_of_very_many_ids_the_first_are_listed() -> None:
    assert listed(["ada", "bob"]) == "`ada`, `bob`"
    assert listed([f"c{number}" for number in range(60)]).endswith(", `c49` and 10 more")
