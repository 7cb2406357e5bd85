"""SSH keys made from 32 random bytes that the state keeps.

The usual serialiser puts fresh random numbers into an OpenSSH private key at each call, so the same seed would give
another text at each preview.  The one here gives the same text for the same seed.
"""

from __future__ import annotations

import base64
import hashlib
import struct
import textwrap
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SEED_BYTES = 32
_ALGORITHM = b"ssh-ed25519"


@dataclass(frozen=True)
class SSHKey:
    """An ed25519 key pair as OpenSSH writes it.

    `private` is the PEM text of an unencrypted OpenSSH private key, with a newline at its end; `public` is one line
    as in `authorized_keys`, without a comment and without a newline.
    """

    private: str
    public: str

    def __repr__(self) -> str:
        return f"SSHKey(public={self.public!r})"


def ssh_key_from_seed(seed_hex: str) -> SSHKey:
    """The key pair of a seed: 32 bytes, as 64 hexadecimal digits.

    Raises ValueError where it is something else; the message does not show it.
    """
    try:
        seed = bytes.fromhex(seed_hex)
    except ValueError:
        raise ValueError("the seed of an SSH key has to be hexadecimal") from None
    if len(seed) != SEED_BYTES:
        raise ValueError(f"the seed of an SSH key has to be {SEED_BYTES} bytes, not {len(seed)}")
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    blob = _string(_ALGORITHM) + _string(public)
    return SSHKey(
        private=_private_pem(seed, public, blob),
        public=f"{_ALGORITHM.decode()} {base64.b64encode(blob).decode()}",
    )


def _private_pem(seed: bytes, public: bytes, public_blob: bytes) -> str:
    """The openssh-key-v1 format of OpenSSH's PROTOCOL.key, without a passphrase."""
    # Both numbers only have to be equal: they tell a wrong passphrase, and there is none.
    check = hashlib.sha256(b"check" + seed).digest()[:4]
    secret = check + check + _string(_ALGORITHM) + _string(public) + _string(seed + public) + _string(b"")
    secret += bytes(range(1, 1 + -len(secret) % 8))
    body = b"openssh-key-v1\0" + _string(b"none") + _string(b"none") + _string(b"") + struct.pack(">I", 1)
    body += _string(public_blob) + _string(secret)
    lines = "\n".join(textwrap.wrap(base64.b64encode(body).decode(), 70))
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{lines}\n-----END OPENSSH PRIVATE KEY-----\n"


def _string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value
