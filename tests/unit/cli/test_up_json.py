"""`glasshouse up --json` says to scripts what a start was made of, and how the doctor ended."""

import json
from pathlib import Path

import pytest

from glasshouse_cli import cli, up
from glasshouse_cli.doctor import examine
from glasshouse_cli.doctor.checks import Check
from glasshouse_cli.parts import Part

LOKI = Part(
    name="loki", url="http://127.0.0.1:3100", started_s=1.5, ready_s=2.5, done=False, waited_for=()
)


@pytest.mark.parametrize(("status", "code"), [("ok", 0), ("failed", 1)])
def test_a_start_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], status: str, code: int
) -> None:
    row = Check(name="Loki", status=status, detail="it answers")  # pyright: ignore[reportArgumentType]
    monkeypatch.chdir(Path(__file__).parents[3])
    monkeypatch.setattr(up, "up", lambda *_: up.Started(parts=[LOKI], flow=lambda: None))
    monkeypatch.setattr(examine, "examine", lambda *_: [row])
    with pytest.raises(SystemExit) as ended:
        cli.main(["up", "--json"])
    assert ended.value.code == code
    shown = capsys.readouterr()
    assert shown.err == ""
    found = json.loads(shown.out)
    assert found["parts"] == [
        {
            "name": "loki",
            "url": "http://127.0.0.1:3100",
            "started_s": 1.5,
            "ready_s": 2.5,
            "done": False,
            "waited_for": [],
        }
    ]
    assert [one["status"] for one in found["doctor"]] == [status]
    assert found["seconds_to_ready"] >= 0
    assert found["seconds_of_doctor"] >= 0
