"""Records as the database has them: encrypted, by a key that the database does not have.

AES-256-GCM, with 96 random bits for each record; the customer's id is bound to the ciphertext, so a record that is put
in another customer's place cannot be opened.  Before it is the name of the key, so that a wrong key is told apart from
a damaged record.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from clawdet_infra.catalog.errors import CatalogError
from clawdet_infra.catalog.records import Record

_FORM = "v1"
_NONCE_BYTES = 12


class RecordCipher:
    """A base's key.  It shows nothing of itself, and can be used by any number of threads."""

    __slots__ = ("_cipher", "_digest_key", "_name")

    def __init__(self, key: str) -> None:
        """Take a key of 64 hexadecimal digits.  Raises CatalogError for anything else."""
        if not re.fullmatch(r"[0-9a-f]{64}", key):
            raise CatalogError("the catalog's key has to be 64 lower-case hexadecimal digits (it is not shown)")
        secret = bytes.fromhex(key)
        self._cipher = AESGCM(_derived(secret, "record"))
        self._digest_key = _derived(secret, "digest")
        self._name = _derived(secret, "name").hex()[:16]

    def __repr__(self) -> str:
        return "RecordCipher(…)"

    def __reduce__(self) -> str:
        raise TypeError("a RecordCipher is not serialized")

    def seal(self, record: Record) -> str:
        """Return a record encrypted; it has to have its `id`.  The same record gives another text each time."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        content = json.dumps(record, separators=(",", ":")).encode()
        sealed = nonce + self._cipher.encrypt(nonce, content, _bound(record["id"]))
        return f"{_FORM}.{self._name}.{urlsafe_b64encode(sealed).decode()}"

    def open(self, text: str, identity: str) -> dict[str, Any]:
        """Return the record that was sealed for a customer.

        Raises CatalogError where it was sealed with another key or for another customer, or was altered.
        """
        form, _, rest = text.partition(".")
        name, _, encoded = rest.partition(".")
        if form == _FORM and name != self._name:
            raise CatalogError(
                f"the catalog's record of {identity} was encrypted with another key than that of this base stack. "
                "Use the catalog that belongs to this backend, or rebuild it: clawdet list --rebuild"
            )
        try:
            sealed = urlsafe_b64decode(encoded)
            content = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _bound(identity))
        except (InvalidTag, ValueError):
            raise CatalogError(
                f"the catalog's record of {identity} is damaged, or another customer's. "
                "Put a backup in the database's place, or rebuild it: clawdet list --rebuild"
            ) from None
        opened: dict[str, Any] = json.loads(content)
        return opened

    def opens(self, text: str) -> bool:
        """Return whether a record was sealed with this key, going by what it says of itself."""
        return text.startswith(f"{_FORM}.{self._name}.")

    def digest(self, token: str) -> str:
        """Return what tells whether two tokens are the same, and nothing else about them to those without the key."""
        return hmac.digest(self._digest_key, token.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()


def _derived(secret: bytes, use: str) -> bytes:
    return hmac.digest(secret, f"clawdet registry {use}".encode(), hashlib.sha256)


def _bound(identity: str) -> bytes:
    return f"clawdet customer {identity}".encode()
