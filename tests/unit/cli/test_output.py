"""What servers, containers, providers and customers say does nothing to a terminal."""

from __future__ import annotations

import ast
import asyncio
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from clawdet_infra.cli import logs, output
from clawdet_infra.cli.console import Console
from clawdet_infra.formatting.plaintext import plain
from clawdet_infra.redaction import Redactor
from tests.support.terminal import at_a_terminal

PACKAGE = Path(output.__file__).parent
RETITLE, ANSWER, CLIPBOARD = "\x1b]0;owned\x07", "\x1b[6n", "\x1b]52;c;cm0gLXJm\x1b\\"
HOSTILE = f"{RETITLE}{ANSWER}{CLIPBOARD}\x1b[2J\x1b[31mred\x1b[0m \x1bP+q544e\x1b\\end\x9b1A\r\b\u202etxt.exe"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("as it is\n\tin two lines", "as it is\n\tin two lines"),
        ("ein Gruß, 日本語, 🦞", "ein Gruß, 日本語, 🦞"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        (f"a{RETITLE}b{CLIPBOARD}c{ANSWER}d", "abcd"),
        ("\x1b]0;without an end\nnext line", "\nnext line"),
        ("\x1bc\x1b(B\x1b7reset", "reset"),
        ("half of one \x1b", "half of one ␛"),
        ("good\rEVIL\b\x00\x7f", "good␍EVIL␈␀␡"),
        ("\x9b31mC1\x9d0;t\x9c\x85", "C1\ufffd"),
        ("user\u202egnp.exe", "user\ufffdgnp.exe"),
    ],
)
def test_a_text_is_only_shown(said: str, shown: str) -> None:
    assert plain(said) == shown


@given(st.text(st.one_of(st.sampled_from("\x1b\x9b\x9d\x07\\[]PX;?0m\r\n\u202e"), st.characters())))
@example(HOSTILE)
@example("\x1b\x1b[[31m31m")
def test_no_text_keeps_what_a_terminal_obeys(text: str) -> None:
    shown = plain(text)
    assert all(one in "\n\t" or (one >= " " and not "\x7f" <= one <= "\x9f") for one in shown)
    assert plain(shown) == shown


def test_tables_and_colours_of_ours_stay_and_those_of_others_do_not() -> None:
    table = Table("SAID")
    table.add_row(Text(HOSTILE, style="red"))
    table.add_row(HOSTILE)
    file = io.StringIO()
    Console(file=file, force_terminal=True, width=200, highlight=True).print(table)
    drawn = file.getvalue()
    assert "\x1b[31m" in drawn, "the style is ours"
    for part in (RETITLE, ANSWER, CLIPBOARD, "\x1b[2J", "\x1bP", "\x9b", "\r", "\b", "\u202e"):
        assert part not in drawn


def test_a_hostile_log_is_shown_plain_and_told_exactly_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    async def read(show: logs._Show) -> None:
        stream = asyncio.StreamReader()
        stream.feed_data(f"{HOSTILE}\n".encode())
        stream.feed_eof()
        await logs._lines(stream, "stdout", "ada", Redactor([]), show)  # type: ignore[arg-type]

    asyncio.run(read(logs._Show("gateway", named=True, as_json=False)))
    assert capsys.readouterr().out == f"ada: {plain(HOSTILE)}\n"
    asyncio.run(read(logs._Show("gateway", named=True, as_json=True)))
    said = capsys.readouterr().out
    assert said.isascii()
    assert json.loads(said)["line"] == HOSTILE


def test_an_error_is_broken_between_words_at_a_terminal_and_nowhere_else(tmp_path: Path) -> None:
    text = (
        "stack locl has no file Pulumi.locl.yaml in /srv/clawdet-infra. Did you mean `local`? There are: local, prod."
    )
    program = f"from clawdet_infra.cli.output import echo, error; error({text!r}); echo({text!r}, verbatim=True)"
    argv = [sys.executable, "-c", program]
    seen = at_a_terminal(argv, cwd=tmp_path, env=os.environ, columns=80)
    first, second, *verbatim = seen.written.split("\r\n")
    assert f"{first} {second}" == f"error: {text}"
    assert max(len(first), len(second)) <= 80
    assert verbatim == [text, ""]
    piped = subprocess.run(argv, check=True, capture_output=True, text=True, cwd=tmp_path)
    assert piped.stderr == f"error: {text}\n"


def test_nothing_is_printed_for_people_past_this_place() -> None:
    found = set()
    for file in PACKAGE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "typer.echo", "click.echo"):
                found.add((file.name, ast.unparse(node.args[0])))
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("rich"):
                found |= {(file.name, one.name) for one in node.names if one.name in ("Console", "console", "print")}
    assert found == {
        ("output.py", "wrapped(plain(text), None if verbatim else width(err=err))"),
        ("console.py", "console"),
        # JSON, and words of our own.
        ("logs.py", "json.dumps(found)"),
        ("output.py", "text"),
        ("output.py", "dumps(value)"),
        ("output.py", "dumps({**failure, **self.facts})"),
    }
