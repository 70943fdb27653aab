"""`Redactor`: the engine for Python values."""

import contextlib
import dataclasses
import functools
import logging
import os
import re
from collections.abc import Callable, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, Final, cast

from glasshouse import native
from glasshouse.pseudonym import current_hmac_key
from glasshouse.redaction import budget, policy
from glasshouse.redaction.arguments import are_arguments
from glasshouse.redaction.counting import count_cut, count_value
from glasshouse.redaction.engine import Engine
from glasshouse.redaction.errors import OwnKeyError, PolicyError, UnknownRuleError
from glasshouse.redaction.keys import KeyInfo
from glasshouse.redaction.looks import Looks
from glasshouse.redaction.masks import UNCHECKED, UNCHECKED_RULE
from glasshouse.redaction.parts import (
    KIND,
    PAIR,
    SECRET,
    holds_name,
    holds_value,
    is_secret_member,
)
from glasshouse.redaction.remembered import Hits, Remembered, Sized, is_lone_id

_logger: Final = logging.getLogger(__name__)
POLICY_VARIABLE: Final = "GLASSHOUSE_REDACTION_POLICY"
DISABLED_VARIABLE: Final = "GLASSHOUSE_REDACTION_DISABLE"
OWN_KEYS_VARIABLE: Final = "GLASSHOUSE_REDACTION_OWN_KEYS"
# As the Collector's `own_keys`: a card under such a name is stored, so other names are refused.
_OWN_KEY: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*_id")
SHORTEST_KEY: Final = 16
# Lists and maps in each other; what lies deeper is replaced whole.
MOST_LEVELS: Final = 32
# Of one log record, for all that is in it.
CALLER_CHARACTERS: Final = 32 << 10
# Clean texts, and texts in which something was found.
MOST_REMEMBERED: Final = 8192
MOST_HITS_REMEMBERED: Final = 2048
LONGEST_REMEMBERED: Final = 512
# Of longer ones, so that the console and the exporter do not redact the same twice.
MOST_LONG_BYTES: Final = 1 << 20
_CLEAN: Final = ""  # no text becomes that


