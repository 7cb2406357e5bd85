"""Labels and label selectors, in Hetzner's syntax (which is Kubernetes')."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

Labels = Mapping[str, str]

_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,61}[a-zA-Z0-9])?")
_PREFIX = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*")
_SET = re.compile(r"(?P<key>\S+)\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)")
_RESERVED_PREFIX = "hetzner.cloud"


def label_problem(key: str, value: str) -> str | None:
    """Say what is wrong with a label, or None for a good one."""
    return key_problem(key) or value_problem(key, value)


def key_problem(key: str) -> str | None:
    """Say what is wrong with a label's key, or None for a good one."""
    prefix, slash, name = key.rpartition("/")
    if slash and (len(prefix) > 253 or not _PREFIX.fullmatch(prefix)):
        return f"label key '{key}' has an invalid prefix: it must be a DNS subdomain of at most 253 characters"
    if slash and (prefix == _RESERVED_PREFIX or prefix.endswith("." + _RESERVED_PREFIX)):
        return f"label key '{key}' uses the reserved prefix {_RESERVED_PREFIX}/"
    if not _NAME.fullmatch(name):
        return (
            f"label key '{key}' is invalid: its name must have 1 to 63 characters, begin and end with a letter "
            "or digit, and contain only letters, digits, '-', '_' and '.'"
        )
    return None


def value_problem(key: str, value: str) -> str | None:
    """Say what is wrong with a label's value, or None for a good one."""
    if value == "" or _NAME.fullmatch(value):
        return None
    return (
        f"label value '{value}' of '{key}' is invalid: it must be empty or have at most 63 characters, begin and "
        "end with a letter or digit, and contain only letters, digits, '-', '_' and '.'"
    )


class SelectorError(ValueError):
    """A label selector that cannot be read; the text says which part."""


def matches(selector: str, labels: Labels) -> bool:
    """Say whether labels fit a selector.  Raises SelectorError for one that cannot be read."""
    return all(fits(labels) for fits in parse(selector))


@lru_cache(maxsize=4096)
def parse(selector: str) -> tuple[Callable[[Labels], bool], ...]:
    """Turn a selector into conditions that must all hold.  Raises SelectorError."""
    return tuple(_condition(part.strip()) for part in _split(selector))


def _split(selector: str) -> list[str]:
    """Split at the commas that are outside of parentheses."""
    parts, depth, start = [], 0, 0
    for position, char in enumerate(selector):
        depth += (char == "(") - (char == ")")
        if char == "," and depth == 0:
            parts.append(selector[start:position])
            start = position + 1
    return [*parts, selector[start:]]


def _condition(text: str) -> Callable[[Labels], bool]:
    if found := _SET.fullmatch(text):
        key = _checked_key(found["key"], text)
        values = frozenset(_checked_value(key, value.strip(), text) for value in found["values"].split(","))
        if found["op"] == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    for operator in ("!=", "==", "="):
        if operator in text:
            left, _, right = text.partition(operator)
            key = _checked_key(left.strip(), text)
            value = _checked_value(key, right.strip(), text)
            if operator == "!=":
                return lambda labels: labels.get(key) != value
            return lambda labels: labels.get(key) == value
    if text.startswith("!"):
        key = _checked_key(text[1:].strip(), text)
        return lambda labels: key not in labels
    key = _checked_key(text, text)
    return lambda labels: key in labels


def _checked_key(key: str, text: str) -> str:
    prefix, slash, name = key.rpartition("/")
    if (slash and not _PREFIX.fullmatch(prefix)) or not _NAME.fullmatch(name):
        raise SelectorError(f"label selector cannot be read at '{text}'")
    return key


def _checked_value(key: str, value: str, text: str) -> str:
    if value_problem(key, value):
        raise SelectorError(f"label selector cannot be read at '{text}'")
    return value
