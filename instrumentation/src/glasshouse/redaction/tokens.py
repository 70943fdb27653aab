"""Validators of addresses and tokens."""

import base64
import binascii
import re
from typing import Final

from glasshouse.redaction.ascii import DIGITS, LOWER, UPPER, characters

# Words of one case each, with single signs between them, perhaps a short number at the end:
# validation-error-12, protocol2.
_NUMBERED_WORDS: Final = re.compile(
    rb"(?:[A-Z]?[a-z]+|[A-Z]+)((?:[-_./:|](?:[A-Z]?[a-z]+|[A-Z]+))*)"
    rb"((?:[-_./:|]?[0-9]{1,5})?)[.:]*"
)
_LONGEST_WORD: Final = 20
_DIGITS: Final = bytes(DIGITS)


def is_jwt(hit: bytes) -> bool:
    header = _base64(hit.partition(b".")[0])
    if header is None or not header.startswith(b'{"'):
        return False
    return any(name in header for name in (b'"alg"', b'"enc"', b'"typ"', b'"kid"'))


# Bounds what is decoded, so that a text costs no more than its length.
_LONGEST_ENCODED: Final = 64 << 10
_VARIABLE: Final = re.compile(rb"\$(?:\([^\n]*\)|[A-Z_][A-Z0-9_]*)")


def is_dsn(hit: bytes) -> bool:
    """Return whether the last of user and password, as divided by colons or a slash, is real.

    It is no variable such as ``$(PASS)`` or ``$PASS``, and not masked already.
    """
    password = hit[max(hit.rfind(b":"), hit.rfind(b"/")) + 1 :]
    return not _VARIABLE.fullmatch(password) and not password.endswith(b"[credentials]")


def is_basic_auth(hit: bytes) -> bool:
    decoded = _base64(hit)
    return decoded is not None and b":" in decoded and min(decoded) >= 0x20


def decoded_text(hit: bytes) -> bytes | None:
    """Return the text that base64 stands for, within a bound."""
    decoded = _base64(hit) if len(hit) <= _LONGEST_ENCODED else None
    if decoded is None:
        return None
    try:
        decoded.decode()
    except UnicodeDecodeError:
        return None
    return decoded


def looks_like_jwt(text: bytes) -> bool:
    """Return whether the first segment is a JSON object in base64."""
    header, _, rest = text.partition(b".")
    if not rest or not header.startswith(b"eyJ"):
        return False
    inner = _base64(header)
    return inner is not None and inner.startswith(b'{"') and inner.endswith(b"}")


def _base64(text: bytes) -> bytes | None:
    """Decode both alphabets; padding and unused bits are ignored."""
    text = text.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
    if len(text) % 4 == 1:
        return None
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def is_tokenish(hit: bytes) -> bool:
    if b"://" in hit:
        return False
    words = _NUMBERED_WORDS.fullmatch(hit)
    if words and (words[1] or (words[2] and len(hit) < _LONGEST_WORD)):
        return False
    found = characters(hit)
    if found & DIGITS:
        return True
    inner_upper = bool(characters(hit[1:]) & UPPER)
    return len(hit.decode()) >= _LONGEST_WORD or (bool(found & LOWER) and inner_upper)


def has_digit(hit: bytes) -> bool:
    return len(hit.translate(None, _DIGITS)) != len(hit)


def is_mac(hit: bytes) -> bool:
    digits = hit.translate(None, b":-.")
    return bool(digits.strip(b"0") and digits.strip(b"Ff"))
