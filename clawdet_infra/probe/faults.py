"""Errors that should not happen, named without their text."""

from __future__ import annotations

import traceback
from pathlib import Path


def located(error: BaseException) -> str:
    """Return an error's type and where it was raised; not its text, which might hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
