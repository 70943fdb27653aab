"""Keyed pseudonyms: the same person gets the same name, and the name leads nowhere.

16 hex digits: two are the id of the secret key that it was made with,
and 14 are of HMAC-SHA256 (RFC 2104, FIPS 198-1) under it. Without the key nobody can test a guess,
which a plain hash would allow. They stand in brackets behind their kind,
`[user:4f3c2b1a09d8e7f6]`: so no id is taken for one by its form, and the Collector leaves it alone,
whatever its key.
"""

import logging
import os
import re
import secrets
from functools import cache
from pathlib import Path
from typing import Final

from glasshouse.errors import ConfigurationError
from glasshouse.keyring import KeyFile, keys_of, pseudonym

KEY_VARIABLE: Final = "GLASSHOUSE_HMAC_KEY"
KEY_FILE_VARIABLE: Final = "GLASSHOUSE_HMAC_KEY_FILE"
_MINIMUM_KEY_BYTES: Final = 16
_PSEUDONYM: Final = re.compile(r"\[user:[0-9a-f]{16}\]")

_logger = logging.getLogger(__name__)


class _RandomKey(bytes):
    """Made here, for want of one that others know, too."""


@cache
def _key_file(path: str) -> KeyFile:
    return KeyFile(Path(path))


@cache
def hmac_key() -> bytes:
    """Return the current key as it was at the first call, from ``GLASSHOUSE_HMAC_KEY_FILE`` or else
    ``GLASSHOUSE_HMAC_KEY``: the first line that is not empty.

    With neither set a random key is made for this process: pseudonyms then cannot be joined
    with those of other processes, but nothing leaks.

    Raises:
        ConfigurationError: the file cannot be read, or the key has under 16 bytes.
    """
    path, value = os.environ.get(KEY_FILE_VARIABLE), os.environ.get(KEY_VARIABLE)
    if path:
        try:
            _key_file.cache_clear()
            keys = _key_file(path).keys
        except OSError as error:
            message = f"{KEY_FILE_VARIABLE}: cannot read {path}: {error.strerror}"
            raise ConfigurationError(message) from error
        except UnicodeDecodeError:
            raise ConfigurationError(f"{KEY_FILE_VARIABLE}: {path} is not UTF-8") from None
    else:
        keys = keys_of(value or "")
    if not keys:
        return _RandomKey(secrets.token_bytes(32))
    key = _as_bytes(keys[0])
    if len(key) < _MINIMUM_KEY_BYTES:
        message = f"{KEY_FILE_VARIABLE if path else KEY_VARIABLE}: the key needs at least 16 bytes"
        raise ConfigurationError(message)
    return key


def current_hmac_key() -> bytes:
    """Return the key like `hmac_key`, but the new one once it stands in the file.

    A new key that is too short changes nothing: nothing may fail while a key is changed.

    Raises:
        ConfigurationError: as `hmac_key`, at its first call only.
    """
    first = hmac_key()
    path = os.environ.get(KEY_FILE_VARIABLE)
    if not path or isinstance(first, _RandomKey):
        return first
    key = _as_bytes(_key_file(path).keys[0])
    return key if len(key) >= _MINIMUM_KEY_BYTES else first


def _as_bytes(key: str) -> bytes:
    # Bytes of the variable that are no UTF-8 count as they are.
    return key.encode("utf-8", "surrogateescape")


def warn_of_random_key() -> None:
    """Log a warning if nobody set a key."""
    if isinstance(hmac_key(), _RandomKey):
        _logger.warning(
            "No HMAC key is set: pseudonyms are valid in this process only. "
            "Set GLASSHOUSE_HMAC_KEY_FILE to join records across processes."
        )


def user_pseudonym(user_id: str) -> str:
    """Return the pseudonym of ``user_id``: ``[user:`` and 16 lower-case hex digits.

    A pseudonym stays what it is.

    Raises:
        ConfigurationError: see `hmac_key`.
    """
    if _PSEUDONYM.fullmatch(user_id):
        return user_id
    named = user_id.encode(errors="backslashreplace")
    return f"[user:{pseudonym(current_hmac_key(), named)}]"
