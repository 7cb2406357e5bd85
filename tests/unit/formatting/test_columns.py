"""The one printer of tables: whole words, one line a row without a limit, and within the width of a terminal."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawdet_infra import cli
from clawdet_infra.formatting.columns import cell_width, columns, wrapped

WORDS = st.text(st.sampled_from("abcXYZ019-./:日é"), min_size=1, max_size=40)
CELLS = st.lists(WORDS, max_size=12).map(" ".join)


@st.composite
def tables(draw: st.DrawFn) -> list[list[str]]:
    names = draw(st.lists(st.sampled_from(["CUSTOMER", "URL", "A MONTH", "WHY", "STATE"]), min_size=1, max_size=5))
    return [names, *draw(st.lists(st.lists(CELLS, min_size=len(names), max_size=len(names)), max_size=5))]


@given(tables())
def test_without_a_width_each_row_is_one_line(rows: list[list[str]]) -> None:
    lines = columns(rows).split("\n")
    assert len(lines) == len(rows)
    for row, line in zip(rows, lines, strict=True):
        assert line.split() == [word for cell in row for word in cell.split()]


@given(tables(), st.integers(20, 120), st.booleans())
def test_within_a_width_no_word_is_broken_or_lost_and_only_a_long_word_exceeds_it(
    rows: list[list[str]], width: int, header: bool
) -> None:
    shown = columns(rows, width, header=header)
    words = [word for row in rows for cell in row for word in cell.split()]
    found = shown.split()
    assert set(found) == set(words) or (header and set(words) - set(found) <= set(" ".join(rows[0]).split()))
    assert all(found.count(word) >= words.count(word) for word in words if word not in " ".join(rows[0]))
    longest = max((cell_width(word) for word in words), default=0)
    # A block of lines has the name of the column before the word.
    names = max(cell_width(cell) for cell in rows[0]) + 2
    if header:
        assert all(cell_width(line) <= max(width, longest + names) for line in shown.split("\n"))


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_usual_tables_fit_a_terminal(width: int) -> None:
    rows = [
        ("CUSTOMER", "PLAN", "SERVER", "ADDRESS", "URL", "IMAGE"),
        ("user123", "pro", "user123", "203.0.113.77", "https://user123.clawdet.com", "2026.9.6@0123456789ab"),
        ("alice", "free", "shared-1", "203.0.113.78", "https://alice.clawdet.com", "2026.9.6@0123456789ab"),
    ]
    assert max(map(len, columns(rows, width).split("\n"))) <= width
    why = "gateway: the gateway does not answer on its port; its container was restarted three times in ten minutes"
    rows = [("CUSTOMER", "CONDITION", "WHY"), ("user123", "down", why)]
    lines = columns(rows, width).split("\n")
    assert max(map(len, lines)) <= width
    assert lines[0].split() == ["CUSTOMER", "CONDITION", "WHY"], "sentences are wrapped in their column"


def test_a_table_that_cannot_fit_becomes_a_block_for_each_row() -> None:
    rows = [("CUSTOMER", "URL", "WHY"), ("ada", "https://ada.clawdet.com", ""), ("bob", "https://bob.clawdet.com", "x")]
    assert columns(rows, 34) == (
        "CUSTOMER  ada\nURL       https://ada.clawdet.com\n\n"
        "CUSTOMER  bob\nURL       https://bob.clawdet.com\nWHY       x"
    )


def test_in_a_block_the_rows_of_one_customer_are_under_the_same_names() -> None:
    rows = [("CUSTOMER", "WHAT", "A MONTH"), ("ada", "https://registry.test/gateway", "5.99"), ("", "templates: x", "")]
    assert columns(rows, 39) == (
        "CUSTOMER  ada\nWHAT      https://registry.test/gateway\n          templates: x\nA MONTH   5.99"
    )


def test_what_may_be_left_out_is_left_out_only_if_the_table_fits_then() -> None:
    rows = [("CUSTOMER", "ADDRESS", "IMAGE"), ("ada", "203.0.113.77", "2026.9.6@0123456789ab")]
    optional = ("ADDRESS", "IMAGE")
    assert columns(rows, 80, optional=optional) == columns(rows)
    assert columns(rows, 30, optional=optional).split() == ["CUSTOMER", "ADDRESS", "ada", "203.0.113.77"]
    assert columns(rows, 12, optional=optional).split() == ["CUSTOMER", "ada"]
    assert columns(rows, 5, optional=optional).split()[2:4] == ["ADDRESS", "203.0.113.77"], "all of it, in a block"


def test_a_cell_is_one_line_whatever_a_server_says() -> None:
    assert columns([("A", "B"), ("one\ntwo", "\x1b[31mred\x1b[0m\tx")]) == "A        B\none two  red x"


@given(st.lists(CELLS, max_size=5).map("\n".join), st.integers(1, 100))
def test_lines_are_broken_between_words_alone_and_only_where_they_are_too_long(text: str, width: int) -> None:
    shown = wrapped(text, width)
    assert shown.split() == text.split()
    for line in shown.split("\n"):
        assert cell_width(line) <= width or len(line.split()) == 1
    if all(cell_width(line) <= width for line in text.split("\n")):
        assert shown == text


def test_the_indent_of_a_line_stays_and_an_item_of_a_list_hangs() -> None:
    assert wrapped("error: rules:\n  - one two three\n  four five six", 12) == (
        "error:\nrules:\n  - one two\n    three\n  four five\n  six"
    )


def test_no_command_has_a_table_printer_of_its_own() -> None:
    found = set()
    for file in Path(cli.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == "rich.table":
                found.add(file.name)
    assert found == {"history_view.py", "update_view.py"}, "bars of a plot, and progress that is drawn again and again"
