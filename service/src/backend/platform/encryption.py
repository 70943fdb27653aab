"""Encryption of personal data at rest: AES-256-GCM (NIST SP 800-38D).

A sealed value belongs to one row: under another row's id it does not open.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32


class UnsealError(Exception):
    """A sealed value cannot be opened: another key sealed it, or it was changed."""


class Vault:
    """Seals and opens values under keys that are derived (HKDF, RFC 5869) from one secret."""

    def __init__(self, secret: SecretStr) -> None:
        self._cipher = AESGCM(_derive(secret, b"seal"))
        self._digest_key = _derive(secret, b"digest")

    def seal(self, value: Mapping[str, Any], *, row: str) -> bytes:
        """Return ``value`` encrypted, for the row with this id."""
        nonce = os.urandom(_NONCE_BYTES)
        text = json.dumps(value, separators=(",", ":")).encode()
        return nonce + self._cipher.encrypt(nonce, text, row.encode())

    def open(self, sealed: bytes, *, row: str) -> dict[str, Any]:
        """Return what was sealed for the row. Raises UnsealError."""
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return json.loads(self._cipher.decrypt(nonce, text, row.encode()))
        except (InvalidTag, ValueError):
            raise UnsealError("DATA_KEY_FILE does not hold the key of this value") from None

    def digest(self, value: Mapping[str, Any]) -> bytes:
        """Return a keyed digest: equal for equal values, and of no use without the key."""
        text = json.dumps(value, sort_keys=True).encode()
        return hmac.new(self._digest_key, text, hashlib.sha256).digest()


def _derive(secret: SecretStr, purpose: bytes) -> bytes:
    kdf = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"glasshouse/" + purpose)
    return kdf.derive(secret.get_secret_value().encode())
