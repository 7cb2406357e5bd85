"""The screen of the tests' terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.terminal import at_a_terminal, screen_of


@pytest.mark.parametrize(
    ("written", "screen"),
    [
        ("one\r\ntwo\r\n", "one\ntwo"),
        ("\x1b[31mred\x1b[0m and not", "red and not"),
        ("kept\r\na\r\nb\r\n\x1b[1A\x1b[2K\x1b[1A\x1b[2Knew\r\n", "kept\nnew"),
        ("12345\rab", "ab345"),
        ("\x1b[?25lhidden cursor\x1b[?25h", "hidden cursor"),
    ],
)
def test_what_is_overwritten_is_not_seen(written: str, screen: str) -> None:
    assert screen_of(written) == screen


def test_a_question_is_answered(tmp_path: Path) -> None:
    program = "import os; print(os.get_terminal_size()); print(input('sure? '), os.isatty(1))"
    seen = at_a_terminal(
        [sys.executable, "-c", program], cwd=tmp_path, env=dict(os.environ), answers={"sure?": "yes"}, timeout=30
    )
    assert seen.code == 0
    assert seen.screen.splitlines() == [
        "os.terminal_size(columns=80, lines=30)",
        "sure? yes",
        "yes True",
    ]
