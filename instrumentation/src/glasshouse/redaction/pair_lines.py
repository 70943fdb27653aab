"""Pairs without a sign between: a line of a name and a value, a command, a row of a table."""

import re
from typing import Final, NamedTuple

from glasshouse.redaction.pair_names import Name, PairNames
from glasshouse.redaction.pair_prose import looks_secret
from glasshouse.redaction.pair_words import STATES, TYPES

LOOK: Final = 200

_NAMED: Final = re.compile(
    rb"[ \t]{0,32}(\|[ \t]{0,32})?[\"'`]?([A-Za-z0-9_.\x80-\xff-]+)[\"'`]?"
    rb"([ \t]{1,64})(\|[ \t]{1,32})?([^ \t\r\n|]+)([ \t]{0,64}\|?[ \t]{0,8};?)(\r?\n|\Z)"
)
_DIRECTIVE: Final = re.compile(
    rb"[ \t]{0,32}(?:env|ENV|ARG|export|setenv|SetEnv|set|proxy_set_header|add_header"
    rb"|more_set_headers|fastcgi_param|uwsgi_param|RequestHeader set)(?: -[A-Za-z]{1,3})?[ \t]{1,8}"
    rb"[$\"']?([A-Za-z0-9_.-]{2,64})[\"']?[ \t]{1,32}([\"']?)([^ \t\r\n\"';]+)"
)
_COMMAND: Final = re.compile(
    rb"(PASS|AUTH)[ ](?:(LOGIN|PLAIN|XOAUTH2|NTLM|EXTERNAL|CRAM-MD5|SCRAM-SHA-1|SCRAM-SHA-256)[ ])?"
    rb"([A-Za-z_][A-Za-z0-9_.-]{0,31}[ ])?[\"']?([^ \t\r\n\"']+)[\"']?(?:[\r\n]|\Z)"
)
_MECHANISM: Final = re.compile(rb"[A-Z][A-Z-]*[0-9]?")
# A value that is a pair or an address of its own.
_OTHER: Final = re.compile(rb"[A-Za-z_.-]{2,64}[=:]")
# What a command begins after.
_PROMPTS: Final = (b"> ", b": ", b"] ", b"$ ")


class Cell(NamedTuple):
    """A value found without a separator."""

    name: Name
    start: int
    end: int


def in_line(names: PairNames, text: bytes, at: int) -> Cell | None:
    """Find a pair that is the whole line which begins at ``at``."""
    found = _NAMED.match(text, at, at + LOOK)
    if found is not None and not found.end() == at + LOOK < len(text):
        cell = _cell(names, text, found)
        if cell is not None:
            return cell
    found = _DIRECTIVE.match(text, at, at + LOOK)
    if found is None:
        return None
    name = names.of(text, found[1], found.start(1))
    if name is None or _is_word(found[3]):
        return None
    return Cell(name, found.start(3), found.end(3))


def _cell(names: PairNames, text: bytes, found: re.Match[bytes]) -> Cell | None:
    framed, between, bar, value, after = found[1], found[3], found[4], found[5], found[6]
    if framed is not None and (bar is None or b"|" not in after):
        return None
    if framed is None and b"|" in after:
        return None
    name = names.of(text, found[2], found.start(2))
    if name is None or _is_word(value) or _OTHER.match(value) is not None:
        return None
    if bar is None and b"\t" not in between and not looks_secret(value):
        return None
    if name.rule.require_digit_in_prose and not looks_secret(value):
        return None
    start, end = found.start(5), found.end(5)
    if value[:1] in (b'"', b"'") and value[-1:] == value[:1]:
        start, end = start + 1, end - 1
    return Cell(name, start, end)


def _is_word(value: bytes) -> bool:
    low = value.lower().rstrip(b".:;,")
    return low in STATES or low.partition(b"(")[0] in TYPES


def in_command(text: bytes, at: int) -> tuple[int, int] | None:
    """Find the value of PASS or AUTH, as FTP, POP3, Redis and SMTP send it."""
    if at > 0 and text[at - 1] not in b"\r\n\"'" and text[max(0, at - 2) : at] not in _PROMPTS:
        return None
    found = _COMMAND.match(text, at, at + LOOK)
    if found is None or found.end() == at + LOOK < len(text):
        return None
    value, low = found[4], found[4].lower()
    if low in STATES or b"test" in low or b"spec" in low or b"/" in value.rpartition(b".")[0]:
        return None
    if found[1] == b"AUTH" and _MECHANISM.fullmatch(value) is not None:
        return None
    if found[3] is not None and (found[1] == b"PASS" or not looks_secret(value)):
        return None
    return found.start(4), found.end(4)
