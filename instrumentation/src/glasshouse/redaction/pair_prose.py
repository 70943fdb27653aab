"""What stands after a name and is no value of it: words of a sentence, a state, a directory."""

import re
from typing import Final

from glasshouse.redaction.ascii import ALNUM, LOWER, UPPER, characters
from glasshouse.redaction.names import normalise
from glasshouse.redaction.pair_names import Name
from glasshouse.redaction.pair_values import Value
from glasshouse.redaction.pair_words import (
    ABOUT_THINGS,
    NAMED,
    PARSED,
    SENTENCES,
    STATES,
    TYPES,
    UNITS,
    VERBS,
    WRAPPERS,
)
from glasshouse.redaction.placeholders import is_mixed
from glasshouse.redaction.tokens import has_digit

LOOK: Final = 64
# A pin of a circuit has no more digits, a PIN no less than one more.
MOST_DIGITS_IN_PROSE: Final = 2
LONGEST_WORD: Final = 12
LONGEST_SENTENCE: Final = 200
LONGEST_NUMBER: Final = 4
FEWEST_MIXED: Final = 6
FEWEST_MIXED_CASE: Final = 16

_OF_SECRETS: Final = ALNUM | frozenset(b"+/=_-")
_CODE: Final = frozenset(
    (b"await", b"yield", b"return", b"lambda", b"async", b"function", b"typeof", b"not")
)
_FRACTION: Final = re.compile(rb"[0-9]{1,12}\.[0-9]{1,6}")
_RESULT: Final = re.compile(rb"[0-9]{1,4}|[0-9]{1,6}(?:\.[0-9]{1,6})?(?:%|ms|s|/[0-9]{1,6})[.)]?")
FILE: Final = re.compile(
    rb"(?:~|/(?:etc|run|var|home|root|usr|opt|tmp|srv|app|mnt|secrets|dev|proc))(?:/[A-Za-z0-9._-]+)+"
)
_SOURCE_FILE: Final = re.compile(
    rb"\.(?:am|bash|c|cc|clj|cpp|cs|css|cxx|erl|ex|exs|go|h|hh|hpp|hs|html|in|java|js|jsx|kt|lua|m4|md|mjs"
    rb"|mk|php|pl|pm|po|proto|py|rb|rs|rst|scala|sh|swift|tex|ts|tsx|txt|vue|ya?ml)\Z"
)
_SHELL: Final = frozenset((b"PWD", b"OLDPWD"))
_DIRECTORY: Final = re.compile(rb"[/~\\.]|[A-Za-z]:[/\\]")
_VERSION: Final = re.compile(rb"[vV]?[0-9]+(?:[._-][0-9]+)*")
_NEXT_WORD: Final = re.compile(rb"[ \t]{1,3}[\"']?([A-Za-z'/_-]{1,24})")
_CALLED: Final = re.compile(rb"([A-Za-z_][A-Za-z_.]*)\([A-Za-z_.]*\)?")
_GENERIC: Final = re.compile(rb"([A-Za-z]+)(?:\[[A-Za-z, |]*\]|<[A-Za-z, ]*>)?[?;]?")
_NUMBERED: Final = re.compile(rb"(?:0x[0-9a-f]{1,16}|[0-9]{1,10})(?:[, ]|\Z)")
# A handle of the process or cluster, a name in a name space of domains.
_HANDLE: Final = re.compile(
    rb"0x[0-9a-f]{1,16}[.)]?|(?:com|org|net|io|dev|java|javax|android|system)(?:\.[A-Za-z_-]+)+(?:/[0-9]+)?:?"
)
_RESOURCE: Final = re.compile(rb"(?:\A|[^A-Za-z])(?:arn|urn):[^ \t\r\n\"',]*\Z")


def looks_secret(value: bytes) -> bool:
    """Return whether a value that stands in a sentence can be believed to be a secret."""
    if is_mixed(value):
        return len(value) >= FEWEST_MIXED and _VERSION.fullmatch(value) is None
    found = characters(value)
    return (
        len(value) >= FEWEST_MIXED_CASE
        and bool(found & UPPER and found & LOWER)
        and found <= _OF_SECRETS
    )


def is_prose(text: bytes, name: Name, operator: bytes, value: Value) -> bool:
    """Return whether what stands after the separator is no value."""
    content = text[value.start : value.end]
    weak = name.rule.require_digit_in_prose
    colon = operator == b":"
    spoken = weak and colon and value.spaced and not value.quoted and not has_digit(content)
    if spoken and (name.single or _begins_a_subject(text, value.end, content)):
        return True
    if colon and _SOURCE_FILE.search(name.text) is not None:
        return True
    if not value.quoted and _is_small(content, weak=weak):
        return True
    if weak and not value.quoted and _HANDLE.fullmatch(content) is not None:
        return True
    if weak and value.many and not has_digit(content):
        return True
    if weak and colon and _word_before(text, name.start) in PARSED:
        return True
    if name.rule.query and _is_word_of_a_query(name, content):
        return True
    if _is_file(name, content) or _is_result(name, operator, content):
        return True
    if (value.quoted or value.many) and _is_sentence(content):
        return True
    if colon and not value.spaced and name.start > 0 and text[name.start - 1] == 0x3A:
        low = max(0, name.start - 4 * LOOK)
        if _RESOURCE.search(text[low : name.start]) is not None:
            return True
    if value.quoted:
        return weak and _is_about_a_thing(text, name, value)
    if name.rule.line and _is_no_header(operator, content):
        return True
    if _is_state(content) or _is_expression(content):
        return True
    if colon and _is_type(content):
        return True
    if _is_itself(name, operator, value, content):
        return True
    return value.spaced and _begins_a_sentence(text, name, operator, value)


