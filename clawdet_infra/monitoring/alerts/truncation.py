"""Makes a notice as short as a channel takes it: what is longer its service refuses, and nobody hears of anything."""

from __future__ import annotations

import html
import string
from dataclasses import replace

from clawdet_infra.monitoring.alerts.notification import Notification

ENTRY = "– "
"""What begins the line of one instance in a list of many; such lines are the first to go."""
_SHORTEST = 200
_LEAST = 60
_CUT = "…"
_BREAK = 4
_AROUND_TITLE = 8


def fitted(notice: Notification, title_longest: int, body_longest: int) -> Notification:
    """Return a notice whose title and body together are not larger than `body_longest`, or 200 where that is less.

    Lines of the list of instances are left out first, and a line says so; then the longest lines are cut.  A service
    with a `title_longest` below 1 has no titles of its own.
    """
    longest = max(body_longest, _SHORTEST)
    title = _cut(notice.title, min(title_longest if title_longest > 0 else longest, longest // 3))
    # Some services count the title as part of the body, with a mark before it and a line break after it.
    room = longest - size(title) - _AROUND_TITLE
    lines = _with_fewer_entries(notice.body.split("\n"), room)
    while (over := _total(lines) - room) > 0 and max(map(size, lines)) > _LEAST:
        index = max(range(len(lines)), key=lambda index: size(lines[index]))
        lines[index] = _cut(lines[index], max(_LEAST, size(lines[index]) - over, size(lines[index]) // 2))
    return replace(notice, title=title, body=_cut("\n".join(lines), room))


def size(text: str) -> int:
    """Return how large a text may become: in bytes, with what HTML and Markdown write longer, line breaks included."""
    marks = sum(letter in string.punctuation for letter in text)
    return len(html.escape(text).encode("utf-8", "replace")) + marks + _BREAK * text.count("\n")


def _with_fewer_entries(lines: list[str], room: int) -> list[str]:
    entries = [line for line in lines if line.startswith(ENTRY)]
    if not entries or _total(lines) <= room:
        return lines
    first = lines.index(entries[0])
    others = [line for line in lines if not line.startswith(ENTRY)]
    for kept in range(len(entries) - 1, -1, -1):
        shorter = [*entries[:kept], f"{ENTRY}and more, for which there is no room here"]
        found = [*others[:first], *shorter, *others[first:]]
        if _total(found) <= room:
            break
    return found


def _total(lines: list[str]) -> int:
    return size("\n".join(lines))


def _cut(text: str, longest: int) -> str:
    """Return as much of the beginning of a text as is not larger than `longest`."""
    if size(text) <= longest:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if size(text[:middle] + _CUT) <= longest else (low, middle - 1)
    return text[:low].rstrip() + _CUT if low else ""
