from __future__ import annotations

import html
import re
from datetime import UTC, datetime

import markdown
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawdet_infra.monitoring.alerts.notification import Notification, plain, sample_notification
from clawdet_infra.monitoring.alerts.truncation import ENTRY, fitted, size
from tests.support.examples import examples


@given(st.text(max_size=200))
def test_text_from_elsewhere_reads_the_same_where_it_is_taken_for_markdown(text: str) -> None:
    shown = f"Seen: {plain(text)}"
    rendered = markdown.markdown(shown)
    assert html.unescape(re.sub(r"</?p>", "", rendered)).strip() == shown.strip()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("HTTP 502 <b>bad</b>", "HTTP 502 ‹b›bad‹/b›"),
        ("see [this](https://evil.test)", "see ⟦this⟧(https://evil.test)"),
        ("<!channel> @everyone", "‹!channel› ＠everyone"),
        ("two\nlines\x1b[31m and\ttabs", "two lines ⟦31m and tabs"),
        ("OUT_OF_MEMORY in __init__", "OUT_OF_MEMORY in ＿＿init＿＿"),
        ("jürgen-日本 café 🦞", "jürgen-日本 café 🦞"),
        ("right\u202eto left", "right to left"),
    ],
)
def test_what_chat_programs_act_on_is_shown_and_does_nothing(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_long_text_is_cut() -> None:
    assert len(plain("x" * 10_000)) == 300


def test_a_test_says_that_nothing_is_wrong() -> None:
    notice = sample_notification(datetime(2026, 3, 1, 12, tzinfo=UTC), "ops-1")
    assert notice.kind == "test"
    assert "Nothing is wrong" in notice.body
    assert "ops-1 at 2026-03-01 12:00 UTC" in notice.body


ANY_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\n"), max_size=400)


@settings(max_examples=examples(200))
@given(
    st.lists(st.tuples(st.booleans(), ANY_TEXT), min_size=1, max_size=40),
    ANY_TEXT,
    st.sampled_from([0, 250]),
    st.integers(200, 5000),
)
def test_a_notice_is_never_longer_than_its_channel_takes_it(
    lines: list[tuple[bool, str]], title: str, title_longest: int, body_longest: int
) -> None:
    body = "\n".join(f"{ENTRY if entry else ''}{text}" for entry, text in lines)
    notice = Notification(kind="raised", title=title, body=body, key="fleet")
    fit = fitted(notice, title_longest, body_longest)
    assert size(fit.title) + size(fit.body) < body_longest
    assert not title_longest or size(fit.title) <= title_longest
    assert (fit.kind, fit.key) == (notice.kind, notice.key)
    if size(title) <= min(250, body_longest // 3) and size(title) + size(body) < body_longest - 10:
        assert fit == notice, "what fits is left as it is"


def test_the_list_is_shortened_before_anything_else() -> None:
    entries = [f"{ENTRY}{name * 40}" for name in "abcdefgh"]
    body = "\n".join(["Server: s", "Customers (8):", *entries, "Seen: x", "Next: y"])
    lines = fitted(Notification(kind="raised", title="down", body=body), 250, 400).body.split("\n")
    kept = len(lines) - 5
    assert 1 < kept < 8
    more = f"{ENTRY}and more, for which there is no room here"
    assert lines == ["Server: s", "Customers (8):", *entries[:kept], more, "Seen: x", "Next: y"]
