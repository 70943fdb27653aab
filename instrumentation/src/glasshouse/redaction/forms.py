"""Validators of what stands where a secret would: values of options and of names."""

import re
from typing import Final

from glasshouse.redaction.ascii import DIGITS, LOWER, characters

# Letters in a case that words have: lower, UPPER, Capital, camelCase; blanks and marks between.
# A part of more than 20 letters is random.
_RUN: Final = re.compile(rb"[A-Za-z]+")
_PART: Final = re.compile(rb"(?:[A-Z]+|^)[a-z]*")
_MARKS: Final = re.compile(rb"[ _\-.,:;!?'\"/()*&A-Za-z]*")
_CASED: Final = re.compile(rb"[A-Z]+|[A-Z]?[a-z]+(?:[A-Z][a-z]+){0,3}")
# A size in brackets, as of varchar(255).
_SIZE: Final = re.compile(rb"(?<=.)\([0-9, ]*\)\Z", re.DOTALL)
_LONGEST_WORD: Final = 20
_SHORTEST_PARAMETER_TOKEN: Final = 6

_NOT_VALUES: Final = frozenset(
    b"""
    a an and are argument arguments as at be been but by can cannot could does env fd file flag
    flags for from given has have http https if in instead is it may missing must need needed
    needs nor not of on only or option options parameter path prompt provided required requires
    set setting should specified ssh stdin str string text that the then this to used using
    value values via was were when which will with without would
    """.split()
)
_ELSEWHERE: Final = (b"$(", b"${", b"$env:", b"`", b"env:", b"file:", b"fd:", b"@/", b"/dev/")
_CAPITALS: Final = re.compile(rb"[A-Z_]*")
_GROUP: Final = re.compile(rb"[0-9]*|[a-z_-]*")


def is_not_words(value: bytes) -> bool:
    """Return whether a value is more than words."""
    value = _SIZE.sub(b"", value)
    if _MARKS.fullmatch(value) is None:
        return True
    return any(
        _CASED.fullmatch(run) is None or max(map(len, _PART.findall(run))) > _LONGEST_WORD
        for run in _RUN.findall(value)
    )


def is_option_value(value: bytes) -> bool:
    """Return whether what follows an option is its value.

    It is no word of a sentence, no NAME in capitals, no reference to where the value is.
    """
    if not is_not_placeholder(value):
        return False
    word = value.rstrip(b".,:;)]}")
    if len(word) == 1 and word.isdigit():
        return False
    if word.lower() in _NOT_VALUES or _CAPITALS.fullmatch(word) or value.startswith(_ELSEWHERE):
        return False
    return not (len(value) > 2 and value.startswith(b"%") and value.endswith(b"%"))


def is_user_password(value: bytes) -> bool:
    """Return whether user:password is no user:group, which are numbers or names."""
    return _GROUP.fullmatch(value.partition(b":")[2]) is None and is_not_placeholder(value)


def is_not_placeholder(value: bytes) -> bool:
    """Return whether a value, or what stands behind its colon, is no placeholder."""
    from glasshouse.redaction.placeholders import is_placeholder

    _, colon, password = value.partition(b":")
    return not is_placeholder(password if colon else value)


def is_not_path(value: bytes) -> bool:
    """Return whether a value is no path of words, which would say where the secret is."""
    return not value.startswith(b"/") or is_not_words(value)


def is_lower_and_digit(value: bytes) -> bool:
    """Return whether a value is a password of any kind, and no method's name in capitals."""
    found = characters(value)
    return bool(found & LOWER and found & DIGITS)


def is_not_name(value: bytes) -> bool:
    """Return whether a value is no name of a user: words, perhaps with a number at the end."""
    return is_not_words(value.rstrip(b"0123456789"))


def is_parameter_token(value: bytes) -> bool:
    """Return whether the value of a parameter is a token, and no word or small number."""
    token = value.partition(b"#")[0]
    return len(token) >= _SHORTEST_PARAMETER_TOKEN and is_not_words(token)
