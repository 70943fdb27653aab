"""What queries ask of histograms, as far as units and boundaries go."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from support.histograms import Stored

_SERIES = re.compile(
    r'\{__name__=~"([^"]+)"([^}]*)\}|\b([a-zA-Z_:][a-zA-Z0-9_:]*)\{([^}]*)\}'
    r"|\b([a-zA-Z_:]\w*_(?:bucket|sum|count)(?::\w+)?)\b"
)
# Asks whether there is any, not for a value.
_PRESENT = re.compile(r"present_over_time\([^()]*(\([^()]*\)[^()]*)*\)")
_PARTS = ("", "_bucket", "_sum", "_count")


@dataclass(frozen=True, kw_only=True)
class Use:
    """One histogram in a query. part: which of its series. labels: what selects them."""

    histogram: Stored
    part: str
    labels: str

    def le(self) -> list[str]:
        """Return each bound that is selected, in each way in which it is written."""
        found = re.findall(r'\ble=~?"([^"]+)"', self.labels)
        return [one for pattern in found for one in pattern.split("|")]


def uses(query: str, known: Mapping[str, Stored]) -> Iterator[Use]:
    """Yield the histograms that a query asks for.

    Raises AssertionError for a series of a histogram that is not known.
    """
    series = {f"{name}{part}": (one, part) for name, one in known.items() for part in _PARTS}
    for pattern, others, name, labels, bare in _SERIES.findall(_PRESENT.sub("", query)):
        if pattern:
            found = [one for one in series if re.fullmatch(pattern, one)]
        else:
            found = [one for one in (name or bare,) if one in series]
            assert found or not (name or bare).endswith("_bucket"), f"{name or bare}: of nobody"
        for one in found:
            histogram, part = series[one]
            yield Use(histogram=histogram, part=part, labels=others or labels)


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call of a function of histograms. after: what follows it, such as a division."""

    function: str
    argument: str
    after: str


def calls(query: str, function: str) -> Iterator[Call]:
    """Yield the calls of a function, with all that is in their parentheses."""
    for found in re.finditer(rf"\b{function}\(", query):
        depth, end = 1, found.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(query[end], 0)
            end += 1
        yield Call(
            function=function, argument=query[found.end() : end - 1], after=query[end : end + 12]
        )


def is_percentile(query: str) -> bool:
    """Return whether a query's value is a percentile itself, and not a share or a rate of one."""
    left = query
    for call in calls(query, "histogram_quantile"):
        left = left.replace(f"histogram_quantile({call.argument})", "")
    return re.fullmatch(r"[\s()]*(max|min|or|>= 0|/ 1000|[\s()])*", left) is not None
