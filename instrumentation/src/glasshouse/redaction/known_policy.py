"""The policy that comes with the package, as `policy_file` reads it, kept in a file beside it.

To read and check the text itself at each start took ten times as long. The file says of which
text and of which fields it was made: where these are others, the text itself is read.
"""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final, cast

from glasshouse.redaction.checks import SCHEMES, Check, Part, WeightedSum
from glasshouse.redaction.context import ContextWords
from glasshouse.redaction.emails import EmailPattern
from glasshouse.redaction.limits import Limits
from glasshouse.redaction.needs import Count, Literal, Needs
from glasshouse.redaction.patterns import LatePattern, Pattern, compile_pattern
from glasshouse.redaction.policy import KeyRule, NameWords, NumberNames, Policy, Rule
from glasshouse.redaction.token_table import Run, TokenRow
from glasshouse.redaction.vocabulary import Vocabulary

FILE: Final = Path(__file__).with_name("policy.json")

_RECORDS: Final[tuple[type[Any], ...]] = (
    Check,
    Count,
    KeyRule,
    Limits,
    Literal,
    NameWords,
    Needs,
    NumberNames,
    Part,
    Policy,
    Rule,
    Run,
    TokenRow,
    Vocabulary,
    WeightedSum,
)
_FIELDS: Final = {
    kind: tuple(one.name for one in dataclasses.fields(kind) if one.init) for kind in _RECORDS
}


def read(text: str) -> Policy | None:
    """Return the policy that this text is; ``None`` where the file does not say it."""
    try:
        content = FILE.read_text(encoding="utf-8")
        if not content.startswith(_head(text)):
            return None
        found: Any = json.loads(content, object_hook=_made)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    policy: Any = found.get("policy")
    return policy if isinstance(policy, Policy) else None


def write(text: str, policy: Policy) -> str:
    """Return what the file has to hold: one line for each record of the policy's lists.

    Raises:
        TypeError: something in the policy has no form here.
    """
    parts = ",\n".join(_block(getattr(policy, name)) for name in _FIELDS[Policy])
    return f'{_head(text)}\n"policy": {{"{Policy.__name__}": [\n{parts}\n]}}}}\n'


def _head(text: str) -> str:
    """Return how the file begins: with the text, and how records are written."""
    fields = {kind.__name__: names for kind, names in _FIELDS.items()}
    digest = hashlib.sha256(f"{json.dumps(fields)}\n{text}".encode()).hexdigest()
    return f'{{"of": "{digest}",'


def _block(value: Any) -> str:
    items = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else ()
    if items and all(type(one) in _FIELDS for one in items):
        lines = ",\n".join(json.dumps(_form(one)) for one in items)
        return f"[\n{lines}\n]"
    return json.dumps(_form(value))


def _form(value: Any) -> Any:
    """Return what a value is in JSON: an object of one member is something that JSON lacks."""
    match value:
        case None | bool() | int() | str():
            return value
        case bytes():
            return {"bytes": value.decode()}
        case tuple():
            return _form_of_tuple(cast("tuple[Any, ...]", value))
        case frozenset():
            return _form_of_set(cast("frozenset[Any]", value))
        case Mapping():
            items = cast("Mapping[Any, Any]", value).items()
            return {"map": [[_form(key), _form(one)] for key, one in items]}
        case ContextWords():
            words = [value.words, value.names_only, value.directly]
            return {ContextWords.__name__: [_form(one) for one in words]}
        case LatePattern():
            return {"late": value.pattern}
        case Pattern():
            return {"compiled" if value.groupindex else "late": value.pattern}
        case EmailPattern():
            return {"email": value.is_near}
        case _ if (kind := cast("type[Any]", type(value))) in _FIELDS:
            return {kind.__name__: [_form(getattr(value, name)) for name in _FIELDS[kind]]}
        case _:
            names = [name for name, scheme in SCHEMES.items() if scheme is value]
            if not names:
                raise TypeError(f"{value!r} has no form in {FILE.name}")
            return {"scheme": names[0]}


def _form_of_tuple(value: tuple[Any, ...]) -> Any:
    if value and all(isinstance(one, bytes) for one in value):
        return {"texts": [one.decode() for one in value]}
    return [_form(one) for one in value]


def _form_of_set(value: frozenset[Any]) -> Any:
    if value and all(isinstance(one, bytes) for one in value):
        return {"set": _form(tuple(sorted(value)))}
    if value and all(isinstance(one, int) for one in value):
        return {"characters": bytes(sorted(value)).decode("latin-1")}
    return {"set": sorted(value)}


def _set(items: Iterable[Any]) -> frozenset[Any]:
    return frozenset(items)


# The same few in hundreds of rows: one object stands for all of them.
@functools.cache
def _characters(text: str) -> frozenset[int]:
    return frozenset(text.encode("latin-1"))


def _tuple(value: Any) -> Any:
    if type(value) is not list:
        return value
    return tuple([_tuple(one) for one in cast("list[Any]", value)])


def _record(kind: type[Any], make: Callable[..., Any]) -> Callable[[list[Any]], Any]:
    names = _FIELDS[kind]
    return lambda values: make(**dict(zip(names, map(_tuple, values), strict=True)))


_MAKERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "bytes": str.encode,
    "texts": lambda texts: tuple(map(str.encode, texts)),
    "set": _set,
    "characters": _characters,
    "map": lambda pairs: {key: _tuple(value) for key, value in pairs},
    "late": LatePattern,
    "compiled": compile_pattern,
    "email": lambda near: EmailPattern(near=near),
    "scheme": SCHEMES.__getitem__,
    **{kind.__name__: _record(kind, kind) for kind in _RECORDS},
    Run.__name__: _record(Run, functools.cache(Run)),
    ContextWords.__name__: lambda of: ContextWords.of(_tuple(of[0]), of[1], directly=of[2]),
}


def _made(found: dict[str, Any]) -> Any:
    if len(found) == 1:
        ((name, value),) = found.items()
        if (make := _MAKERS.get(name)) is not None:
            return make(value)
    return found
