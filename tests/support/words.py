"""Words that nobody has used before."""

import secrets
import string
from typing import Final

_LETTERS: Final = 12


def fresh(before: str = "") -> str:
    """Return a new word behind the one given.

    Of letters alone: of hexadecimal digits one in some thousands is a card's or an id's number,
    which redaction masks.
    """
    return before + "".join(secrets.choice(string.ascii_lowercase) for _ in range(_LETTERS))
