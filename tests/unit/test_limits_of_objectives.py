"""The limits of prometheus/slos.yaml are those of every place that is written by hand."""

import re
from pathlib import Path

import pytest

from glasshouse_cli import project, slos
from support import deployed

ROOT = Path(__file__).parents[2]
READ = slos.load(project.load(ROOT).root / "prometheus" / "slos.yaml")
BY_NAME = {slo.name: slo for slo in READ.slos}
CONFIRMED_S = BY_NAME["payment-confirmation"].within
# What was created in 5 minutes and should have ended by now lies in a window of this many minutes.
WINDOW_MIN = CONFIRMED_S / 60 + 5
UNITS = {"": 1, "s": 1, "ms": 0.001, "m": 60, "minutes": 60}

# In each file: a pattern around a number and its unit, and the seconds that all its matches say.
PLACES = [
    (".env", r"^PAYMENT_CONFIRMATION_TIMEOUT=(\d+)()$", CONFIRMED_S),
    ("prometheus/README.md", r"confirmed after (\d+) (s)", CONFIRMED_S),
    ("prometheus/README.md", r"that lie (\d+) (minutes) back", CONFIRMED_S),
    ("prometheus/README.md", r"after more than (\d+)() minutes", WINDOW_MIN),
    ("runbooks/PaymentConfirmationBudgetBurn.md", r"(\d+) (s)\b", CONFIRMED_S),
    ("runbooks/PaymentConfirmationStalled.md", r"promised within (\d+) (s)\b", CONFIRMED_S),
    ("runbooks/PaymentConfirmationStalled.md", r"created (\d+)() to", CONFIRMED_S / 60),
    ("runbooks/PaymentConfirmationStalled.md", r"(?:to|last|within) (\d+)() minutes", WINDOW_MIN),
    ("runbooks/PaymentOutage.md", r"`PAYMENT_CONFIRMATION_TIMEOUT` \((\d+) (s)\)", CONFIRMED_S),
    ("runbooks/PaymentOutage.md", r"created (\d+)() to", CONFIRMED_S / 60),
    (
        "runbooks/PaymentOutage.md",
        r"(?:\d to|confirmed in the last|resolves within)\s+(\d+)() minutes",
        WINDOW_MIN,
    ),
    ("runbooks/ApiLatencyBudgetBurn.md", r"(\d+) (ms)\b", BY_NAME["api-latency"].within),
]


@pytest.mark.parametrize(("file", "pattern", "expected"), PLACES)
def test_a_limit_is_the_one_of_the_objective(file: str, pattern: str, expected: float) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    found = re.findall(pattern, text, re.MULTILINE)
    assert found, f"{file}: nothing is like {pattern}"
    said = {float(number) * UNITS[unit] for number, unit in found}
    assert said == {expected}, f"{file}: {pattern} differs from `within` in prometheus/slos.yaml"


def test_a_bucket_ends_at_the_limit() -> None:
    [delay] = [
        one
        for one in deployed.families(deployed.load())
        if one["name"] == "payment.confirmation_delay"
    ]
    assert CONFIRMED_S in delay["buckets"], "collector: buckets of payment.confirmation_delay"
