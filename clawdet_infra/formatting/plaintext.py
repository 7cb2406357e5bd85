"""Makes text that others have written safe to show on a terminal.

It may hold escape sequences that colour, move or retitle a terminal, or make it answer as if somebody typed.  JSON
needs none of this: it writes control characters as `\\u001b`, and stays exact.
"""

from __future__ import annotations

import re

# Whole sequences first: CSI (colours, cursor), then OSC and its kin up to their end, then those of two characters.
_SEQUENCE = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
# What is left of sequences, other control characters, and what reverses the order in which characters are shown.
_HIDDEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def plain(text: str) -> str:
    """Return a text that a terminal only shows: escape sequences are left out, control characters made visible.

    Line ends and tabs stay.
    """
    return _HIDDEN.sub(_picture, _SEQUENCE.sub("", text))


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"
