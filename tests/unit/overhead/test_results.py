"""The result file is read with one line for each fault, and written whole or not at all."""

import json
from pathlib import Path

import pytest

from glasshouse_bench.overhead import results
from glasshouse_cli.errors import StackError
from support import overhead


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "new" / "one.json"
    results.write(path, overhead.document())
    assert results.read(path) == overhead.document()
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (None, "no result can be read: No such file or directory"),
        ("{", "is no JSON: name a file that make bench has written"),
        ("[]", "is no result: name a file that make bench has written"),
        ('{"schema": 1}', "is no result: name a file that make bench has written"),
        (json.dumps(overhead.document(schema=0)), "has schema 0, not 1: measure again"),
    ],
)
def test_what_is_no_result_is_one_line(tmp_path: Path, text: str | None, fault: str) -> None:
    path = tmp_path / "one.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(StackError) as raised:
        results.read(path)
    assert str(raised.value).startswith(f"{path}")
    assert fault in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_result_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match=r"--output: .* cannot be written"):
        results.write(tmp_path / "file" / "one.json", overhead.document())


def test_the_latest_is_the_one_that_was_measured_last(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="has no result: run make bench first"):
        results.latest(tmp_path)
    for name, day in (("b", "2026-01-01"), ("a", "2026-03-01"), ("c", "2026-02-01")):
        path = tmp_path / results.FOLDER / f"{name}.json"
        results.write(path, overhead.document(measured=f"{day}T00:00:00Z"))
    assert results.latest(tmp_path).name == "a.json"


def test_a_result_goes_on_only_as_it_began(tmp_path: Path) -> None:
    path = tmp_path / "one.json"
    known = overhead.document()
    results.write(path, known)
    settings, source, machine = known["settings"], known["source"], known["machine"]
    more = {**settings, "rounds": 9}
    assert results.resumed(path, more, source, machine) == overhead.document(settings=more)
    others = [
        ({**settings, "loads": {"post": "POST /payments"}}, source, machine),
        ({**settings, "variants": dict(reversed(settings["variants"].items()))}, source, machine),
        (settings, {"commit": "another", "changed": False}, machine),
        (settings, source, {**machine, "cores": 64}),
    ]
    for other in others:
        with pytest.raises(StackError, match="is of another commit, machine or choice"):
            results.resumed(path, *other)
