"""Resolves plain YAML scalars as the engine does, which differs from PyYAML.

The rules are those of gopkg.in/yaml.v3 and of Go's `strconv` and `time`: only true and false are booleans, so `no` is
a text; 010 is 8; 2024-1-5 is a date.
"""

from __future__ import annotations

import calendar
import math
import re
from decimal import Decimal
from typing import Any

_TRUTHS = {word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")}
_NOTHING = {"", "~", "null", "Null", "NULL"}
_OTHERS = {f"{sign}.{word}": float(f"{sign}inf") for sign in ("", "+", "-") for word in ("inf", "Inf", "INF")} | {
    f".{word}": math.nan for word in ("nan", "NaN", "NAN")
}
_INTEGER = re.compile(r"[-+]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)")
# The reader passes the part after a lower-case prefix to Go again, which accepts a second sign there.
_SECOND_SIGN = re.compile(r"(?P<sign>-?)0(?P<base>[bo])(?P<digits>[-+][0-9]+)")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
# Only Go parses a number that begins with its point; it allows an underscore only between two digits.
_POINT_FIRST = re.compile(r"\.[0-9]+(?:_[0-9]+)*(?:[eE][-+]?[0-9]+(?:_[0-9]+)*)?")
_DATE = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"(?:(?P<joint>[Tt ])(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2}):(?P<second>[0-9]{1,2})"
    r"(?:[.,](?P<fraction>[0-9]+))?(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?)?"
)
_LARGEST_PLAIN = 1e21
"""From this number on, the engine's JSON uses an exponent."""


def resolve(text: str) -> Any:
    """Return the value of a plain scalar: a text, a number, a boolean or None.

    A date becomes the engine's text for it, such as `2024-01-05 00:00:00 +0000 UTC`.
    """
    if text in _TRUTHS:
        return _TRUTHS[text]
    if text in _NOTHING:
        return None
    if text in _OTHERS:
        return _OTHERS[text]
    if text[0] == ".":
        return _float(text.replace("_", ""), text) if _POINT_FIRST.fullmatch(text) else text
    if not (text[0].isascii() and text[0].isdigit()) and text[0] not in "+-":
        return text
    if (date := _date(text)) is not None:
        return date
    digits = text.replace("_", "")
    if (whole := _integer(digits)) is not None:
        if not _fits(whole, digits):
            return text
        # The engine passes on numbers that need all 64 bits as floats.
        return whole if whole < 2**63 else _as_json(float(whole))
    return _float(digits, text) if _FLOAT.fullmatch(digits) else text


def _integer(digits: str) -> int | None:
    if match := _SECOND_SIGN.fullmatch(digits):
        try:
            whole = int(match["digits"], 2 if match["base"] == "b" else 8)
        except ValueError:
            return None
        return None if match["sign"] else whole
    if not _INTEGER.fullmatch(digits):
        return None
    sign, bare = (-1, digits[1:]) if digits[0] == "-" else (1, digits.removeprefix("+"))
    octal = len(bare) > 1 and bare[0] == "0" and bare[1].isdigit()
    whole = sign * (int(bare, 8) if octal else int(bare, 0))
    # A number that does not fit is tried as a float, which has no such prefixes.
    return whole if _fits(whole, digits) or not _FLOAT.fullmatch(digits) else None


def _fits(whole: int, digits: str) -> bool:
    """Return whether a number fits into 64 bits: signed if it is written with a sign, else unsigned."""
    return -(2**63) <= whole < (2**63 if digits[0] in "+-" else 2**64)


def _float(digits: str, text: str) -> Any:
    """Return a number as in the engine's JSON, where 3072.0 is 3072."""
    number = float(digits)
    if math.isinf(number):  # Go does not parse numbers that are too large.
        return text
    return _as_json(number)


def _as_json(number: float) -> int | float:
    return int(Decimal(repr(number))) if number.is_integer() and abs(number) < _LARGEST_PLAIN else number


def _date(text: str) -> str | None:
    """Return the engine's text for a date; None for any other text."""
    match = _DATE.fullmatch(text)
    # A T separates date and time if there is a zone, else a space.
    if match is None or (match["joint"] and (match["joint"] == " ") != (match["zone"] is None)):
        return None
    parts = ("year", "month", "day", "hour", "minute", "second")
    year, month, day, hour, minute, second = (int(match[part] or 0) for part in parts)
    # Python's calendar begins with the year 1; it repeats every 400 years.
    if not (1 <= month <= 12 and 1 <= day <= calendar.monthrange(year + 400, month)[1]):
        return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    fraction = (match["fraction"] or "")[:9].rstrip("0")
    moment = f"{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{fraction and f'.{fraction}'}"
    zone = re.sub("[+-]00:00", "Z", match["zone"] or "Z")
    if zone == "Z":
        return f"{moment} +0000 UTC"
    hours, minutes = int(zone[1:3]), int(zone[4:6])
    if hours > 24 or minutes > 60:
        return None
    total = hours * 60 + minutes
    offset = f"{zone[0]}{total // 60:02}{total % 60:02}"
    return f"{moment} {offset} {offset}"
