"""The reports on unseen data judge right, and every value is in its wrapping."""

import pytest

from glasshouse_bench.unseen import records, report, wrappings
from glasshouse_bench.unseen.logs import LogProbe
from glasshouse_bench.unseen.probes import Probe, judge, leaks


@pytest.mark.parametrize(
    ("stored", "leaked"),
    [
        ("paid with [card:4444]", False),
        ("paid with 5555 5555 5555 4444", True),
        ("paid with 5555 5555 5555 [card]", True),
        ("paid with [iban] 4444", False),
    ],
)
def test_a_rest_that_can_be_recognised_is_a_leak(stored: str, leaked: bool) -> None:
    assert leaks("5555 5555 5555 4444", stored) is leaked


@pytest.mark.parametrize(
    ("stored", "holds"),
    [
        ("from 192.0.2.7 port 22", True),
        ("from [ip:192.0.2.*] port 22", True),
        ("from [ip:192.0.2.*] port [phone:0123456789abcdef]", False),
        ("from 192.0.2.7 port [pin]", False),
        ("[redacted]", False),
    ],
)
def test_only_addresses_may_go_from_a_line(stored: str, holds: bool) -> None:
    probe = LogProbe(report="logs", group="sshd", label="lines", text="from 192.0.2.7 port 22")
    assert probe.holds(stored) is holds


def test_every_wrapped_value_is_found_as_it_is_written() -> None:
    for probe in wrappings.probes():
        assert len(probe.secret) >= 8
        assert probe.secret in probe.text, (probe.group, probe.label)


@pytest.mark.parametrize("key", ["", "some.key"])
@pytest.mark.parametrize("value", ["text", 7, 1.5, True, ["a", 1], {"a": ["b"]}])
def test_a_probe_comes_back_as_it_was_sent(key: str, value: object) -> None:
    probes = [Probe(report="r", group="g", label="l", key=key, text=value)]
    request = {"resourceLogs": [records.build(0, probes[0])]}
    assert list(records.read(request, probes)) == [(0, value)]


def test_outcomes_are_counted_by_group_and_label() -> None:
    probes = [
        Probe(
            report="people", group="phone", label="bare de", text="a 12345678", secret="12345678"
        ),
        Probe(
            report="people", group="phone", label="bare fr", text="b 12345678", secret="12345678"
        ),
        Probe(report="logs", group="nginx", label="lines", text="c"),
    ]
    outcomes = judge(probes, lambda _: ["a [phone]", "b 12345678", "c"])
    assert report.where(outcomes["people"], "phone", "bare").share == 0.5
    assert outcomes["logs"].total().share == 1.0
    assert report.as_json(outcomes)["people"]["held"] == 1
    printed = report.text(outcomes, examples=True)
    assert "50.0%" in printed
    assert "'b 12345678' -> 'b 12345678'" in printed


def test_answers_that_are_missing_are_an_error() -> None:
    with pytest.raises(ValueError, match="1 texts were sent, 0 came back"):
        judge([Probe(report="r", group="g", label="l", text="t")], lambda _: [])
