"""Encryption of personal data at rest: AES-256-GCM (NIST SP 800-38D).

A value is encrypted for one row, whose id is its additional authenticated data (``aad``): for
another row it cannot be decrypted.
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


class DecryptionError(Exception):
    """A value cannot be decrypted: it was encrypted under another key, or changed."""


class Encryptor:
    """Encrypts values under keys that are derived (HKDF, RFC 5869) from one secret."""

    def __init__(self, secret: SecretStr) -> None:
        # The labels are part of the keys: with others nothing that is stored could be decrypted.
        self._cipher = AESGCM(_derive(secret, b"seal"))
        self._digest_key = _derive(secret, b"digest")

    def encrypt(self, value: Mapping[str, Any], *, aad: str) -> bytes:
        """Return ``value`` encrypted, bound to ``aad``."""
        nonce = os.urandom(_NONCE_BYTES)
        text = json.dumps(value, separators=(",", ":")).encode()
        return nonce + self._cipher.encrypt(nonce, text, aad.encode())

    def decrypt(self, encrypted: bytes, *, aad: str) -> dict[str, Any]:
        """Return what was encrypted with this ``aad``. Raises DecryptionError."""
        nonce, text = encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:]
        try:
            return json.loads(self._cipher.decrypt(nonce, text, aad.encode()))
        except (InvalidTag, ValueError):
            raise DecryptionError("DATA_KEY_FILE does not hold the key of this value") from None

    def digest(self, value: Mapping[str, Any]) -> bytes:
        """Return a keyed digest: equal for equal values, and of no use without the key."""
        text = json.dumps(value, sort_keys=True).encode()
        return hmac.new(self._digest_key, text, hashlib.sha256).digest()


def _derive(secret: SecretStr, purpose: bytes) -> bytes:
    kdf = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"glasshouse/" + purpose)
    return kdf.derive(secret.get_secret_value().encode())
