"""Durations as texts: `1h30m` in options and configuration files, `1 h 30 min` in sentences.

JSON has durations as numbers of seconds; see `clawdet_infra.formatting.json_format`.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Literal

Seconds = Annotated[float, "a duration"]
"""A number of seconds in code that is a duration, such as `90s`, in a configuration file."""

_TEXT = re.compile(r"(?=\d)(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_NAMES = ("weeks", "days", "hours", "minutes", "seconds", "milliseconds")
_SECONDS = {"d": 86_400, "h": 3_600, "min": 60, "s": 1}


def parse(text: str) -> timedelta:
    """Return a duration such as `90s`, `20m`, `1h30m`, `2d`, `4w` or `250ms`.

    Raises ValueError, with a sentence, for any other text and for a duration that Python cannot hold.
    """
    match = _TEXT.fullmatch(text.strip())
    try:
        if match is not None:
            return timedelta(**{name: int(part) for name, part in zip(_NAMES, match.groups(), strict=True) if part})
    except (OverflowError, ValueError):
        pass  # Too many days, or too many digits for a number.
    raise ValueError(f"`{text}` is not a duration; write it such as 30m, 2h or 1d12h")


def parse_span(text: str, longest: timedelta) -> timedelta:
    """Return a duration that is longer than zero and at most `longest`.  Raises ValueError, with a sentence."""
    try:
        span = parse(text)
    except ValueError:
        span = timedelta(0)
    if not timedelta(0) < span <= longest:
        raise ValueError(f"`{text}` is no duration of at most {compact(longest)}; write it such as 30m, 2h or 1d12h")
    return span


def compact(duration: timedelta) -> str:
    """Return a duration, to the second, as `parse` reads it.  Raises ValueError for a negative one."""
    if duration < timedelta(0):
        raise ValueError(f"{duration} is negative")
    left, parts = round(duration.total_seconds()), []
    for unit, size in _SECONDS.items():
        count, left = divmod(left, size)
        parts.append(f"{count}{unit[0]}" if count else "")
    return "".join(parts) or "0s"


def describe(duration: timedelta, *, units: int = 2, smallest: Literal["min", "s"] = "s") -> str:
    """Return a duration for people, such as `1 h 5 min`: in its largest unit and the next `units - 1`.

    It is rounded down, and a negative one counts as zero.  Where minutes are the `smallest` unit, zero is `less than a
    minute`.
    """
    left = max(0, duration // timedelta(seconds=1))
    parts: list[str] = []
    for unit, size in _SECONDS.items():
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if unit == smallest or len(parts) == units:
            break
    return " ".join(filter(None, parts)) or ("0 s" if smallest == "s" else "less than a minute")
