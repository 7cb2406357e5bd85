"""Names that Hetzner accepts: of servers (RFC 1123) and of other resources."""

from __future__ import annotations

import re

_HOST_LABEL = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?")
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9]([a-zA-Z0-9._-]{0,62}[a-zA-Z0-9])?")


def is_hostname(text: str) -> bool:
    """Say whether text is a host name as RFC 1123 has it: labels of letters, digits and dashes, at most 253."""
    return len(text) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in text.split("."))


def is_volume_name(text: str) -> bool:
    """Say whether text may name a volume: at most 64 characters, with a letter or digit at both ends."""
    return _VOLUME_NAME.fullmatch(text) is not None
