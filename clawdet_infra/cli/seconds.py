"""Options that take a duration, such as `90s` or `15m`, or a number of seconds."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta

import typer

from clawdet_infra.formatting.durations import compact, parse

METAVAR = "DURATION"


def seconds(least: float = 1, most: float = math.inf) -> Callable[[str | float], float]:
    """Return what turns the text of an option into seconds.  It raises typer.BadParameter, with a sentence."""

    def read(value: str | float) -> float:
        try:
            found = float(value)
        except ValueError:
            try:
                found = parse(str(value)).total_seconds()
            except ValueError as error:
                raise typer.BadParameter(f"{error}, or a number of seconds") from None
        if not least <= found <= most or math.isinf(found):
            bounds = f"at least {_text(least)}" + ("" if math.isinf(most) else f" and at most {_text(most)}")
            raise typer.BadParameter(f"it has to be {bounds}, not {value}")
        return found

    return read


def _text(value: float) -> str:
    return compact(timedelta(seconds=value))
