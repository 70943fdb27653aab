"""What is a loss and what is none, without a Collector; and what the random changes are like."""

from collections import Counter

import pytest

from support.oddities import report, schema
from support.oddities.counters import Counters, samples
from support.oddities.documents import parsed
from support.oddities.found import Found, marked_letters
from support.oddities.mutation import Mutator
from support.oddities.rows import Row, generated
from support.oddities.samples import GOOD, ODD, Marks
from support.oddities.sending import Answer
from support.oddities.verdicts import BY_ID, Sent, Verdict, judge

TAKEN = Answer(status="200", accepted=True, refused=False)
REFUSED = Answer(status="400", accepted=False, refused=True)
SILENT = Answer(status="no answer: ReadError", accepted=False, refused=False)
UNCOUNTED = Counter[tuple[str, str]]()


def row(*, odd: tuple[str, ...] = (ODD,), copies: int = 1, whole: bool = False) -> Row:
    return Row(
        name="logs/a/b",
        signal="logs",
        group="a",
        build=lambda _: b"",
        odd=odd,
        copies=copies,
        whole=whole,
    )


def verdict(
    what: Row,
    *stored: str,
    good: int = GOOD,
    answer: Answer = TAKEN,
    reasons: Counter[tuple[str, str]] = UNCOUNTED,
    aside: Counter[str] | None = None,
    by_id: bool = False,
) -> Verdict:
    found = Found()
    for number in (*map(str, range(good)), *stored):
        found.add(what.name, number)
    sent = Sent(
        row=what,
        marks=Marks(run="run", row=what.name),
        answer=answer,
        reasons=reasons,
        aside=aside or Counter[str](),
        by_id=by_id,
    )
    return judge(sent, found)


def counted(became: str, times: int = 1) -> Counter[tuple[str, str]]:
    return Counter({(became, "why"): times})


@pytest.mark.parametrize(
    ("judged", "state"),
    [
        (verdict(row(), ODD), "stored"),
        (verdict(row(odd=())), "stored"),
        (verdict(row(), ODD, reasons=counted("repaired")), "repaired"),
        (verdict(row(), reasons=counted("refused")), "refused"),
        (verdict(row(), reasons=counted("set aside")), "set aside"),
        (verdict(row(), aside=Counter({"400": 1})), "set aside"),
        (verdict(row(), by_id=True), "stored"),
        (verdict(row(whole=True), good=0, answer=REFUSED), "request refused"),
        (verdict(row(copies=2), ODD, ODD), "stored"),
        (verdict(row(odd=("odd", "odd.1")), "odd", reasons=counted("refused")), "refused"),
    ],
)
def test_what_is_no_loss(judged: Verdict, state: str) -> None:
    assert judged.lost == ()
    assert judged.state == state


@pytest.mark.parametrize(
    "judged",
    [
        verdict(row(), ODD, good=GOOD - 1),
        verdict(row(), ODD, good=0, reasons=counted("refused", 10)),
        verdict(row()),
        verdict(row(), reasons=counted("repaired")),
        verdict(row(), ODD, answer=SILENT),
        verdict(row(), good=0, answer=REFUSED),
        verdict(row(whole=True), good=0, answer=SILENT),
        verdict(row(whole=True), good=1, answer=REFUSED),
        verdict(row(copies=2), ODD),
        verdict(row(odd=("odd", "odd.1", "odd.2")), "odd", reasons=counted("refused")),
        verdict(
            row(odd=("odd", "odd.1")), reasons=counted("set aside"), aside=Counter({"late": 1})
        ),
    ],
)
def test_what_is_a_loss(judged: Verdict) -> None:
    assert judged.lost
    assert judged.state == "lost"


def test_the_table_counts_and_says_why() -> None:
    judged = [
        verdict(row(), ODD),
        verdict(row(), ODD, reasons=counted("repaired")),
        verdict(row(), by_id=True),
    ]
    lines = report.document(judged).splitlines()
    assert f"| `a` | 3 | 2 | 1 |  |  |  | {BY_ID}, why |" in lines
    assert "| all | 3 | 2 | 1 |  |  |  |" in lines
    assert report.summary(judged)[0] == "logs: 3 rows: 2 stored, 1 repaired"


PAGE = """\
# TYPE otelcol_processor_admission_repaired_total counter
otelcol_processor_admission_repaired_total{signal="logs",reason="name",service="a"} 2
otelcol_processor_admission_repaired_total{signal="logs",reason="name",service="other"} 1
otelcol_processor_admission_refused_total{signal="logs",reason="late",service="a\\"}"} 3
otelcol_extension_otlp_limits_repaired_total{protocol="http",reason="depth"} 1
otelcol_receiver_accepted_log_records_total{receiver="otlp"} 7
"""


def test_own_counters_are_read_by_reason_without_the_neighbour() -> None:
    page = PAGE
    with Counters("http://127.0.0.1:1", "other") as counters:
        counters.page = lambda: page
        assert counters.new() == {
            ("repaired", "name"): 2,
            ("refused", "late"): 3,
            ("repaired", "depth"): 1,
        }
        page = PAGE.replace("} 3", "} 5")
        assert counters.new() == {("refused", "late"): 2}
        assert counters.new() == {}
    assert len(samples(PAGE)) == 4


def test_a_dead_letter_names_its_rows() -> None:
    line = b"""{"reason": "late", "otlp": {"resourceMetrics": [{"scopeMetrics": [{"metrics": [
        {"gauge": {"dataPoints": [{"attributes": [
            {"key": "row", "value": {"stringValue": "metrics/a/b"}}]}]}}]}]}]}}"""
    assert list(marked_letters(line)) == [("metrics/a/b", "late")]


def test_random_changes_repeat_and_often_stay_readable() -> None:
    requests = [
        one.build(Marks(run="run", row=one.name, sent=1))
        for one in generated(schema.current())
        if one.group == "Span.kind"
    ]
    first, second = Mutator(7, requests), Mutator(7, requests)
    changed = [first.next() for _ in range(500)]
    assert changed == [second.next() for _ in range(500)]
    assert len(set(changed)) > 400
    readable = [one for one in changed if parsed("traces", one) is not None]
    assert 100 < len(readable) < 400