def _begins_a_subject(text: bytes, end: int, content: bytes) -> bool:
    """pre_shared_key: limit the size; a word of small letters before another."""
    return (
        frozenset(content) <= LOWER
        and text[end : end + 1] == b" "
        and text[end + 1 : end + 2].islower()
    )


def is_apart(text: bytes, value: Value, content: bytes) -> bool:
    """Return whether a value is believed although something stands between it and its name."""
    if value.quoted or looks_secret(content):
        return True
    return text[value.end : value.end + 1] in (b"", b"\r", b"\n") and value.spaced


def _word_before(text: bytes, start: int) -> bytes:
    end = start - 1
    if end < 1 or text[end] != 0x20:
        return b""
    i = end
    while i > 0 and (text[i - 1] in ALNUM or text[i - 1] == 0x2F) and end - i < LONGEST_WORD:
        i -= 1
    return text[i:end].lower()


def _is_word_of_a_query(name: Name, content: bytes) -> bool:
    """?key=lat names a column, ?code=404 an answer."""
    if name.text.lower() == b"pass":
        return False
    if len(content) <= LONGEST_NUMBER and content.isdigit():
        return True
    return len(content) <= LONGEST_WORD and all(c in LOWER or c in b"_-" for c in content)


def _is_no_header(operator: bytes, content: bytes) -> bool:
    """cookies: disabled, authorization: not sent, cookie=0x1f in a flow of packets."""
    first, _, rest = content.partition(b" ")
    first = first.lower()
    if _is_state(first) or (rest and first in SENTENCES):
        return True
    return operator == b"=" and _NUMBERED.match(content) is not None


def _is_state(content: bytes) -> bool:
    return content.rstrip(b".!?)(:").lower() in STATES


def _is_type(content: bytes) -> bool:
    found = _GENERIC.fullmatch(content)
    return found is not None and found[1].lower() in TYPES


def _is_expression(content: bytes) -> bool:
    """get_token() is no literal."""
    found = _CALLED.fullmatch(content)
    if found is None:
        return False
    return normalise(found[1].decode("utf-8", "replace")).encode() not in WRAPPERS


def _begins_a_sentence(text: bytes, name: Name, operator: bytes, value: Value) -> bool:
    content, end = text[value.start : value.end], value.end
    after = _NEXT_WORD.match(text, end, end + LOOK)
    if after is None:
        return False
    if operator != b":":
        return content in _CODE
    if len(content) < LONGEST_NUMBER and content.isdigit():
        return after[1].lower() in UNITS
    low = content.lower()
    if low == name.text.lower() and after[1].lower() in SENTENCES:
        return True
    weak = name.rule.require_digit_in_prose
    return low in SENTENCES or (weak and content.isalpha() and len(content) <= LONGEST_WORD)


def _is_small(content: bytes, *, weak: bool) -> bool:
    """One or two digits are no secret, one is a flag; nor is a fraction."""
    if not weak:
        return len(content) == 1 and content.isdigit()
    return len(content) <= MOST_DIGITS_IN_PROSE or _FRACTION.fullmatch(content) is not None


def _is_file(name: Name, content: bytes) -> bool:
    """PWD is the shell's directory; of a key, /etc/ssl/key.pem says where it is."""
    if name.text in _SHELL and _DIRECTORY.match(content) is not None:
        return True
    return FILE.fullmatch(content) is not None


def _is_result(name: Name, operator: bytes, content: bytes) -> bool:
    """PASS: TestLogin, pass=12, pass: 98.2% are of tests."""
    if name.text.lower() != b"pass":
        return False
    return (operator == b":" and name.text == b"PASS") or _RESULT.fullmatch(content) is not None


def _is_sentence(content: bytes) -> bool:
    """Several words without a digit in them, one of them a verb."""
    if content.count(b" ") < 2 or len(content) > LONGEST_SENTENCE:
        return False
    words = [word.rstrip(b".,:'\"").lstrip(b"'\"").lower() for word in content.split(b" ")]
    return not any(map(is_mixed, words)) and any(word in VERBS for word in words)


def _is_itself(name: Name, operator: bytes, value: Value, content: bytes) -> bool:
    """self.password = password names a variable twice; PublicKeyToken is not secret."""
    if name.text == b"PublicKeyToken":
        return True
    if operator != b"=" or not value.spaced or b"." not in name.text:
        return False
    return content.rstrip(b";") == name.text.rpartition(b".")[2]


def _is_about_a_thing(text: bytes, name: Name, value: Value) -> bool:
    """A Kubernetes secret has a name: secret: "tls" not found."""
    if normalise(name.text.decode("utf-8", "replace")).encode() not in NAMED:
        return False
    return text.startswith(ABOUT_THINGS, value.end + 1)
