"""What stands for a secret and is none: decided by its form."""

import re
from typing import Final

from glasshouse.redaction.ascii import ALNUM, DIGITS, characters
from glasshouse.redaction.names import normalise
from glasshouse.redaction.pair_words import ALGORITHMS, SECRETIVE, SOURCES

# A longer one is a value.
LONGEST: Final = 200

_WORDS: Final = frozenset(
    b"null none nil undefined true false yes no empty n/a redacted filtered masked hidden".split()
)
_BRACKETED: Final = _WORDS | frozenset(
    (
        b"unset",
        b"not set",
        b"sensitive",
        b"sensitive value",
        b"known after apply",
        b"unknown",
        b"omitted",
        b"removed",
        b"protected",
        b"not shown",
        b"secret",
        b"password",
        b"blank",
        b"default",
    )
)
_RUN: Final = re.compile(
    rb"\*+|[xX]{2,}|\.{2,}|-{2,}|_{2,}|#{2,}|(?:\xe2\x80\xa2)+|(?:\xe2\x97\x8f)+|\xe2\x80\xa6"
)
_FORM: Final = re.compile(
    rb"[?-]|[A-Za-z_-]{1,8}(?:\.{3}|\*{3,})|\$[0-9]+|\$[A-Z_][A-Z0-9_]*|\$env:[A-Za-z_][A-Za-z0-9_]*"
    rb"|%(?:\[[0-9]\]|[+#])?[svdqr@]|%\([A-Za-z_][A-Za-z0-9_]*\)s|%\{[A-Za-z_][A-Za-z0-9_]*\}"
    rb"|%{1,2}[A-Z_][A-Z0-9_]*%{1,2}|__[A-Z][A-Z0-9_]*__|@@[A-Z_][A-Z0-9_]*@@|#\{[A-Za-z_@][A-Za-z0-9_.@]*\}"
    rb"|\$\{[A-Za-z_][A-Za-z0-9_.-]*\}|\{[0-9]{0,2}\}"
)
_NAME: Final = re.compile(rb"[:@$][A-Za-z_][A-Za-z0-9_]*")
_DEFAULTED: Final = re.compile(rb"\$\{([A-Za-z_][A-Za-z0-9_.-]*?)(:[-=?+]?|-)")
_PATH: Final = re.compile(
    rb"([A-Za-z_$][A-Za-z0-9_]*)(?:\??\.[A-Za-z_][A-Za-z0-9_-]*|\[[A-Za-z0-9_*]*\]|\(\))+"
)
_OBJECT: Final = re.compile(rb"[A-Za-z_][A-Za-z0-9_.$]*@[0-9a-f]{5,8}")
_DEFAULT_LITERAL: Final = re.compile(rb"default[ (]{1,2}[\"'][^\"'}]")
_LITERAL: Final = re.compile(rb"[\"']([^\"']*)[\"']")
_TEXT: Final = re.compile(rb"[A-Za-z0-9_ .:/|,\x80-\xff-]+")
_WORD: Final = re.compile(rb"[A-Za-z0-9]+")
_BOUND: Final = re.compile(rb"(?:p|v|x|arg|value|param|parameter|user)[0-9]")
# Resolvers that a placeholder may name: ${env:DB_PASSWORD}.
_RESOLVERS: Final = frozenset(
    b"env vault secret secrets ssm file sys self param cf opt secretsmanager aws gcp azure sm"
    b" base64 java main prop docker k8s system".split()
)


def is_mixed(text: bytes) -> bool:
    """Return whether a letter and a digit are in it."""
    found = characters(text)
    return bool(found & DIGITS) and bool(found & (ALNUM - DIGITS))


def describes(text: bytes) -> bool:
    """Return whether a text is a name or a description: no word in it mixes letters and digits.

    describes(b"your token here"), not describes(b"hunter2")
    """
    if _TEXT.fullmatch(text) is None:
        return False
    words = _WORD.findall(text)
    if all(c in DIGITS or c not in ALNUM for c in text) and max(text) < 0x80:
        return False
    return not any(is_mixed(word) and word.lower() not in ALGORITHMS for word in words)


def _in_template(inner: bytes) -> bool:
    """Return whether a template only refers to a secret: no literal in it could be one."""
    if _DEFAULT_LITERAL.search(inner) is not None:
        return False
    return not any(
        is_mixed(literal) and b"/" not in literal and literal != literal.upper()
        for literal in _LITERAL.findall(inner)
    )


def _in_dollars(value: bytes) -> bool:
    """${NAME:-default}, ${env:NAME}, ${{ secrets.NAME }}, $(command)."""
    if value[1:2] == b"(":
        return value.endswith(b")") and not value.startswith((b"$(echo ", b"$(printf "))
    if value[1:2] != b"{" or not value.endswith(b"}"):
        return False
    found = _DEFAULTED.match(value)
    if found is None:
        return _in_template(value[2:-1])
    if found[2] in (b":?", b":+") or (found[2] == b":" and found[1] in _RESOLVERS):
        return True
    default = value[found.end() : -1]
    return not default or is_placeholder(default)


def is_placeholder(value: bytes) -> bool:
    """Return whether a value stands for a secret and is none."""
    if _RUN.fullmatch(value) is not None:
        return True
    if not value or len(value) > LONGEST:
        return False
    if value.lower() in _WORDS or _FORM.fullmatch(value) is not None:
        return True
    first, last = value[:1], value[-1:]
    inner = value[1:-1]
    if first == b"<" and last == b">":
        return b">" not in inner and (describes(inner) or b" object at 0x" in inner)
    if first in b"([" and last in b")]":
        return inner.lower() in _BRACKETED
    if first == b"{" and last == b"}":
        if value[1:2] in (b"{", b"%") and value[-2:-1] == value[1:2].replace(b"{", b"}"):
            return _in_template(inner)
        return describes(inner)
    if first == b"$" and _in_dollars(value):
        return True
    if _NAME.fullmatch(value) is not None:
        name = value[1:]
        if first == b":" and (not is_mixed(name) or _BOUND.fullmatch(name) is not None):
            return True
        return any(word in name.lower() for word in SECRETIVE) and (
            not is_mixed(name) or describes(name)
        )
    path = _PATH.fullmatch(value)
    if path is not None:
        head = normalise(path[1].decode("utf-8", "replace")).encode()
        return (head in SOURCES or head.partition(b"_")[0] in SOURCES) and not any(
            is_mixed(word) for word in _WORD.findall(value)
        )
    return _OBJECT.fullmatch(value) is not None
