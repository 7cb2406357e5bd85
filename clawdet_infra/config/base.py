"""The base class of all configuration records, and the types of their plain values.

Records are frozen, strict, closed, and never quote their inputs.  The types validate as pydantic's own do, with
messages that contain the value found and a correction.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr
from pydantic.alias_generators import to_camel

from clawdet_infra.config.problems import (
    DATE,
    Suggestion,
    listed,
    meant,
    misread,
    quoted,
    shown,
    unreadable,
    write,
    wrong,
)

_AMOUNT = re.compile(r"([0-9]{1,9}) ?(?:MiB|MB|M)?")
_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Record(BaseModel):
    """A frozen value.

    Attributes are snake_case in Python and camelCase in YAML.  Types are strict, so "1" is not 1 and true is not 1.
    Pydantic's own error texts never contain an input, because it may be a secret.
    """

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        strict=True,
        validate_by_alias=True,
        validate_by_name=True,
    )


def text(value: Any) -> Any:
    """Return a text; raise for anything that YAML did not read as text."""
    if isinstance(value, str) and not DATE.fullmatch(value):
        return value
    if isinstance(value, str | bool | int | float):
        raise misread(value)
    if value is None:
        raise wrong("is empty.", "Write a value, or leave the line out where it is optional.")
    if isinstance(value, SecretStr):
        raise unreadable()
    raise wrong(f"must be text, but is {shown(value)}.")


def whole(low: int, high: int, unit: str = "") -> BeforeValidator:
    """Accept whole numbers from `low` to `high`; `unit` is what they count, in the plural."""

    def check(value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int):
            hint = f"Write a number from {low} to {high}, without quotes and without a unit."
            amount = _amount(value, hint)
            message = f"must be a whole number{unit and f' of {unit}'}, but is {shown(value)}."
            raise wrong(message, "" if amount else hint, amount)
        if not low <= value <= high:
            within = write(min(max(value, low), high), "")
            raise wrong(f"is {value}; it must be from {low} to {high}{unit and f' {unit}'}.", suggestion=within)
        return value

    return BeforeValidator(check)


def _amount(value: Any, otherwise: str) -> Suggestion | None:
    """Suggest the number in a value written in quotes, or with a unit."""
    match = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    return write(int(match[1]), "Write it without quotes and without a unit.", otherwise=otherwise) if match else None


def one_of(what: str, *known: str) -> BeforeValidator:
    """Accept exactly the known words; the error lists them and suggests the nearest."""

    def check(value: Any) -> Any:
        if text(value) in known:
            return value
        near = meant(value, known, likeness=0.4)
        raise wrong(f"{quoted(value)} is not a {what}.", f"Use {listed(known, 'or')}.", near)

    return BeforeValidator(check)


def _truth(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    word = _WORDS.get(value.lower()) if isinstance(value, str) else None
    hint = "Write true or false, without quotes."
    raise wrong(f"must be true or false, but is {shown(value)}.", hint, None if word is None else write(word, ""))


def _as_tuple(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return tuple(value)
    hint = "In YAML, begin each entry with `- ` on its own line."
    single = isinstance(value, str) and write(value) is not None and not value.startswith(("{", "["))
    raise wrong(f"must be a list, but is {shown(value)}.", hint, write((value,), "") if single else None)


def _some(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if not value:
        raise wrong("is an empty list; at least one entry is needed.")
    return value


T = TypeVar("T")

Text = Annotated[str, BeforeValidator(text)]
Truth = Annotated[bool, BeforeValidator(_truth)]
Listed = Annotated[tuple[T, ...], BeforeValidator(_as_tuple)]
"""A list in YAML, a tuple in Python."""

NonEmpty = Annotated[tuple[T, ...], BeforeValidator(lambda value: _some(_as_tuple(value)))]
"""A list with at least one entry."""
