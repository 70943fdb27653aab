"""Finds the metrics that a query names. Whether it is PromQL at all is for promtool to say."""

from __future__ import annotations

import re
from typing import Final

# One pass over the text: what is no name is taken away, from the left.
_TOKEN: Final = re.compile(
    r"""
      (?P<comment>\#[^\n]*)
    | (?P<text>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    | (?P<range>\[[^\]]*\])
    | (?P<labels>\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\))
    | (?P<number>\b\d[\w.]*)
    | (?P<name>[A-Za-z_:][\w:]*)(?P<call>\s*\()?
    | (?P<open>\{)
    | (?P<close>\})
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPERATORS: Final = frozenset(
    {
        "and",
        "or",
        "unless",
        "atan2",
        "offset",
        "bool",
        "inf",
        "nan",
        "by",
        "without",
        "on",
        "ignoring",
        "group_left",
        "group_right",
        "start",
        "end",
    }
)
# Behind these stand labels before the brackets.
_AGGREGATIONS: Final = frozenset(
    {
        "sum",
        "min",
        "max",
        "avg",
        "group",
        "stddev",
        "stdvar",
        "count",
        "count_values",
        "bottomk",
        "topk",
        "quantile",
        "limitk",
        "limit_ratio",
    }
)
_WORDS: Final = _OPERATORS | _AGGREGATIONS
_NAMED: Final = re.compile(r"""\{[^}]*?__name__\s*=\s*["']([^"']+)["']""")


def metrics(query: str) -> set[str]:
    """Return the names of the metrics in a query whose variables are filled in."""
    found = set(_NAMED.findall(query))
    inside = 0
    for token in _TOKEN.finditer(query):
        if token["open"]:
            inside += 1
        elif token["close"]:
            inside -= 1
        elif (
            (name := token["name"])
            and not token["call"]
            and not inside
            and name.lower() not in _WORDS
        ):
            found.add(name)
    return found
