"""Takes whatever looks like a secret out of text that others will read.

The engine masks what it knows as secret.  This is for what it does not know: a key that somebody wrote in plain text
and that an error then quotes.
"""

from __future__ import annotations

import re

HIDDEN = "[secret]"

_SHAPES = re.compile(
    r"sk-ant-[A-Za-z0-9_-]+"
    r"|\b[0-9]{6,16}:[A-Za-z0-9_-]{30,64}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    # A digest of an image has a name before it; what has none may be a gateway's or the cloud's token.
    r"|(?<![A-Za-z0-9:])[0-9A-Za-z]{64}(?![0-9A-Za-z])"
    r"|(?<=://)[^\s/:@]+:[^\s/@]+(?=@)",
    re.DOTALL,
)
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]|<\{%[a-z]+%\}>")


def scrubbed(text: str) -> str:
    """Return a text without what looks like a secret, and without what moves or colours a terminal."""
    return _SHAPES.sub(HIDDEN, _CONTROL.sub("", text))
