from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra.redaction import HIDDEN, Redactor

SECRET = 'canary"pass\\word/1'


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        json.dumps(SECRET),
        urllib.parse.quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        base64.b64encode(SECRET.encode()).decode().rstrip("="),
    ],
    ids=["plain", "JSON", "URL", "base64", "base64 without its end"],
)
def test_a_secret_is_hidden_however_it_is_written(written: str) -> None:
    assert Redactor([SECRET])(f"before {written} after").replace('"', "") == f"before {HIDDEN} after"


def test_a_secret_that_is_the_beginning_of_another_leaves_no_piece_of_it() -> None:
    assert Redactor(["0123456789abcdef", "0123456789abcdef" * 4])("0123456789abcdef" * 4) == HIDDEN


def test_what_is_too_short_to_be_a_secret_does_not_blot_out_the_text() -> None:
    assert Redactor(["", "a"])("a cat") == "a cat"


@given(st.lists(st.text(min_size=6, max_size=40), max_size=4), st.text(max_size=80))
def test_no_secret_is_left(secrets: list[str], around: str) -> None:
    shown = Redactor(secrets)(around.join(secrets))
    assert not [secret for secret in secrets if secret in shown.replace(HIDDEN, "\0")]


def test_a_line_is_one_line_without_control_characters_and_keeps_its_end() -> None:
    line = Redactor([]).line("\x1b[2Kstarting\r\n\x07" + "x" * 500 + "\nthe cause", longest=50)
    assert len(line) == 51
    assert line.isprintable()
    assert line.endswith("the cause")
