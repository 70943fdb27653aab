"""SQL statements without the values that were written into them.

https://opentelemetry.io/docs/specs/semconv/db/database-spans/#sanitization-of-dbquerytext
"""

import re
from collections.abc import Mapping
from typing import Any, Final

# Where instrumentations put a statement: the stable conventions, then the old ones.
TEXTS: Final = ("db.query.text", "db.statement")
SYSTEMS: Final = ("db.system.name", "db.system")
# Their instrumentations put placeholders in place of values themselves, or record none.
_NO_SQL: Final = frozenset(
    {"dynamodb", "elasticsearch", "memcached", "mongodb", "opensearch", "redis", "valkey"}
)
# Here a backslash escapes a quote, and double quotes may stand around a text.
_MYSQL: Final = frozenset({"mariadb", "mysql"})
_PLACEHOLDER: Final = "?"

# A text or comment that does not end goes on to the end of the statement.
_STANDARD_TEXT: Final = r"'(?:[^']|'')*(?:'|$)"
_ESCAPED_TEXT: Final = r"'(?:[^'\\]|''|\\.)*(?:'|\\?$)"
_NUMBER: Final = (
    r"(?<![\w$:@.%\"`?])[+-]?"
    r"(?:0[xX][0-9a-fA-F]+|(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)(?!\w)"
)


def _pattern(*parts: str) -> re.Pattern[str]:
    return re.compile("|".join(parts), re.DOTALL)


_COMMENT: Final = r"(?P<comment>--[^\n]*|/\*.*?(?:\*/|$))"
_NAME: Final = r'(?P<name>"(?:[^"]|"")*(?:"|$)|`[^`]*(?:`|$)|\[[A-Za-z_][^\]\n]*\])'
_STANDARD: Final = _pattern(
    _COMMENT,
    rf"(?<![\w])[eE]{_ESCAPED_TEXT}",
    rf"(?<![\w])(?:[bBxXnN]|[uU]&){_STANDARD_TEXT}",
    _STANDARD_TEXT,
    r"(?<![\w$])\$\$.*?(?:\$\$|$)",
    r"(?<![\w$])\$(?P<tag>[A-Za-z_]\w*)\$.*?(?:\$(?P=tag)\$|$)",
    _NAME,
    _NUMBER,
)
_ESCAPED: Final = _pattern(
    _COMMENT,
    r"(?P<line>#[^\n]*)",
    _ESCAPED_TEXT,
    r'"(?:[^"\\]|""|\\.)*(?:"|\\?$)',
    r"(?P<name>`[^`]*(?:`|$))",
    _NUMBER,
)


def without_values(statement: str, system: str = "") -> str:
    """Return a statement with ``?`` for each text and number in it, and without its comments.

    ``system`` is the value of ``db.system.name``: what a quote means depends on it. Parameters
    (``%s``, ``$1``, ``:name``) and quoted names stay.
    """
    pattern = _ESCAPED if system in _MYSQL else _STANDARD
    return pattern.sub(_replacement, statement)


def _replacement(found: re.Match[str]) -> str:
    groups = found.groupdict()
    if groups.get("comment") is not None or groups.get("line") is not None:
        return ""
    return found[0] if groups.get("name") is not None else _PLACEHOLDER


def with_statements(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a span's attributes with its statements without values; the same where it has none."""
    changed: dict[str, str] = {}
    for name in TEXTS:
        statement = attributes.get(name)
        if isinstance(statement, str):
            system = next((str(attributes[key]) for key in SYSTEMS if key in attributes), "")
            if system not in _NO_SQL:
                changed[name] = without_values(statement, system)
    return {**attributes, **changed} if changed else attributes
