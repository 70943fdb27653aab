"""Names split into their words."""

import functools
from typing import Final

# Latin letters with marks, from U+00C0 and from U+1E00, as they are read in names: without the
# mark. `_` ends a word.
_LATIN: Final = (
    "AAAAAAACEEEEIIIIDNOOOOO_OUUUUYTsaaaaaaaceeeeiiiidnooooo_ouuuuyty"
    "AaAaAaCcCcCcCcDdDdEeEeEeEeEeGgGgGgGgHhHhIiIiIiIiIiIiJjKkkLlLlLlLlLl"
    "NnNnNnnNnOoOoOoOoRrRrRrSsSsSsSsTtTtTtUuUuUuUuUuUuWwYyYZzZzZzs"
)
_VIETNAMESE: Final = (
    "AaBbBbBbCcDdDdDdDdDdEeEeEeEeEeFfGgHhHhHhHhHhIiIiKkKkKkLlLlLlLlMmMmMm"
    "NnNnNnNnOoOoOoOoPpPpRrRrRrRrSsSsSsSsSsTtTtTtTtUuUuUuUuUuVvVvWwWwWwWwWwXxXxYyZzZzZz"
    "htwyasssSsAaAaAaAaAaAaAaAaAaAaAaAaEeEeEeEeEeEeEeEeIiIiOoOoOoOoOoOoOoOoOoOoOoOo"
    "UuUuUuUuUuUuUuYyYyYyYyssssss"
)
_ENDS_WORD: Final = "_"
# How long a name may be to be remembered.
_LONGEST_KNOWN: Final = 64
_MOST_KNOWN: Final = 4096
_DIGIT, _UPPER, _LOWER = 1, 2, 3


def normalise(name: str) -> str:
    """Split a name into its words and join them by underscores.

    normalise("http.request.header.X-APIKey")   # "http_request_header_x_api_key"
    normalise("Contraseña2")                    # "contrasena_2"
    """
    return _normalise(name) if len(name) > _LONGEST_KNOWN else _known(name)


def _normalise(name: str) -> str:
    out: list[str] = []
    before, gap, capitals = 0, False, -1
    for i, raw in enumerate(name):
        c = raw if raw.isascii() else _folded(raw)
        if not c:
            continue
        if "a" <= c <= "z":
            kind = _LOWER
        elif "A" <= c <= "Z":
            kind, c = _UPPER, c.lower()
        elif "0" <= c <= "9":
            kind = _DIGIT
        elif c.isascii():
            before, gap, capitals = 0, True, -1
            continue
        else:
            kind, c = _case(c)
        if before:
            if (kind == _DIGIT) != (before == _DIGIT) or (kind == _UPPER and before == _LOWER):
                gap = True
            elif kind == _LOWER and capitals > 0 and not _is_plural(c, name[i + 1 : i + 2]):
                out.insert(capitals, _ENDS_WORD)  # the last capital begins this word: APIKey
        if gap and out:
            out.append(_ENDS_WORD)
        gap = False
        capitals = len(out) if kind == _UPPER and before == _UPPER else -1
        before = kind
        out.append(c)
    return "".join(out)


def _is_plural(c: str, following: str) -> bool:
    """Return whether a letter behind capitals is a plural s, as in userIDs."""
    return c == "s" and not "a" <= following <= "z"


_known = functools.lru_cache(_MOST_KNOWN)(_normalise)


def _folded(c: str) -> str:
    """Return a character beyond ASCII as it is read; nothing if it does not count."""
    r = ord(c)
    if 0xC0 <= r < 0xC0 + len(_LATIN):
        return _LATIN[r - 0xC0]
    if 0x1E00 <= r < 0x1E00 + len(_VIETNAMESE):
        return _VIETNAMESE[r - 0x1E00]
    if 0xFF10 <= r <= 0xFF19 or 0xFF21 <= r <= 0xFF3A or 0xFF41 <= r <= 0xFF5A:  # full width
        return chr(r - 0xFEE0)
    # Soft hyphen, marks, zero width.
    if r in (0xAD, 0x2060, 0xFEFF) or 0x300 <= r <= 0x36F or 0x200B <= r <= 0x200D:
        return ""
    if (
        r < 0xC0
        or 0x2000 <= r <= 0x2BFF
        or 0x3000 <= r <= 0x303F
        or 0xD800 <= r <= 0xDFFF
        or 0xFF00 <= r <= 0xFF20
        or r == 0xFFFD
    ):
        return _ENDS_WORD
    return c


def _case(c: str) -> tuple[int, str]:
    r = ord(c)
    if 0x391 <= r <= 0x3A9 or 0x410 <= r <= 0x42F:  # Greek, Cyrillic
        return _UPPER, chr(r + 32)
    if 0x400 <= r <= 0x40F:
        return _UPPER, chr(r + 80)
    return _LOWER, c
