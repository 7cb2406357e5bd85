"""Labels and label selectors."""

from __future__ import annotations

import string
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcloud.api.labels import SelectorError, label_problem, matches, parse

LABELS = {"env": "prod", "tier": "", "example.com/team": "ops"}
names = st.from_regex(r"[a-z0-9]([a-z0-9._-]{0,20}[a-z0-9])?", fullmatch=True)
labels = st.dictionaries(names, st.one_of(st.just(""), names), max_size=5)


@pytest.mark.parametrize(
    "selector",
    [
        "env",
        "env=prod",
        "env==prod",
        "env = prod",
        "env!=dev",
        "missing!=dev",
        "!missing",
        "tier=",
        "env in (dev,prod)",
        "env in ( dev , prod )",
        "env notin (dev)",
        "missing notin (dev)",
        "env=prod,example.com/team=ops,!missing",
        "env in (prod),tier",
    ],
)
def test_a_selector_matches(selector: str) -> None:
    assert matches(selector, LABELS)


@pytest.mark.parametrize(
    "selector",
    ["missing", "env=dev", "env!=prod", "!env", "env in (dev,test)", "env notin (prod)", "env=prod,missing", "tier=x"],
)
def test_a_selector_does_not_match(selector: str) -> None:
    assert not matches(selector, LABELS)


@pytest.mark.parametrize(
    "selector", ["", ",", "=", "a b", "env in prod", "env in (a", "env=pr od", "-env", "env=a=b", "env=prod,", "!!env"]
)
def test_a_selector_that_makes_no_sense_is_an_error(selector: str) -> None:
    with pytest.raises(SelectorError, match="cannot be read"):
        parse(selector)


@given(labels)
def test_a_selector_made_from_labels_matches_them(mine: dict[str, str]) -> None:
    selector = ",".join(f"{key}={value}" for key, value in mine.items())

    assert not mine or matches(selector, mine)


@given(labels, labels)
def test_equality_and_inequality_are_opposites(mine: dict[str, str], other: dict[str, str]) -> None:
    for key, value in other.items():
        assert matches(f"{key}={value}", mine) != matches(f"{key}!={value}", mine)
        assert matches(f"{key} in ({value})", mine) != matches(f"{key} notin ({value})", mine)
        assert matches(key, mine) != matches(f"!{key}", mine)


@given(st.text(alphabet=string.printable, max_size=40))
def test_any_text_is_a_selector_or_an_error(text: str) -> None:
    with suppress(SelectorError):
        assert isinstance(matches(text, LABELS), bool)


@pytest.mark.parametrize(
    ("key", "value"), [("a", ""), ("a", "b"), ("A.b_c-d", "1.2"), ("example.com/a", "b"), ("a" * 63, "b" * 63)]
)
def test_a_good_label_has_no_problem(key: str, value: str) -> None:
    assert label_problem(key, value) is None


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        ("", "b", "key '' is invalid"),
        ("a b", "b", "key 'a b' is invalid"),
        ("-a", "b", "key '-a' is invalid"),
        ("a" * 64, "b", "1 to 63 characters"),
        ("/a", "b", "invalid prefix"),
        ("exa_mple.com/a", "b", "invalid prefix"),
        ("x" * 254 + "/a", "b", "invalid prefix"),
        ("hetzner.cloud/a", "b", "reserved prefix"),
        ("a", "b c", "value 'b c' of 'a' is invalid"),
        ("a", "b" * 64, "at most 63 characters"),
        ("a", "b\n", "is invalid"),
    ],
)
def test_a_bad_label_is_told_what_is_wrong_with_it(key: str, value: str, problem: str) -> None:
    assert problem in str(label_problem(key, value))
