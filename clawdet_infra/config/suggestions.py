"""Applies suggestions, and keeps only those that fix their problem without causing another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from clawdet_infra.config.problems import Problem, Suggestion

_ROUNDS = 4
"""A suggested value may need a second correction: `True` needs quotes, and then lower case."""
_PART = re.compile(r"\[(?P<position>[0-9]+)\]|(?P<key>[^.\[\]]+)")

Judge = Callable[[Mapping[str, Any]], Sequence[Problem]]


def apply(raw: Mapping[str, Any], suggestions: Iterable[Suggestion]) -> dict[str, Any]:
    """Return a raw configuration with suggestions applied; missing parents are created.

    `raw` has the keys that paths begin with.  Entries of lists are removed last, so that positions stay valid.
    """
    copied: dict[str, Any] = _copied(raw)
    removed: list[tuple[list[Any], int]] = []
    for suggestion in suggestions:
        *places, last = _parts(suggestion.field)
        holder: Any = copied
        for place in places:
            if isinstance(holder, dict) and holder.get(place) is None:
                holder[place] = {}
            holder = holder[place]
        if suggestion.action == "write":
            holder[last] = list(suggestion.value) if isinstance(suggestion.value, tuple) else suggestion.value
        elif suggestion.action == "rename":
            renamed = {suggestion.value if key == last else key: value for key, value in holder.items()}
            holder.clear()
            holder.update(renamed)
        elif isinstance(holder, list):
            removed.append((holder, int(last)))
        else:
            holder.pop(last, None)
    for entries, position in sorted(removed, key=lambda one: -one[1]):
        del entries[position]
    return copied


def settle(raw: Mapping[str, Any], problems: Sequence[Problem], judge: Judge) -> list[Problem]:
    """Return the problems with only the suggestions that fix them; `judge` returns a configuration's problems.

    If a suggested value has a problem itself, the suggestion for that problem replaces it.
    """
    known = {(one.field, one.message) for one in problems}
    settled = list(problems)
    for round_ in range(_ROUNDS):
        offered = [one.suggestion for one in settled if one.suggestion and not _is_of_a_list(one.suggestion)]
        if not offered:
            break
        after = judge(apply(raw, offered))
        new = [one for one in after if (one.field, one.message) not in known]
        left = {(one.field, one.message) for one in after}
        last = round_ == _ROUNDS - 1
        changed = [_revised(one, new, solved=(one.field, one.message) not in left, last=last) for one in settled]
        if changed == settled:
            break
        settled = changed
    return settled


def _revised(problem: Problem, new: Sequence[Problem], *, solved: bool, last: bool) -> Problem:
    """Return a problem with its suggestion dropped or replaced if it does not help."""
    suggestion = problem.suggestion
    if suggestion is None or _is_of_a_list(suggestion):
        return problem
    caused = [one for one in new if _is_caused(one, problem, suggestion)]
    if solved and not caused:
        return problem
    follows = next((one for one in caused if one.field == problem.field == suggestion.field), None)
    further = follows.suggestion if follows else None
    if follows is None or further is None or further.field != suggestion.field or last:
        hint = problem.hint or suggestion.otherwise or (follows.hint if follows else "")
        return replace(problem, suggestion=None, hint=hint)
    return replace(problem, suggestion=further, hint=problem.hint or follows.hint)


def _is_caused(new: Problem, problem: Problem, suggestion: Suggestion) -> bool:
    """Return whether a suggestion caused a problem, instead of revealing one that the mistake had hidden."""
    if any(_related(new.field, field) for field in (problem.field, suggestion.field)):
        return True
    return new.rival is not None and _related(new.rival, suggestion.field)


def _related(one: str, other: str) -> bool:
    """Return whether one path is the other, or lies within it."""
    short, long = sorted((_parts(one), _parts(other)), key=len)
    return long[: len(short)] == short


def _is_of_a_list(suggestion: Suggestion) -> bool:
    """Return whether the suggestion removes an entry of a list, which moves the positions of later ones."""
    return suggestion.action == "remove" and suggestion.field.endswith("]")


def _parts(path: str) -> list[Any]:
    return [part["key"] if part["position"] is None else int(part["position"]) for part in _PART.finditer(path)]


def _copied(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copied(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_copied(one) for one in value]
    return value
