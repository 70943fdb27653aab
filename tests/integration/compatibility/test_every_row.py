"""No record costs another: nine good items and an odd one, for each oddity there is."""

import difflib

import pytest

from glasshouse_cli.project import Project
from support import sections
from support.oddities import report
from support.oddities.counters import BISECT_REFUSED, Counters
from support.oddities.harness import Harness, Outcome
from support.oddities.table import all_rows
from support.waiting import until

GROUPS = sorted({(row.signal, row.group) for row in all_rows()})


@pytest.mark.parametrize(("signal", "group"), GROUPS)
def test_the_good_ones_are_found_and_the_odd_one_is_stored_repaired_or_counted(
    outcome: Outcome, signal: str, group: str
) -> None:
    judged = [one for one in outcome.verdicts if (one.row.signal, one.row.group) == (signal, group)]
    assert judged
    assert {one.row.name: one.lost for one in judged if one.lost} == {}


def test_a_neighbour_loses_nothing_meanwhile(outcome: Outcome, harness: Harness) -> None:
    neighbour, backends = outcome.neighbour, harness.backends
    assert neighbour.sent > 100
    expected = set(range(1, neighbour.sent + 1))
    selector = f'{{service_name="{neighbour.service}"}}'

    def probe() -> tuple[bool | None, object]:
        found = {
            "records": backends.numbered_logs(neighbour.service),
            "spans": backends.numbered_spans(neighbour.service),
            **{
                name: {value for series in backends.samples(name + selector) for value in series}
                for name in ("neighbour_requests_total", "neighbour_number")
            },
        }
        missing = {name: sorted(expected - numbers)[:10] for name, numbers in found.items()}
        return (None if any(missing.values()) else True), missing

    until(probe, what=f"all {neighbour.sent} of the neighbour's")


def test_what_the_exporters_set_aside_is_counted(outcome: Outcome, harness: Harness) -> None:
    alone = sum(
        count
        for reasons in harness.letters().values()
        for reason, count in reasons.items()
        if reason.startswith("status_")
    )
    rows = [
        one for one in outcome.verdicts if any(why.startswith("status_") for why in one.reasons)
    ]
    assert alone >= len(rows)
    with Counters(harness.own, "") as counters:
        assert counters.total(BISECT_REFUSED) >= alone


def test_the_committed_table_is_what_was_seen(
    outcome: Outcome, project: Project, write: bool
) -> None:
    page = project.root / "docs" / "compatibility.md"
    seen = report.document(outcome.verdicts)
    if write:
        whole = sections.written(page.read_text(encoding="utf-8"), report.NAME, seen)
        page.write_text(whole, encoding="utf-8")
    committed = sections.read(page.read_text(encoding="utf-8"), report.NAME)
    changed = list(difflib.unified_diff(committed.splitlines(), seen.splitlines(), lineterm=""))
    assert not changed, f"write it anew with `{report.COMMAND}`:\n" + "\n".join(changed)
