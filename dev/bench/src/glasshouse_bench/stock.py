"""The policy as configuration of the stock processors, to compare with."""

from __future__ import annotations

import json
import re
from typing import Any

_NEAR = r"[^0-9A-Za-z]{1,24}"
# What the redaction processor does not reach in a trace.
_SPAN_FIELDS = ("span.name", "span.status.message")
_EVENT_FIELDS = ("spanevent.name",)


def _value_patterns(policy: dict[str, Any]) -> list[str]:
    """Return one pattern a rule, and one for name=value pairs."""
    patterns: list[str] = []
    for rule in policy["rules"]:
        if "pattern" not in rule:
            patterns.append(_pairs(policy))
            continue
        pattern = f"(?:{rule['pattern']})"
        if rule.get("not_preceded_by"):
            pattern = rf"\b{pattern}"
        if rule.get("not_followed_by"):
            pattern = rf"{pattern}\b"
        if rule.get("context_words"):
            words = "|".join(re.escape(word) for word in rule["context_words"] if word.isascii())
            pattern = rf"(?i)\b(?:{words}){_NEAR}{pattern}"
        patterns.append(pattern)
    return patterns


def _words(entry: dict[str, Any]) -> list[str]:
    names = [name for kind in ("exact", "suffix", "anywhere") for name in entry.get(kind, [])]
    return [name.replace("_", "[._-]?") for name in names]


def _pairs(policy: dict[str, Any]) -> str:
    names = "|".join(
        name
        for entry in policy["keys"]
        if entry.get("text", True) and not entry.get("query")
        for name in _words(entry)
    )
    return rf"""(?i)\b(?:{names})["']?\s*[=:]\s*["']?[^\s"'&,;}}]{{3,}}"""


def _key_patterns(policy: dict[str, Any]) -> list[str]:
    return [
        rf"(?i)(?:^|[._-])(?:{'|'.join(_words(entry))})$"
        for entry in policy["keys"]
        if not entry.get("query")
    ]


def processors(skeleton: dict[str, Any], policy: dict[str, Any]) -> dict[str, Any]:
    """Fill the skeleton in bench/collector/stock.yaml with the patterns of a policy."""
    values = _value_patterns(policy)
    filled = dict(skeleton["processors"])
    filled["redaction"] |= {
        "blocked_values": values,
        "blocked_key_patterns": _key_patterns(policy),
    }

    def statements(fields: tuple[str, ...]) -> list[str]:
        return [
            f'replace_pattern({field}, {json.dumps(pattern, ensure_ascii=False)}, "****")'
            for field in fields
            for pattern in values
        ]

    # Two groups: statements of one group all run in its deepest context, so that in one list with
    # spanevent those on a span would be skipped for every span without events.
    filled["transform/pii"]["trace_statements"] = [
        {"statements": ['set(span.trace_state, "")', *statements(_SPAN_FIELDS)]},
        {"statements": statements(_EVENT_FIELDS)},
    ]
    return filled
