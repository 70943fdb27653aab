"""Validators of addresses and tokens."""

import base64
import binascii
import re
from typing import Final

from glasshouse.redaction.ascii import DIGITS, LOWER, UPPER

# Words of one case each, with single signs between them, perhaps a short number at the end:
# validation-error-12, protocol2.
_NUMBERED_WORDS: Final = re.compile(
    rb"(?:[A-Z]?[a-z]+|[A-Z]+)((?:[-_./:|](?:[A-Z]?[a-z]+|[A-Z]+))*)"
    rb"((?:[-_./:|]?[0-9]{1,5})?)[.:]*"
)
_LONGEST_WORD: Final = 20


def is_email(hit: bytes) -> bool:
    at, size = hit.rfind(b"@"), 1
    if at < 0:
        at, size = hit.rfind(b"%40"), 3
    local, domain = hit[:at], hit[at + size :]
    if local == b"git" or local.startswith(b".") or local.endswith(b"."):
        return False
    labels = domain.split(b".")
    if any(not label or label.startswith(b"-") or label.endswith(b"-") for label in labels):
        return False
    last = labels[-1].decode()
    if (last[0].isascii() and not last[0].isalpha()) or len(last) < 2:
        return False
    return labels[-1].lower().startswith(b"xn--") or not any(
        c in b"0123456789-" for c in labels[-1]
    )


def is_jwt(hit: bytes) -> bool:
    header = _base64(hit.partition(b".")[0])
    if header is None or not header.startswith(b'{"'):
        return False
    return any(name in header for name in (b'"alg"', b'"enc"', b'"typ"', b'"kid"'))


def is_basic_auth(hit: bytes) -> bool:
    decoded = _base64(hit)
    return decoded is not None and b":" in decoded and min(decoded) >= 0x20


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
    found = set(hit)
    if found & DIGITS:
        return True
    inner_upper = bool(set(hit[1:]) & UPPER)
    return len(hit.decode()) >= _LONGEST_WORD or (bool(found & LOWER) and inner_upper)


def has_digit(hit: bytes) -> bool:
    return any(c in DIGITS for c in hit)


def is_mac(hit: bytes) -> bool:
    digits = hit.translate(None, b":-.")
    return bool(digits.strip(b"0") and digits.strip(b"Ff"))
