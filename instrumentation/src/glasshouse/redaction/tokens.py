"""Validators of addresses and tokens."""

import base64
import binascii

from glasshouse.redaction.ascii import DIGITS, LOWER, UPPER


def is_email(hit: bytes) -> bool:
    at, size = hit.rfind(b"@"), 1
    if at < 0:
        at, size = hit.rfind(b"%40"), 3
    if at < 1:
        return False
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
    found = set(hit)
    if found & DIGITS:
        return True
    inner_upper = bool(set(hit[1:]) & UPPER)
    return len(hit.decode()) >= 20 or (bool(found & LOWER) and inner_upper)


def has_digit(hit: bytes) -> bool:
    return any(c in DIGITS for c in hit)


def is_mac(hit: bytes) -> bool:
    digits = hit.translate(None, b":-.")
    return bool(digits.strip(b"0") and digits.strip(b"Ff"))
