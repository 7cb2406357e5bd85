"""SSH keys derived from 32 random bytes in the state.

The usual serializer writes new random numbers into an OpenSSH private key at each call, so the text would differ at
each preview.  This one returns the same text for the same seed.
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
    """An ed25519 key pair in OpenSSH's format.

    `private` is the PEM text of an unencrypted OpenSSH private key, with a trailing newline; `public` is one line as in
    `authorized_keys`, without a comment or newline.
    """

    private: str
    public: str

    def __repr__(self) -> str:
        return f"SSHKey(public={self.public!r})"


def ssh_key_from_seed(seed_hex: str) -> SSHKey:
    """Return the key pair of a seed: 32 bytes, as 64 hexadecimal digits.

    Raises ValueError for any other seed; the message does not contain it.
    """
    try:
        seed = bytes.fromhex(seed_hex)
    except ValueError:
        raise ValueError("the seed of an SSH key must be hexadecimal") from None
    if len(seed) != SEED_BYTES:
        raise ValueError(f"the seed of an SSH key must be {SEED_BYTES} bytes, not {len(seed)}")
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    blob = _string(_ALGORITHM) + _string(public)
    return SSHKey(
        private=_private_pem(seed, public, blob),
        public=f"{_ALGORITHM.decode()} {base64.b64encode(blob).decode()}",
    )


def _private_pem(seed: bytes, public: bytes, public_blob: bytes) -> str:
    """Return a private key in the openssh-key-v1 format of OpenSSH's PROTOCOL.key, without a passphrase."""
    # Both numbers only have to be equal: they detect a wrong passphrase, and this key has none.
    check = hashlib.sha256(b"check" + seed).digest()[:4]
    secret = check + check + _string(_ALGORITHM) + _string(public) + _string(seed + public) + _string(b"")
    secret += bytes(range(1, 1 + -len(secret) % 8))
    body = b"openssh-key-v1\0" + _string(b"none") + _string(b"none") + _string(b"") + struct.pack(">I", 1)
    body += _string(public_blob) + _string(secret)
    lines = "\n".join(textwrap.wrap(base64.b64encode(body).decode(), 70))
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{lines}\n-----END OPENSSH PRIVATE KEY-----\n"


def _string(value: bytes) -> bytes:
    return struct.pack(">I", len(value)) + value
