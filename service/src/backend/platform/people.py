"""User ids at rest: encrypted, beside a keyed digest that rows are found by.

With the row's id, so that no user id can be moved to another row, nor into another column.
"""

import logging
from typing import Any, Final

from backend.platform.encryption import DecryptionError, Encryptor

# No caller's own: a user id of the API has no blank.
UNREADABLE: Final = "(unreadable)"

_FIELD: Final = "userId"

_logger = logging.getLogger(__name__)


def sealed(encryptor: Encryptor, user_id: str, row_id: str) -> dict[str, bytes]:
    """Return the columns ``user_sealed`` and ``user_digest`` of a row."""
    value = {_FIELD: user_id}
    return {
        "user_sealed": encryptor.encrypt(value, aad=_aad(row_id)),
        "user_digest": encryptor.digest(value),
    }


def digests(encryptor: Encryptor, user_id: str) -> list[bytes]:
    """Return what ``user_digest`` may be, under any key. The current one is the first."""
    return encryptor.digests({_FIELD: user_id})


def opened(encryptor: Encryptor, user_sealed: bytes, row_id: str) -> str:
    """Return the user id of a row. Raises DecryptionError."""
    return encryptor.decrypt(user_sealed, aad=_aad(row_id))[_FIELD]


def with_user(encryptor: Encryptor, row: dict[str, Any], row_id: str) -> dict[str, Any]:
    """Return a row with its ``user_id``; `UNREADABLE` if its key is lost, which is logged.

    A lost key costs the name of whose it is, not the end of a payment.
    """
    try:
        user_id = opened(encryptor, row["user_sealed"], row_id)
    except DecryptionError:
        _logger.exception("A stored user id cannot be decrypted")
        user_id = UNREADABLE
    return {**row, "user_id": user_id}


def _aad(row_id: str) -> str:
    return f"{row_id}/user"