class Redactor:
    """Returns redacted copies of texts and values. Never raises, never changes its argument.

    redactor.text("mail jane@example.com")          # "mail [email:60f1…]"
    redactor.value({"password": "hunter2"})         # {"password": "[password]"}
    redactor.value(4111111111111111)                # "[card:1111]"

    What is sensitive, and what takes its place, is in `redaction/rules.yaml`; the exact meaning
    in `redaction/README.md`. The Collector's `pii` processor gives the same bytes.
    """

    def __init__(
        self,
        engine: Engine,
        unchecked: Callable[[], None] | None = None,
        looks: Looks | None = None,
    ) -> None:
        self._engine = engine
        self.looks = looks
        self._unchecked = unchecked
        self._count = self._counted  # bound once: it goes along with every text
        self._clean: Remembered[tuple[str, str], bool] = Remembered(MOST_REMEMBERED)
        self._hits = Hits(Remembered(MOST_HITS_REMEMBERED), engine.pseudonym_secret)
        self._long = Hits(Sized(MOST_LONG_BYTES), engine.pseudonym_secret)

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        *,
        key: bytes | Callable[[], bytes],
        disable: Sequence[str] = (),
        mask_private_ips: bool = False,
        own_keys: Sequence[str] = (),
        unchecked: Callable[[], None] | None = None,
    ) -> "Redactor":
        """Read the policy at ``path``, by default the one that comes with this package.

        ``key`` is the secret of the pseudonyms, 16 bytes or more, or a function that returns the
        one to use, called for each pseudonym. ``disable`` names rules and
        entities that are not looked for. ``own_keys`` are names of ids, such as ``booking_id``,
        that are no card or number of a person, beside those of the policy. ``unchecked`` is called
        each time that something becomes ``[unchecked]``.

        Raises:
            PolicyError: the policy, the key or a name is unusable; names file, line and rule.
        """
        length = len(key if isinstance(key, bytes) else key())
        if length < SHORTEST_KEY:
            raise PolicyError(f"the HMAC key has {length} bytes, it needs {SHORTEST_KEY}")
        file = path or policy.packaged_policy()
        rules = policy.load(file, disable)
        if own_keys:
            for name in own_keys:
                _check_own_key(name, rules.exempt_numbers.unless)
            rules = dataclasses.replace(rules, own_keys=rules.own_keys | frozenset(own_keys))
        if slow := [rule.name for rule in rules.rules if rule.is_tried_on_all]:
            _logger.warning(
                "policy %s: tried on every text, which is slow: %s", file, ", ".join(slow)
            )
        engine = Engine(rules, key, mask_private_ips=mask_private_ips)
        return cls(engine, unchecked, engine.looks())

    @classmethod
    def default(cls) -> "Redactor":
        """Return the redactor of this process, made once.

        ``GLASSHOUSE_REDACTION_POLICY`` is the path of another policy,
        ``GLASSHOUSE_REDACTION_DISABLE`` names rules to leave out, with commas,
        ``GLASSHOUSE_REDACTION_OWN_KEYS`` ids of one's own. The key is that of
        `glasshouse.user_pseudonym`. What becomes ``[unchecked]`` is counted in the metric
        ``glasshouse.redaction.unchecked``.

        Raises:
            ConfigurationError: the policy or the key is unusable.
        """
        return _default()

    def for_caller(self, characters: int = CALLER_CHARACTERS) -> "Redactor":
        """Return one for a single record, on a thread that must not wait: it cuts what is longer.

        What it cuts is counted in ``glasshouse.redaction.cut``.
        """
        # That module builds on this one.
        from glasshouse.redaction.bounded import BoundedRedactor

        return BoundedRedactor(self, count_cut, characters)

    def prepare(self) -> None:
        """Make now what is otherwise made at its first use, which takes longer than a text."""
        self._engine.prepare()

    def text(self, text: str) -> str:
        """Return ``text`` without what is sensitive in it; the same object if there is nothing."""
        return self._string("", text)

    def value(self, value: Any, key: str = "") -> Any:
        """Return a redacted copy of any value that stands under ``key``.

        Maps, lists, tuples, sets, numbers, bytes and strings are treated as what they are, other
        objects as their text. What cannot be checked becomes ``[unchecked]``.
        """
        try:
            return self._value(key, value, 0)
        # The caller's objects run here (``__str__``, ``items``): they may raise anything.
        except Exception:  # noqa: BLE001 (see above)
            return self._marker()

    def name(self, key: str) -> str:
        """Return a map key without what is sensitive in it."""
        try:
            changed = self._engine.name(key, self._count)
        except Exception:  # noqa: BLE001 (a defect of ours must not reach the application)
            return self._marker()
        return key if changed is None else changed.decode("utf-8", "replace")

    def _marker(self) -> str:
        self._count(UNCHECKED_RULE)
        return UNCHECKED

    def _counted(self, rule: str) -> None:
        if rule == UNCHECKED_RULE and self._unchecked is not None:
            # A counter that breaks must not reach the application.
            with contextlib.suppress(Exception):
                self._unchecked()

    def _string(self, key: str, text: str) -> str:
        if self._clean.get((key, text)):
            return text
        try:
            return self._searched(key, text)
        except Exception:  # noqa: BLE001 (a defect of ours must not reach the application)
            return self._marker()

    def _searched(self, key: str, text: str) -> str:
        if self.looks is not None and self.looks.is_clean(key, text):
            return text
        info = self._engine.key_info(key)
        is_long = len(text) > LONGEST_REMEMBERED
        remembered = is_long or not is_lone_id(text)
        hits, mark, secret = None, b"", b""
        # What goes whole costs nothing, and its hash would only be one more copy of a secret.
        if remembered and info.secret is None and not info.user:
            hits = self._long if is_long else self._hits
            # The console and OTLP have names of their own for a record's parts.
            mark = hits.mark("" if is_long and self._engine.is_as_unnamed(info) else key, text)
            if (known := hits.get(mark)) is not None:
                return text if known == _CLEAN else known
            secret = self._engine.pseudonym_secret()
        encoded = text.encode("utf-8", "replace")
        if len(encoded) > budget.LONG:
            with budget.long():
                changed = self._engine.string(info, encoded, self._count)
        else:
            changed = self._engine.string(info, encoded, self._count)
        if changed is None:
            if not is_long and remembered:
                self._clean.put((key, text), True)
            elif hits is not None:
                hits.put(mark, _CLEAN, secret)
            return text
        redacted = changed.decode("utf-8", "replace")
        # What could not be checked is counted each time.
        if hits is not None and UNCHECKED not in redacted:
            hits.put(mark, redacted, secret)
        return redacted

    def _value(self, key: str, value: Any, level: int, *, within: bool = False) -> Any:
        if value is None or isinstance(value, bool):
            return value
        # A text of another class may say something else when it is printed.
        if isinstance(value, str):
            return self._string(key, str.__str__(value))
        info = self._engine.key_info(key)
        if isinstance(value, int):
            changed = self._engine.number(info, b"%d" % value, self._count)
            return value if changed is None else changed.decode()
        if isinstance(value, float):
            changed = self._engine.fraction(info, value, self._count)
            return value if changed is None else changed.decode()
        if isinstance(value, bytes | bytearray | memoryview):
            return self._bytes(info, bytes(cast(bytes, value)))
        if isinstance(value, Mapping | Sequence | Set):
            return self._container(key, info, value, level, within)
        return self._string(key, str(value))

    def _bytes(self, info: KeyInfo, value: bytes) -> bytes | str:
        if info.secret is not None:
            return self._engine.secret(info, self._count).decode() if value else value
        try:
            value.decode("utf-8")
        except UnicodeDecodeError:
            wide = value.decode("latin-1").encode()
            changed = self._engine.string(info, wide, self._count)
            return value if changed is None else changed.decode().encode("latin-1", "replace")
        changed = self._engine.string(info, value, self._count)
        return value if changed is None else changed

    def _container(self, key: str, info: KeyInfo, value: Any, level: int, within: bool) -> Any:
        if info.secret is not None and info.secret.takes_whole:
            return self._engine.secret(info).decode() if value else value
        if level >= MOST_LEVELS:
            return self._marker()
        if isinstance(value, Mapping):
            return self._mapping(cast(Mapping[Any, Any], value), level)
        redacted = self._items(key, cast(Sequence[Any], value), level, within)
        return tuple(redacted) if isinstance(value, tuple) else redacted

    def _mapping(self, value: Mapping[Any, Any], level: int) -> dict[str, Any]:
        members = [(str(name), item) for name, item in value.items()]
        kind = next((item for name, item in members if name == KIND), None)
        named: str | None = None
        if any(holds_value(name) for name, _ in members):
            texts = ((_last_text(item) if holds_name(name) else None) for name, item in members)
            named = next((text for text in texts if text and self._engine.names(text)), None)
        redacted: dict[str, Any] = {}
        for name, item in members:
            under = name
            if named is not None and holds_value(name):
                under = named
            elif isinstance(kind, str) and is_secret_member(kind, name):
                under = SECRET
            redacted[self.name(name)] = self._value(under, item, level + 1)
        return redacted

    def _items(self, key: str, value: Sequence[Any], level: int, within: bool) -> list[Any]:
        items = list(value)
        if within and len(items) == PAIR and (name := self._pair_name(items)) is not None:
            return [self._value(key, items[0], level + 1), self._value(name, items[1], level + 1)]
        if not isinstance(value, Set) and all(isinstance(item, str) for item in items):
            items = self._arguments(items)
        return [self._value(key, item, level + 1, within=True) for item in items]

    def _pair_name(self, pair: list[Any]) -> str | None:
        """Return the name in a name and its value, if it is one that counts."""
        name, value = _text(pair[0]), _text(pair[1])
        held = None if value is None else value.encode("utf-8", "replace")
        if name is None or not self._engine.names_pair(name.encode("utf-8", "replace"), held):
            return None
        return name

    def _arguments(self, items: list[str]) -> list[str]:
        if not are_arguments(items):
            return items
        raw = [str.__str__(item).encode("utf-8", "replace") for item in items]
        before = list(raw)
        self._engine.arguments(raw, self._count)
        return [
            item if new is old else new.decode("utf-8", "replace")
            for item, old, new in zip(items, before, raw, strict=True)
        ]


