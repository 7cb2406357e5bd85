"""Takes secrets whose values are known out of text that a person will read.

`clawdet_infra.secret_shapes` recognizes others by their shape.  This module travels to servers with
`clawdet_infra.agent`, so it uses the standard library only.
"""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
from collections.abc import Iterable

HIDDEN = "[secret]"
_SHORTEST = 6
# What moves a terminal's cursor or colours its text, and every other character that cannot be seen.
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x1f\x7f-\x9f]")
_LINE = re.compile(r"""^(?P<name>[A-Z0-9_]+)=(?:'(?P<plain>.*)'|"(?P<escaped>.*)")$""")


def values_of(env_file: str) -> dict[str, str]:
    """Return the variables of an env file that `clawdet_infra.render.env_file` has written."""
    found = (_LINE.match(line) for line in env_file.split("\n"))
    return {
        match["name"]: match["plain"] if match["plain"] is not None else re.sub(r"\\(.)", r"\1", match["escaped"])
        for match in found
        if match
    }


class Redactor:
    """Replaces secrets, also where they are written in another way, such as in base64 or in a URL.

    Those with fewer than `shortest` characters stay: they would be found everywhere.
    """

    def __init__(self, secrets: Iterable[str], *, shortest: int = _SHORTEST) -> None:
        forms: set[str] = set()
        for secret in secrets:
            if len(secret) >= shortest:
                forms |= _forms(secret)
        # The longest first, so that no piece of a longer secret stays when a shorter one is its beginning.
        self._forms = sorted(forms, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without the secrets."""
        for form in self._forms:
            text = text.replace(form, HIDDEN)
        return text

    def line(self, text: str, longest: int = 400) -> str:
        """Return the text without the secrets, in one line of at most `longest` characters: its end is kept."""
        flat = " ".join(_CONTROL.sub(" ", self(text)).split())
        return flat if len(flat) <= longest else f"…{flat[-longest:]}"


def _forms(secret: str) -> set[str]:
    encoded = base64.b64encode(secret.encode()).decode()
    return {
        secret,
        json.dumps(secret)[1:-1],
        urllib.parse.quote(secret, safe=""),
        encoded,
        encoded.rstrip("="),
    }
