"""Encryption of personal data at rest: AES-256-GCM (NIST SP 800-38D).

A value is encrypted for one row, whose id is its additional authenticated data (``aad``): for
another row it cannot be decrypted. It begins with the id of its key, so that a key can be changed:
new values are encrypted under the current key, old ones are decrypted under the one they name.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from glasshouse.keyring import KeyFile, key_id, keys_of

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32
_VERSION: Final = 1


class DecryptionError(Exception):
    """A value cannot be decrypted: it was encrypted under another key, or changed."""


@dataclass(frozen=True)
class _Key:
    """What is derived (HKDF, RFC 5869) from one secret."""

    # What a value under this key begins with: the form's version and the key's id.
    header: bytes
    cipher: AESGCM
    digest_key: bytes

    @classmethod
    @lru_cache(maxsize=16)
    def of(cls, secret: str) -> "_Key":
        # The labels are part of the keys: with others nothing that is stored could be decrypted.
        raw = secret.encode()
        return cls(
            header=bytes([_VERSION, int(key_id(raw), 16)]),
            cipher=AESGCM(_derive(raw, b"seal")),
            digest_key=_derive(raw, b"digest"),
        )

    def digest(self, text: bytes) -> bytes:
        return hmac.new(self.digest_key, text, hashlib.sha256).digest()


class Encryptor:
    """Encrypts values under the current of some keys, and decrypts those of all.

    The keys stand one per line, the current one first; those of a file are read again when it
    changes.
    """

    def __init__(self, keys: SecretStr | KeyFile) -> None:
        self._file = keys if isinstance(keys, KeyFile) else None
        self._fixed = () if isinstance(keys, KeyFile) else keys_of(keys.get_secret_value())

    @property
    def header(self) -> bytes:
        """What a value begins with that is encrypted now."""
        return self._keys()[0].header

    def encrypt(self, value: Mapping[str, Any], *, aad: str) -> bytes:
        """Return ``value`` encrypted under the current key, bound to ``aad``."""
        key = self._keys()[0]
        nonce = os.urandom(_NONCE_BYTES)
        text = json.dumps(value, separators=(",", ":")).encode()
        return key.header + nonce + key.cipher.encrypt(nonce, text, key.header + aad.encode())

    def decrypt(self, encrypted: bytes, *, aad: str) -> dict[str, Any]:
        """Return what was encrypted with this ``aad``. Raises DecryptionError."""
        found = self._decrypted(encrypted, aad)
        # A key that another process has used already, and this one has not read yet.
        if found is None and self._file is not None and self._file.read_again():
            found = self._decrypted(encrypted, aad)
        if found is None:
            raise DecryptionError("DATA_KEY_FILE does not hold the key of this value")
        return found

    def digest(self, value: Mapping[str, Any]) -> bytes:
        """Return a keyed digest: equal for equal values, and of no use without the key."""
        return self._keys()[0].digest(_canonical(value))

    def digests(self, value: Mapping[str, Any]) -> list[bytes]:
        """Return the digests under all keys: what to look for. The current one is the first."""
        text = _canonical(value)
        return [key.digest(text) for key in self._keys()]

    def _keys(self) -> Sequence[_Key]:
        texts = self._fixed if self._file is None else self._file.keys
        return [_Key.of(text) for text in texts]

    def _decrypted(self, encrypted: bytes, aad: str) -> dict[str, Any] | None:
        keys = self._keys()
        for key in keys:
            header, rest = encrypted[: len(key.header)], encrypted[len(key.header) :]
            if header == key.header:
                found = _opened(key.cipher, rest, header + aad.encode())
                if found is not None:
                    return found
        # Without a header, as values were before keys had ids.
        for key in keys:
            found = _opened(key.cipher, encrypted, aad.encode())
            if found is not None:
                return found
        return None


def _opened(cipher: AESGCM, encrypted: bytes, aad: bytes) -> dict[str, Any] | None:
    nonce, text = encrypted[:_NONCE_BYTES], encrypted[_NONCE_BYTES:]
    try:
        return json.loads(cipher.decrypt(nonce, text, aad))
    except (InvalidTag, ValueError):
        return None


def _canonical(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _derive(secret: bytes, purpose: bytes) -> bytes:
    kdf = HKDF(SHA256(), _KEY_BYTES, salt=None, info=b"glasshouse/" + purpose)
    return kdf.derive(secret)
