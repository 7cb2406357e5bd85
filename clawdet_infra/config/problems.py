"""Problems of a configuration, each with its place and a way to fix it.

Every rule reports a `Problem`; a `ConfigurationError` has all problems of a configuration.  A problem never quotes a
possible secret: only `shown` and `quoted` put a value into a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from enum import StrEnum
from itertools import takewhile
from typing import Any, Literal

from pydantic import SecretStr
from pydantic_core import PydanticCustomError

from clawdet_infra.config.scalars import resolve
from clawdet_infra.secret_shapes import resembles_secret

LONGEST_QUOTE = 63
MISREAD = "misread"
"""The type of pydantic's error for a text that YAML read as another type."""
UNREADABLE = "unreadable"
"""The type of pydantic's error for a text that is still encrypted."""
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)? [+-][0-9]{4} \S+")
"""The text that the engine makes of a date without quotes."""


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """One edit of a configuration that fixes a problem.

    `field` is the path to edit, as in `Problem`; in a validator's error it is relative to the invalid value.  `write`
    sets `value` there, `rename` renames the key to `value`, `remove` deletes it.  `sentence` describes the edit to
    people; `otherwise` is the advice if the edit would cause another problem.
    """

    action: Literal["write", "rename", "remove"]
    field: str = ""
    value: Any = None
    sentence: str = ""
    otherwise: str = ""


class ProblemCode(StrEnum):
    """The kind of the broken rule, for programs."""

    INVALID = "invalid"
    NO_ROOM = "no-room"
    """A shared host does not have enough room or memory for its customers."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One problem of a configuration.

    `customer` is the customer's id, or its position ("#3", counted from 1) if it has no valid id, or None if the
    problem is not about a customer.  `field` is the path as in the stack file, such as `customers[2].limits.memory`,
    with positions from 0 as in `pulumi config set --path`.  `file`, `line` and `column` (from 1) are known only for a
    problem found in a file.  A `warning` does not block anything.  `suggestion` is an edit that fixes the problem, if
    one is known; `hint` is further advice.  `rival` is the path of the conflicting entry, such as `customers[0]`.
    `code` is the kind of rule; `demand` is the amount needed, for rules about capacity: customers, or MiB of memory.
    """

    field: str
    message: str
    hint: str = ""
    suggestion: Suggestion | None = None
    rival: str | None = None
    code: ProblemCode = ProblemCode.INVALID
    demand: int = 0
    customer: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    warning: bool = False

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file and self.line else ""
        who = f"customer {self.customer}: " if self.customer else ""
        advice = f" {self.advice}" if self.advice else ""
        return f"{place}{who}{self.field}: {self.message}{advice}"

    @property
    def advice(self) -> str:
        """How to fix it, in sentences; "" if only the message helps."""
        return " ".join(part for part in (self.suggestion and self.suggestion.sentence, self.hint) if part)


class ConfigurationError(Exception):
    """A configuration is invalid; `problems` has all its problems, in the order of the configuration."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = tuple(in_order(problems))
        count = len(self.problems)
        head = f"The configuration has {count} problem{'' if count == 1 else 's'}:"
        super().__init__("\n".join([head, *(f"  - {problem}" for problem in self.problems)]))


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return the distinct problems, sorted by line if known, else by path, with positions as numbers."""
    return sorted(set(problems), key=_order)


def wrong(message: str, hint: str = "", suggestion: Suggestion | None = None) -> PydanticCustomError:
    """Return the error that a validator raises for a broken rule, with a way to fix it."""
    return PydanticCustomError("rule", "{message}", {"message": message, "hint": hint, "suggestion": suggestion})


def misread(value: Any) -> PydanticCustomError:
    """Return the error that a validator raises for a text that YAML read as another type; quotes fix it."""
    return PydanticCustomError(MISREAD, "{message}", {"message": f"must be text, but YAML reads it as {shown(value)}."})


def unreadable() -> PydanticCustomError:
    """Return the error that a validator raises for an encrypted text that is not a secret."""
    message = "is encrypted, but must be in plain text: it is not a secret, and reviewers have to see it."
    return PydanticCustomError(UNREADABLE, "{message}", {"message": message, "hint": "", "suggestion": None})


