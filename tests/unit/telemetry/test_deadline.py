"""Every place that says when a payment must be confirmed says what the catalogue says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from glasshouse_cli.slos import seconds
from glasshouse_cli.telemetry.load import load

ROOT = Path(__file__).parents[3]
FOLDERS = ("prometheus", "grafana/src", "runbooks")
[METRIC] = [one for one in load(ROOT).metrics if one.deadline is not None]
# What names the deadline, and where it is named at least.
PATTERNS = {
    "the service's time-out": (r"^PAYMENT_CONFIRMATION_TIMEOUT=(\d+)$", {".env"}),
    "the bucket of a query": (
        rf'{METRIC.prometheus_name}_bucket\{{+[^}}]*le="(\d+)\.0"',
        {"prometheus/slos.yaml", "prometheus/rules/slos.yaml"},
    ),
    # Of the objective, too: its rules are made from prometheus/slos.yaml.
    "when a created payment is due": (
        r'payments_total\{state="created"\}\[\w+\] offset (\w+)',
        {"prometheus/rules/slos.yaml", "prometheus/rules/payments.yaml"},
    ),
    "what people read": (
        r"(?:confirmed|promised) within (\d+) s\b",
        {"prometheus/slos.yaml"},
    ),
}


def named(pattern: str) -> Iterator[tuple[str, float]]:
    """Yield each place that names a deadline, with what it names."""
    files = [ROOT / ".env", *(file for one in FOLDERS for file in (ROOT / one).rglob("*.*"))]
    for file in sorted(files):
        if file.suffix not in {".yaml", ".py", ".md", ""}:
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
            for match in re.finditer(pattern, line, re.IGNORECASE):
                value = float(match[1]) if match[1].isdecimal() else seconds(match[1])
                yield f"{file.relative_to(ROOT)}:{number}", value


@pytest.mark.parametrize("what", PATTERNS)
def test_every_place_says_the_same(what: str) -> None:
    pattern, at_least = PATTERNS[what]
    found = list(named(pattern))
    assert {place.partition(":")[0] for place, _ in found} >= at_least
    wrong = [f"{place}: {value:g}" for place, value in found if value != METRIC.deadline]
    assert wrong == [], f"the deadline is {METRIC.deadline} in telemetry/payment.yaml: change these"