def _text(value: Any) -> str | None:
    """Return a text or the text of bytes, if they are one."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return None
    return None


def _last_text(value: Any) -> str | None:
    """Return a text, or the last item of a list where it is one."""
    if isinstance(value, list | tuple) and value:
        value = cast(Sequence[Any], value)[-1]
    return _text(value)


@functools.cache
def _default() -> Redactor:
    path = os.environ.get(POLICY_VARIABLE)
    disabled = os.environ.get(DISABLED_VARIABLE, "")
    current_hmac_key()  # an unusable one is no fault of the policy
    native.is_wanted()
    try:
        redactor = Redactor.load(
            Path(path) if path else None,
            key=current_hmac_key,
            disable=[name.strip() for name in disabled.split(",") if name.strip()],
            own_keys=_own_keys(),
            unchecked=count_value,
        )
    except UnknownRuleError as error:
        raise UnknownRuleError(f"{DISABLED_VARIABLE}: {error}") from None
    except OwnKeyError as error:
        raise OwnKeyError(f"{OWN_KEYS_VARIABLE}: {error}") from None
    except PolicyError as error:
        raise PolicyError(f"{POLICY_VARIABLE}: {error}" if path else str(error)) from None
    redactor.prepare()
    return redactor


def _own_keys() -> list[str]:
    return [one.strip() for one in os.environ.get(OWN_KEYS_VARIABLE, "").split(",") if one.strip()]


def _check_own_key(name: str, people: Set[str]) -> None:
    """Refuse what is not the name of an id, or has a word about people's numbers in it."""
    if not _OWN_KEY.fullmatch(name):
        raise OwnKeyError(f"{name!r} is not the name of an id, such as booking_id of booking.id")
    if found := sorted(people & set(name.split("_"))):
        raise OwnKeyError(f"{name!r} has the word {found[0]}: numbers of people stand under it")