QUOTE_IT = "Put it in quotes, as it is written in the file."


def quoting(written: str | None) -> Suggestion | None:
    """Suggest quotes around a misread text; `written` is the text in the file, None if unknown."""
    return None if written is None else write(written, f'Put it in quotes: "{written}".')


def write(value: Any, sentence: str | None = None, *, field: str = "", otherwise: str = "") -> Suggestion | None:
    """Suggest a value; None for a text that may be a secret, or that cannot be shown unchanged.

    The default `sentence` is made from the value; it is "" if the message already contains it.
    """
    if isinstance(value, str) and (not value or not value.isprintable() or quoted(value) != f"'{value}'"):
        return None
    sentence = f"Write `{_yaml(value)}`." if sentence is None else sentence
    return Suggestion(action="write", field=field, value=value, sentence=sentence, otherwise=otherwise)


def remove(sentence: str = "Remove the line.", *, field: str = "") -> Suggestion:
    """Suggest removing a key or an entry."""
    return Suggestion(action="remove", field=field, sentence=sentence)


def meant(word: Any, known: Iterable[str], likeness: float = 0.55) -> Suggestion | None:
    """Suggest the known word nearest to a mistyped one; None if none is near enough."""
    near = nearest(word, known, likeness)
    return write(near, f"Did you mean `{near}`?") if near else None


def _yaml(value: Any) -> str:
    """Return a value in YAML syntax."""
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return f"[{', '.join(map(_yaml, value))}]"
        case str() if resolve(value) != value:
            return f'"{value}"'
    return str(value)


def shown(value: Any) -> str:
    """Describe a value, quoting it only if it is short and cannot be a secret."""
    match value:
        case None:
            return "empty"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value}" if len(str(value)) <= 20 else "a long number"
        case str() if DATE.fullmatch(value):
            return "a date"
        case str():
            return quoted(value) if value else "an empty text"
        case list() | tuple():
            return "a list"
        case dict():
            return "a mapping"
        case SecretStr():
            return "an encrypted value"
    return f"a value of type {type(value).__name__}"


def quoted(text: str) -> str:
    """Quote a text, unless it could be a misplaced secret, or is too long to help."""
    if resembles_secret(text):
        return f"a text of {len(text)} characters (not shown, it may be a secret)"
    if len(text) > LONGEST_QUOTE:
        return f"a text of {len(text)} characters that begins with {text[:20]!a}"
    return ascii(text)


def nearest(word: Any, known: Iterable[str], likeness: float = 0.55) -> str | None:
    """Return the known word nearest to a mistyped one; None if none has at least this likeness (0 to 1)."""
    if not isinstance(word, str):
        return None
    by_fold = {_fold(item): item for item in known}
    folded = _fold(word)
    longer = [item for fold, item in by_fold.items() if min(len(fold), len(folded)) > 2 and _begins(fold, folded)]
    alike = get_close_matches(folded, by_fold, n=max(1, len(by_fold)), cutoff=likeness)
    # Among equally near words, prefer a common prefix: for `cx34`, `cx33` rather than `cx53`.
    best = max(sorted(alike, key=list(by_fold).index), key=lambda one: _likeness(one, folded), default=None)
    return by_fold[best] if best is not None else next(iter(longer), None)


def did_you_mean(word: Any, known: Iterable[str], likeness: float = 0.55) -> str:
    """Return a sentence with the nearest known word, with a trailing space; "" if there is none."""
    near = nearest(word, known, likeness)
    return f"Did you mean `{near}`? " if near else ""


def listed(words: Sequence[str], joint: str = "and") -> str:
    """Join words for a sentence: `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joint} {words[-1]}"


def _likeness(one: str, other: str) -> tuple[float, int]:
    """Return the likeness of two words (0 to 1), and the length of their common prefix."""
    same = takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return SequenceMatcher(None, one, other).ratio(), sum(1 for _ in same)


def _begins(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def _fold(word: str) -> str:
    return word.casefold().replace("_", "").replace("-", "")


def _order(problem: Problem) -> tuple[object, ...]:
    path = tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"[.\[\]]+", problem.field)
    )
    return (problem.file or "", problem.line or 0, path, problem.customer or "", problem.message)
