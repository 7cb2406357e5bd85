"""Programs that run on a server for one question each.

They travel as text by the stdin of a Python there, so each is one file that uses the standard library only.
"""

from __future__ import annotations

from pathlib import Path

_FOLDER = Path(__file__).parent


def source(name: str) -> str:
    """Return the text of a program."""
    return (_FOLDER / f"{name}.py").read_text(encoding="utf-8")
