"""Reading OpenSSH public keys."""

from __future__ import annotations

import base64
import binascii
import hashlib

TYPES = frozenset(
    {
        "ssh-rsa",
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
_FIELDS = {"ssh-rsa": 3, "ssh-ed25519": 2, "sk-ssh-ed25519@openssh.com": 3, "sk-ecdsa-sha2-nistp256@openssh.com": 4}
"""How many fields a key of a type has, its type among them; 3 where not named."""


class KeyFormatError(ValueError):
    """Text that is no OpenSSH public key; it says why."""


def fingerprint(text: str) -> str:
    """The MD5 fingerprint of a public key in OpenSSH's format, as Hetzner shows it.  Raises KeyFormatError."""
    parts = text.split(maxsplit=2)
    if len(parts) < 2 or "\n" in text:
        raise KeyFormatError("it must be one line: type, key in base64, comment")
    kind, encoded = parts[0], parts[1]
    if kind not in TYPES:
        raise KeyFormatError(f"its type '{kind[:40]}' is not supported")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise KeyFormatError("the key is not valid base64") from None
    fields = _fields(blob)
    if len(fields) != _FIELDS.get(kind, 3) or fields[0] != kind.encode():
        raise KeyFormatError(f"the key is not one of type {kind}")
    if kind == "ssh-ed25519" and len(fields[1]) != 32:
        raise KeyFormatError("an ed25519 key has 32 bytes")
    digest = hashlib.md5(blob, usedforsecurity=False).hexdigest()
    return ":".join(digest[position : position + 2] for position in range(0, 32, 2))


def _fields(blob: bytes) -> list[bytes]:
    fields, position = [], 0
    while position < len(blob):
        length = int.from_bytes(blob[position : position + 4], "big")
        field = blob[position + 4 : position + 4 + length]
        if len(field) != length or position + 4 > len(blob):
            raise KeyFormatError("the key is cut off")
        fields.append(field)
        position += 4 + length
    return fields
