"""From a YAML document to dataclasses: every problem at once, and for a key that is misspelt the nearest known one.

Keys are camelCase in the document and snake_case here; a field of `Seconds` is a duration there, without that word in
its key.  The dataclasses say by themselves what is allowed: their types,
and what their `__post_init__` refuses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from pydantic.alias_generators import to_camel

from clawdet_infra.config.problems import did_you_mean, listed, shown
from clawdet_infra.formatting import durations
from clawdet_infra.formatting.durations import Seconds

T = TypeVar("T")


class DocumentError(ValueError):
    """A document breaks rules; `problems` has the path and the sentence of each."""

    def __init__(self, problems: list[tuple[tuple[str, ...], str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{'.'.join(place)}: {what}" for place, what in problems))


def parse(kind: type[T], document: Any, place: tuple[str, ...] = ()) -> T:
    """Return a document as a dataclass.  Raises DocumentError with everything that is wrong."""
    if not isinstance(document, Mapping):
        raise DocumentError([(place, f"must be a mapping, but is {shown(document)}.")])
    hints = known_keys(kind)
    problems: list[tuple[tuple[str, ...], str]] = []
    values: dict[str, Any] = {}
    for key, value in document.items():
        here = (*place, str(key))
        if key not in hints:
            hint = f"{did_you_mean(key, hints)}Known are {listed(sorted(hints))}."
            problems.append((here, f"is not a known key. {hint}"))
            continue
        name, wanted = hints[key]
        try:
            values[name] = _value(wanted, value, here)
        except DocumentError as error:
            problems += error.problems
        except ValueError as error:
            problems.append((here, str(error)))
    if problems:
        raise DocumentError(problems)
    try:
        return kind(**values)
    except ValueError as error:
        raise DocumentError([(place, f"{_camel_words(str(error), hints)}.")]) from None


def known_keys(kind: Any) -> dict[str, tuple[str, Any]]:
    """Return the keys that a dataclass has in a document, each with the name and type of its field."""
    hints = get_type_hints(kind, include_extras=True)
    return {_key(field.name, hints[field.name]): (field.name, hints[field.name]) for field in fields(kind)}


def _key(name: str, wanted: Any) -> str:
    return to_camel(name.removesuffix("_seconds") if wanted == Seconds else name)


def leaves(kind: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield every key that a document may have, as its path, with its type and its default."""
    default = kind()
    for key, (name, wanted) in known_keys(kind).items():
        if is_dataclass(wanted):
            yield from leaves(wanted, f"{place}{key}.")
        else:
            value = getattr(default, name)
            yield f"{place}{key}", wanted, timedelta(seconds=value) if wanted == Seconds else value


def duration(value: Any) -> timedelta:
    """Return a time such as `90s`, `20m`, `1h30m` or `2d`, or a number of seconds.  Raises ValueError."""
    try:
        if isinstance(value, str):
            return durations.parse(value)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return timedelta(seconds=value)
    except (OverflowError, ValueError):
        pass
    raise _wrong("a time such as 90s, 20m, 1h30m or 2d", value)


def written(value: Any) -> str:
    """Return a default as it is written in a document."""
    match value:
        case timedelta():
            part = value % timedelta(seconds=1)
            whole = durations.compact(value - part) if value != part else ""
            return f"{whole}{part // timedelta(milliseconds=1)}ms" if part else whole or "0s"
        case tuple():
            return f"[{', '.join(written(one) for one in value)}]"
        case bool():
            return str(value).lower()
        case float():
            return f"{value:g}"
    return str(value)


def _value(wanted: Any, value: Any, here: tuple[str, ...]) -> Any:
    if is_dataclass(wanted):
        return parse(wanted if isinstance(wanted, type) else type(wanted), value, here)
    if wanted is timedelta:
        return duration(value)
    if wanted == Seconds:
        return duration(value).total_seconds()
    if get_origin(wanted) is tuple:
        if not isinstance(value, list):
            raise _wrong("a list", value)
        return tuple(_value(get_args(wanted)[0], one, here) for one in value)
    if wanted is bool:
        if not isinstance(value, bool):
            raise _wrong("true or false", value)
        return value
    if isinstance(value, bool) or not isinstance(value, int if wanted is int else int | float):
        raise _wrong("a whole number" if wanted is int else "a number", value)
    if not math.isfinite(value):
        raise ValueError("must be a number that is not infinite.")
    return value


def _wrong(expected: str, value: Any) -> ValueError:
    return ValueError(f"must be {expected}, but is {shown(value)}.")


def _camel_words(text: str, hints: Mapping[str, tuple[str, Any]]) -> str:
    """Return a sentence with the names of fields as they are written in the document."""
    for key, (name, _) in hints.items():
        text = re.sub(rf"\b{name}\b", key, text)
    return text.rstrip(".")
