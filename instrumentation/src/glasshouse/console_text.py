"""Redacted console text that may hold the escape sequences of a coloured terminal."""

import re
from typing import Final

from glasshouse.redaction import Redactor

# ECMA-48 control sequences: colours, and whatever else a terminal takes.
_ESCAPES: Final = re.compile(r"(\x1b\[[0-?]*[ -/]*[@-~])")


def redacted_text(text: str) -> str:
    """Return a line, or several, as it may be shown. Never raises; bounded for the caller's thread.

    Colours stay unless what is sensitive stands across them. The line break at the end stays, too.
    """
    body = text.rstrip("\n")
    end = text[len(body) :]
    if "\x1b" not in body:
        return Redactor.default().for_caller().text(body) + end
    # An escape sequence ends in a letter, which would hide the beginning of the word behind it.
    parts = _ESCAPES.split(body)
    plain = "".join(parts[::2])
    redacted = Redactor.default().for_caller().text(plain)
    if redacted == plain:
        return text
    redactor = Redactor.default().for_caller()
    parts[::2] = [redactor.text(part) for part in parts[::2]]
    same = "".join(parts[::2]) == redacted
    return ("".join(parts) if same else redacted) + end
