"""What secrets look like: recognizes and hides those whose values are not known.

It is for a key that somebody wrote in plain text and that an error then quotes.  There are three degrees: a policy
refuses what is hardly anything else (`kinds_of_secrets`), `redacted` also hides what may be something else, and a value
that only resembles a secret is not quoted (`resembles_secret`).
"""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import zlib
from collections.abc import Iterator

from clawdet_infra.redaction import HIDDEN

SHAPES = {
    "an Anthropic API key": re.compile(r"sk-ant-[A-Za-z0-9_-]{16,}"),
    "a Telegram bot token": re.compile(r"(?<![\w:-])[0-9]{6,16}:[A-Za-z0-9_-]{30,64}(?![\w-])"),
    # A gateway's token, or one of Hetzner Cloud; the digest of an image or of a release has the same length, and what a
    # deployment said of itself, which names both, is JSON within JSON.
    "a token of 64 characters": re.compile(
        r'(?<![A-Za-z0-9+/_=-])(?<!sha256:)(?<!"digest": ")(?<!\\"digest\\": \\")[A-Za-z0-9]{64}(?![A-Za-z0-9+/_=-])'
    ),
    "an access token": re.compile(r"\b(?:gh[opsu]_|github_pat_|glpat-|xox[abp]-|sk-(?!ant-))[A-Za-z0-9_-]{20,}"),
    # All of it, where its end is there; else everything after its beginning.
    "a private key": re.compile(
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----(?s:.*?)(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)"
    ),
    "a password in an address": re.compile(r"(?<=://)[^\s/:@]+:[^\s/@]+(?=@)"),
    "a bearer token": re.compile(r"(?i:(?<=\bbearer\s))\s*[A-Za-z0-9._~+/-]{16,}"),
}
"""What secrets look like, by kind: each is this and hardly anything else."""

_HIDDEN_TOO = (
    r"sk-ant-[A-Za-z0-9_-]+",
    r"\b[0-9]{6,16}:[A-Za-z0-9_-]{30,64}",
    # A digest of an image has a name before it.
    r"(?<![A-Za-z0-9:])[0-9A-Za-z]{64}(?![0-9A-Za-z])",
)
_ANY_SHAPE = re.compile("|".join([*(shape.pattern for shape in SHAPES.values()), *_HIDDEN_TOO]))
_RESEMBLING = re.compile(r"sk-ant-|[0-9A-Fa-f]{24}|\d{6}:[A-Za-z0-9_-]{20}|PRIVATE KEY|[A-Za-z0-9+/_]{40}")
# What may split a secret, or stick to one: sequences and characters of terminals, and the engine's colours.
_INVISIBLE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f-\x9f]|<\{%[a-z]+%\}>")
_PACKED = re.compile(r"(?:[A-Za-z0-9+/]{4}){5,}[A-Za-z0-9+/]*={0,2}")
_DEEPEST = 3


def redacted(text: str) -> str:
    """Return a text without what looks like a secret, and without what moves or colours a terminal."""
    return _ANY_SHAPE.sub(HIDDEN, _INVISIBLE.sub("", _ANY_SHAPE.sub(HIDDEN, text)))


def resembles_secret(text: str) -> bool:
    """Return whether a text has anything in common with a secret, so that it is better not quoted."""
    return _RESEMBLING.search(text) is not None


def kinds_of_secrets(text: str, depth: int = 0) -> list[str]:
    """Return which kinds of secrets a text seems to hold, also in base64 and gzip; the secrets are not among it."""
    found = {kind for kind, shape in SHAPES.items() if shape.search(text)}
    for inner in _unpacked(text) if depth < _DEEPEST else ():
        found.update(kinds_of_secrets(inner, depth + 1))
    return [kind for kind in SHAPES if kind in found]


def _unpacked(text: str) -> Iterator[str]:
    for match in _PACKED.finditer(text):
        try:
            content = base64.b64decode(match[0] + "=" * (-len(match[0]) % 4))
            if content.startswith(b"\x1f\x8b"):
                content = gzip.decompress(content)
            yield content.decode()
        except (binascii.Error, OSError, EOFError, zlib.error, UnicodeDecodeError):
            continue  # It only looked like base64, or holds no text.
