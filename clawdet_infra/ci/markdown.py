"""Markdown that a forge shows: takes the power out of text that others wrote, and words what is around it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_NOTHING = "\u200b"
"""A character without width: it parts what would have a meaning together, and nobody sees it."""

_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})")
_MENTION = re.compile(r"(?<![\w`/])(?<!\w\\)@(?=[\w.-])")
"""What a forge takes for a person's name; `name@sha256:…` is none, also where the report escapes it."""

_IMAGE = re.compile(r"!(?=\[)")
_TAG = re.compile(r"<(?!/?(?:details|summary|b|sub|sup|code)>|br ?/?>|details open>)(?=[A-Za-z/!?])", re.IGNORECASE)
_QUICK_ACTION = re.compile(r"^(?P<space>\s*)/(?=\w)")
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Characters that let a text be read in another order than it is written."""


def sanitize(text: str) -> str:
    """Return Markdown that calls nobody, loads nothing, hides nothing and gives the forge no order.

    Headings, tables, code and `<details>` stay.  GitLab takes a line that begins with `/` as an order, such as
    `/merge`, unless it is in a block of code.
    """
    shown = []
    closing = ""
    for line in _BIDI.sub("", _CONTROL.sub("", text)).split("\n"):
        fence = _FENCE.match(line)
        if closing:
            shown.append(line)
            if fence and line.strip() == line.strip()[0] * len(line.strip()) and line.strip().startswith(closing):
                closing = ""
            continue
        if fence and not ("`" in fence["fence"] and "`" in line[fence.end() :]):
            closing = fence["fence"]
        line = _MENTION.sub(f"@{_NOTHING}", line)
        line = _IMAGE.sub(f"!{_NOTHING}", line)
        line = _TAG.sub(f"<{_NOTHING}", line)
        shown.append(_QUICK_ACTION.sub(rf"\g<space>{_NOTHING}/", line))
    # An open block of code would take in whatever comes after.
    return "\n".join([*shown, closing] if closing else shown)


def block(text: str, *, lines: int = 60, characters: int = 8_000) -> str:
    """Return text as a block of code that it cannot leave; of a long text, the end."""
    plain = _BIDI.sub("", _CONTROL.sub("", text)).strip("\n")
    kept = "\n".join(plain.split("\n")[-lines:])[-characters:]
    if kept != plain:
        kept = f"…\n{kept}"
    longest = max((len(run) for run in re.findall(r"`+", kept)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{kept}\n{fence}"


def listed(ids: Sequence[str], *, most: int = 50) -> str:
    """Return ids as code, parted by commas; of very many, the first."""
    shown = ", ".join(f"`{identity}`" for identity in ids[:most])
    return f"{shown} and {len(ids) - most} more" if len(ids) > most else shown


def paragraphs(parts: Iterable[str]) -> str:
    """Return the parts that are not empty, with a line between them."""
    return "\n\n".join(part.strip("\n") for part in parts if part.strip()) + "\n"
