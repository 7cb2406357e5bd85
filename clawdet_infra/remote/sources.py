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
    """Return a module's text without comments and docstrings; each line keeps its number, which errors name."""
    lines = text.split("\n")
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column].rstrip()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            first = node.body[0]
            # An empty text stays, since a docstring may be all that a class consists of.
            lines[first.lineno - 1] = lines[first.lineno - 1][: first.col_offset] + '""'
            lines[first.lineno : first.end_lineno] = [""] * ((first.end_lineno or first.lineno) - first.lineno)
    return "\n".join(lines)
