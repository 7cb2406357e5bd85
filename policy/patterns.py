"""What secrets look like, also where they are packed."""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import zlib
from collections.abc import Iterator

PATTERNS = {
    "an Anthropic API key": re.compile(r"sk-ant-[A-Za-z0-9_-]{16,}"),
    "a Telegram bot token": re.compile(r"(?<![\w:-])[0-9]{6,16}:[A-Za-z0-9_-]{30,64}(?![\w-])"),
    # A gateway's token, or one of Hetzner Cloud; the digest of an image or of a release has the same length, and what a
    # deployment said of itself, which names both, is JSON within JSON.
    "a token of 64 characters": re.compile(
        r'(?<![A-Za-z0-9+/_=-])(?<!sha256:)(?<!"digest": ")(?<!\\"digest\\": \\")[A-Za-z0-9]{64}(?![A-Za-z0-9+/_=-])'
    ),
    "an access token": re.compile(r"\b(?:gh[opsu]_|github_pat_|glpat-|xox[abp]-|sk-(?!ant-))[A-Za-z0-9_-]{20,}"),
    "a private key": re.compile(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----"),
    "a password in an address": re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@]+:[^\s/@]+@"),
    "a bearer token": re.compile(r"(?i)\bbearer\s+[A-Za-z0-9._~+/-]{16,}"),
}

_PACKED = re.compile(r"(?:[A-Za-z0-9+/]{4}){5,}[A-Za-z0-9+/]*={0,2}")
_DEEPEST = 3


def kinds_of_secrets(text: str, depth: int = 0) -> list[str]:
    """Return which kinds of secrets a text seems to hold, also in base64 and gzip; the secrets are not among it."""
    found = {kind for kind, pattern in PATTERNS.items() if pattern.search(text)}
    for inner in _unpacked(text) if depth < _DEEPEST else ():
        found.update(kinds_of_secrets(inner, depth + 1))
    return [kind for kind in PATTERNS if kind in found]


def _unpacked(text: str) -> Iterator[str]:
    for match in _PACKED.finditer(text):
        try:
            content = base64.b64decode(match[0] + "=" * (-len(match[0]) % 4))
            if content.startswith(b"\x1f\x8b"):
                content = gzip.decompress(content)
            yield content.decode()
        except (binascii.Error, OSError, EOFError, zlib.error, UnicodeDecodeError):
            continue  # It only looked like base64, or holds no text.
