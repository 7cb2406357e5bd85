"""What is wrong with a configuration, told so that the reader can mend it.

Every rule reports a `Problem`; a `ConfigurationError` carries all problems of a configuration at once.  A problem
never quotes what may be a secret: `describe` is the only way that a value gets into a message.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from pydantic_core import PydanticCustomError

LONGEST_QUOTE = 60
_SECRET_LOOKING = re.compile(r"sk-ant-|[0-9A-Fa-f]{24}|\d{6}:[A-Za-z0-9_-]{20}|PRIVATE KEY|[A-Za-z0-9+/_-]{40}")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong with a configuration.

    `customer` is the customer's id, or its position ("#3", counted from 1) where it has no usable id, or None where
    no customer is concerned.  `field` is the path as written in the stack file, such as
    `customers[2].limits.memory`, positions counted from 0 as `pulumi config set --path` counts them.  `file`, `line`
    and `column` (from 1) are known only when the problem was found in a file.
    """

    field: str
    message: str
    hint: str = ""
    customer: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.file and self.line else ""
        who = f"customer {self.customer}: " if self.customer else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{place}{who}{self.field}: {self.message}{hint}"


class ConfigurationError(Exception):
    """A configuration breaks rules; `problems` has all of them, in the order of the configuration."""

    def __init__(self, problems: Iterable[Problem]):
        self.problems = tuple(sorted(set(problems), key=_order))
        count = len(self.problems)
        head = f"The configuration has {count} problem{'' if count == 1 else 's'}:"
        super().__init__("\n".join([head, *(f"  - {problem}" for problem in self.problems)]))


def wrong(message: str, hint: str = "") -> PydanticCustomError:
    """Return what a validator raises: a broken rule with a way to mend it."""
    return PydanticCustomError("rule", "{message}", {"message": message, "hint": hint})


def describe(value: object) -> str:
    """Say what a value is, quoting it only where it is short and cannot be a secret."""
    match value:
        case None:
            return "nothing"
        case bool():
            return f"the truth value {str(value).lower()}"
        case int() | float():
            return f"the number {value}" if len(str(value)) <= 20 else "a long number"
        case str():
            return quoted(value)
        case list() | tuple():
            return f"a list of {len(value)}"
        case dict():
            return "a mapping"
    return f"a value of type {type(value).__name__}"


def quoted(text: str) -> str:
    """Quote a text, unless it could be a secret that slipped into the wrong place, or is too long to help."""
    if _SECRET_LOOKING.search(text):
        return f"a text of {len(text)} characters (not shown, it may be a secret)"
    if len(text) > LONGEST_QUOTE:
        return f"a text of {len(text)} characters that begins with {text[:20]!a}"
    return ascii(text)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that a mistyped one most likely means, or None where nothing is near."""
    by_fold = {item.casefold().replace("_", ""): item for item in known}
    folded = word.casefold().replace("_", "").replace("-", "")
    found = get_close_matches(folded, by_fold, n=1, cutoff=0.6)
    return by_fold[found[0]] if found else None


def listed(words: Sequence[str], joint: str = "and") -> str:
    """Join words for a sentence: `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {joint} {words[-1]}"


def _order(problem: Problem) -> tuple[object, ...]:
    """Sort by line where there is one, else by path, with list positions compared as numbers."""
    path = tuple(
        (0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"[.\[\]]+", problem.field)
    )
    return (problem.file or "", problem.line or 0, path, problem.customer or "", problem.message)
