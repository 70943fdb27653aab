"""The ledger's count by id: what it calls lost, doubled and exact."""

import pytest

from support.chaos.faults import Allowed, Result
from support.chaos.ledger import Arrival, Ledger, Money


def ledger() -> Ledger:
    made = Ledger()
    made.send("logs", ["a", "b", "c", "d"])
    made.accept("logs", ["a", "b", "c"])
    return made


def arrival(id: str, same: object = 1) -> Arrival:
    return Arrival(id=id, at=10**12, same=same)


def test_each_record_is_counted_by_its_id() -> None:
    found = [arrival("a"), arrival("a"), arrival("b"), arrival("b", 2), arrival("d"), arrival("x")]
    verdict = ledger().verdict("logs", found)
    assert (verdict.sent, verdict.accepted, verdict.stored) == (4, 3, 3)
    assert (verdict.lost, verdict.doubled, verdict.again) == (1, 1, 1)


@pytest.mark.parametrize(
    ("accepted", "counted", "cents", "exact"),
    [
        ("ab", 2, 300, True),
        ("ab", 3, 300, False),
        ("ab", 2, 299, False),
        # What was counted and never acknowledged is no fault; what was not counted is.
        ("a", 2, 300, True),
        ("a", 1, 100, True),
        ("a", 3, 300, False),
        ("a", 0, 0, False),
    ],
)
def test_counts_are_exact_to_the_cent(accepted: str, counted: int, cents: int, exact: bool) -> None:
    made = Ledger()
    for id, amount in (("a", 100), ("b", 200)):
        made.amount(id, amount)
    made.send("events", ["a", "b"])
    made.accept("events", list(accepted))
    assert made.money({"events": counted, "amount": cents / 100}).is_exact is exact


def result(**reported: float) -> Result:
    return Result(
        fault="x",
        seconds=1,
        verdicts=[ledger().verdict("logs", [arrival("a"), arrival("b")])],
        money=Money(sent=1, accepted=1, counted=1, cents_sent=5, cents_accepted=5, cents_counted=5),
        refused={},
        reported=reported,
    )


def test_what_is_lost_breaks_a_promise_unless_its_row_allows_it_and_it_is_told() -> None:
    assert result().broken(Allowed()) == ["logs: 1 of 3 accepted are lost"]
    assert result().broken(Allowed(lost=None)) == ["1 are lost, and nothing reports it"]
    assert result(set_aside=1).broken(Allowed(lost=None)) == []
    [late] = result(set_aside=1).broken(Allowed(lost=None, delays=()))
    assert late.startswith("logs: came ")
