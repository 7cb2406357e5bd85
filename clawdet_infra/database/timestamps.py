"""Times and texts as the database keeps them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

LONGEST_TEXT = 500
_MOST_ITEMS = 100
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(moment: datetime) -> int:
    """Return a time as milliseconds since 1970.  Raises ValueError for one without a time zone."""
    if moment.tzinfo is None:
        raise ValueError(f"the time {moment.isoformat()} has no time zone; times are kept as UTC")
    return (moment - _EPOCH) // _MILLISECOND


def moment(milliseconds: int) -> datetime:
    """Return the time that so many milliseconds after 1970 are."""
    return _EPOCH + milliseconds * _MILLISECOND


def maybe_moment(milliseconds: int | None) -> datetime | None:
    """Return `moment` of a number, None for None."""
    return None if milliseconds is None else moment(milliseconds)


def bounded(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return a text of at most `longest` characters, without what PostgreSQL does not take: NUL and half characters."""
    text = text.replace("\0", " ").encode("utf-8", "replace").decode()
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def to_json(data: Any) -> str:
    """Return plain values as JSON, with long texts and lists cut."""
    return json.dumps(_bounded(data), ensure_ascii=False, separators=(",", ":"), default=str)


def _bounded(value: Any, depth: int = 0) -> Any:
    if isinstance(value, str):
        return bounded(value)
    if isinstance(value, bool | int | float) or value is None:
        return value
    if depth < 4 and isinstance(value, Mapping):
        return {bounded(str(key)): _bounded(inner, depth + 1) for key, inner in list(value.items())[:_MOST_ITEMS]}
    if depth < 4 and isinstance(value, list | tuple | set | frozenset):
        return [_bounded(inner, depth + 1) for inner in list(value)[:_MOST_ITEMS]]
    return bounded(str(value))
