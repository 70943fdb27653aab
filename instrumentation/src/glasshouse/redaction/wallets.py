"""Validators of wallet addresses, by their checksums."""

import base64
import hashlib
from typing import Final

from glasshouse.redaction.ascii import is_mixed_case

_BITCOIN: Final = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_XRP: Final = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz"
_BECH32: Final = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32M: Final = 0x2BC830A3
_GENERATOR: Final = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_SEGWIT: Final = frozenset({b"bc", b"tb", b"bcrt", b"ltc", b"tltc"})
_LONGEST_DECODED: Final = 48
_PAYLOADS: Final = frozenset({25, 26, 27, 37, 38})
# The bytes of a Solana key, and of a Polkadot one with its prefix and checksum.
_KEYS: Final = frozenset({32, 35})
# The program of a Taproot output.
_TAPROOT: Final = 32


def is_base58check(hit: bytes) -> bool:
    if not is_mixed_case(hit):
        return False
    if hit[:1] == b"r":
        decoded = _base58(hit, _XRP)
        return decoded is not None and len(decoded) == 25 and _checksum_holds(decoded)
    decoded = _base58(hit, _BITCOIN)
    return decoded is not None and len(decoded) in _PAYLOADS and _checksum_holds(decoded)


def is_base58_key(hit: bytes) -> bool:
    if not is_mixed_case(hit):
        return False
    decoded = _base58(hit, _BITCOIN)
    return decoded is not None and len(decoded) in _KEYS


def _base58(text: bytes, alphabet: bytes) -> bytes | None:
    number = 0
    for c in text:
        value = alphabet.find(c)
        if value < 0:
            return None
        number = number * 58 + value
    body = number.to_bytes((number.bit_length() + 7) // 8, "big")
    if len(body) > _LONGEST_DECODED:
        return None
    zeros = len(text) - len(text.lstrip(alphabet[:1]))
    return bytes(zeros) + body


def _checksum_holds(payload: bytes) -> bool:
    digest = hashlib.sha256(hashlib.sha256(payload[:-4]).digest()).digest()
    return digest[:4] == payload[-4:]


def is_bech32(hit: bytes) -> bool:
    """Follow BIP 173 and BIP 350."""
    low = hit.lower()
    if hit not in (low, hit.upper()):
        return False
    one = low.rfind(b"1")
    hrp, data = low[:one], low[one + 1 :]
    if one < 1 or len(data) < 6:
        return False
    values = [_BECH32.find(c) for c in data]
    if min(values) < 0:
        return False
    total = 1
    for value in [*(c >> 5 for c in hrp), 0, *(c & 31 for c in hrp), *values]:
        top = total >> 25
        total = (total & 0x1FFFFFF) << 5 ^ value
        for i, generator in enumerate(_GENERATOR):
            if top >> i & 1:
                total ^= generator
    if total not in (1, _BECH32M):
        return False
    if hrp in _SEGWIT:
        return len(low) <= 90 and _is_segwit(values[:-6], plain=total == 1)
    return True


def _is_segwit(values: list[int], *, plain: bool) -> bool:
    if not values or values[0] > 16:
        return False
    program, rest = divmod((len(values) - 1) * 5, 8)
    if rest > 4 or (rest > 0 and values[-1] & ((1 << rest) - 1)):
        return False
    if values[0] == 0:
        return plain and program in (20, 32)
    # BIP 173 gave later versions the older checksum, too: such addresses exist, but for Taproot.
    return 2 <= program <= 40 and (not plain or program != _TAPROOT)


def is_other_wallet(hit: bytes) -> bool:
    """Check a Stellar key (SEP 23); the other forms of its rule have no checksum here."""
    if len(hit) != 56 or hit[:1] not in (b"G", b"S"):
        return True
    key = base64.b32decode(hit)
    if key[0] not in (0x30, 0x90):
        return False
    crc = 0
    for byte in key[:33]:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return key[33:] == crc.to_bytes(2, "little")
