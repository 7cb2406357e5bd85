"""The text of the modules that travel to servers, without what only readers of this repository need."""

from __future__ import annotations

import ast
import functools
import io
import tokenize
from pathlib import Path

_FOLDER = Path(__file__).parent
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef)


@functools.cache
def source(name: str) -> str:
    """Return the text of a module beside this one, without comments and docstrings.

    A process reads each once: all customers of a fleet get the same, and to parse it takes longer than all else that is
    done for one of them.
    """
    return bare((_FOLDER / f"{name}.py").read_text(encoding="utf-8"))


def bare(text: str) -> str:
    """Return a module's text without comments, docstrings and the types of functions; each line keeps its number."""
    lines = text.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    types: list[tuple[int, int, int]] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            # An empty text stays where the docstring is all that a class consists of.
            kept = lines[first.lineno - 1][: first.col_offset] + '""' if len(node.body) == 1 else ""
            lines[first.lineno - 1] = kept
            lines[first.lineno : first.end_lineno] = [""] * ((first.end_lineno or first.lineno) - first.lineno)
        if isinstance(node, ast.arg | ast.FunctionDef):
            types += _types(node)
    # From the end of each line, so that what is left of it stays where it is.
    for row, start, end in sorted(types, reverse=True):
        line = lines[row - 1].encode()
        lines[row - 1] = (line[:start] + line[end:]).decode()
    return "\n".join(lines)


def _types(node: ast.arg | ast.FunctionDef) -> list[tuple[int, int, int]]:
    """Return where the type of an argument or of a result is, with the mark before it: row, start and end."""
    written = node.annotation if isinstance(node, ast.arg) else node.returns
    if written is None or written.lineno != written.end_lineno:
        return []
    mark = len(": ") if isinstance(node, ast.arg) else len(" -> ")
    return [(written.lineno, written.col_offset - mark, written.end_col_offset or 0)]
