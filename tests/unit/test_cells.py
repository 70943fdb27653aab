"""The table of frameworks: what is recorded, shown, read back and compared."""

import pytest

from support import cells
from support.cells import Cells


@pytest.fixture
def recorded() -> Cells:
    made = Cells()
    made.record("Flask", "ids", True, section="Web")
    made.record("Flask", "tail", False, section="Web")
    made.record("Django", "ids", "upstream has none", section="Web")
    made.record("script", "forks", True, section="Jobs")
    return made


def test_what_did_not_hold_once_does_not_hold() -> None:
    made = Cells()
    with pytest.raises(ZeroDivisionError), made.checking("a", "b", section="c"):
        raise ZeroDivisionError
    with made.checking("a", "b", section="c"):
        pass
    with made.checking("a", "d", section="c"):
        pass
    assert made.table == {"c": {"a": {"b": "no", "d": "yes"}}}


def test_a_page_is_read_back_as_it_was_written(recorded: Cells) -> None:
    page = cells.document(recorded.table)
    assert "| Flask | yes | no |\n| Django | upstream has none |  |\n" in page
    assert cells.parsed(page) == recorded.table


def test_only_what_was_seen_is_compared_unless_everything_was(recorded: Cells) -> None:
    seen: cells.Table = {"Web": {"Flask": {"ids": "yes", "tail": "yes"}}}
    found = cells.differences(seen, recorded.table, whole=False)
    assert found == ["Web: Flask: tail: committed is no, seen was yes"]
    found = cells.differences(seen, recorded.table, whole=True)
    assert found == [
        "Web: Flask: tail: committed is no, seen was yes",
        "Web: Django: ids: committed is upstream has none, seen was nothing",
        "Jobs: script: forks: committed is yes, seen was nothing",
    ]


def test_the_summary_names_what_does_not_hold(recorded: Cells) -> None:
    assert cells.summary(recorded.table) == [
        "Web, Flask: 1 of 2 hold; tail: no",
        "Web, Django: 0 of 1 hold; ids: upstream has none",
        "Jobs, script: 1 of 1 hold",
    ]
