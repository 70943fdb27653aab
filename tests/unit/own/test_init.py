"""`glasshouse init` makes a domain without a fault, under any name, and overwrites nothing."""

import ast
import importlib.util
import json
import logging
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

import glasshouse
from glasshouse_cli import project
from glasshouse_cli.cli import app
from glasshouse_cli.errors import StackError
from glasshouse_cli.own import check, command, folder, names, skeleton

ROOT = Path(__file__).parents[3]
CHECKOUT = project.load(ROOT)
MADE = {"collector/events.yaml", "events.md", "events.py", "rules/objectives.yaml"}


def files(where: Path) -> dict[str, str]:
    return {
        str(path.relative_to(where)): path.read_text(encoding="utf-8")
        for path in where.rglob("*")
        if path.is_file()
    }


def made(where: Path, domain: str, service: str | None = None) -> list[str]:
    return skeleton.write(CHECKOUT, folder.at(CHECKOUT, where), names.of(domain, service))


@pytest.mark.parametrize("domain", ["booking", "hotel_stay", "delivery", "box", "account"])
def test_a_domain_has_no_fault_from_the_start(tmp_path: Path, domain: str) -> None:
    wrote = made(tmp_path, domain)
    written = files(tmp_path)
    assert {f"{tmp_path}/{name}" for name in written} == set(wrote)
    assert written.keys() > MADE
    assert [str(one) for one in check.static(CHECKOUT, folder.at(CHECKOUT, tmp_path))] == []
    text = "\n".join(written.values())
    assert "__" not in re.sub(r"\$__\w+", "", text)
    for ours in ("payment", "notification", "automation"):
        assert ours not in text


def test_everything_is_called_after_the_domain(tmp_path: Path) -> None:
    made(tmp_path, "hotel_stay", "stays-api")
    part = yaml.safe_load((tmp_path / "collector" / "hotel_stay.yaml").read_text())
    assert part["connectors"]["event_metrics"]["services"] == [{"name": "stays-api"}]
    made_part = yaml.safe_load((tmp_path / "collector" / "events.yaml").read_text())
    assert made_part["processors"]["pii"]["own_keys"] == ["hotel_stay_id"]
    families = made_part["connectors"]["event_metrics"]["families"]
    assert [one["name"] for one in families] == ["hotel_stays", "hotel_stay.duration"]
    rules = yaml.safe_load((tmp_path / "rules" / "objectives.yaml").read_text())
    base, alerts = rules["groups"]
    assert {one["labels"]["slo"] for one in base["rules"]} == {"hotel-stay-completion"}
    assert {one["alert"] for one in alerts["rules"]} == {"HotelStayBudgetBurn"}
    # The windows in between are recorded by ours, once for all objectives.
    recorded = {one["record"] for one in base["rules"]}
    assert recorded == {
        "slo:total:rate5m",
        "slo:bad:rate5m",
        "slo:objective:ratio",
        "slo:error_budget:ratio",
    }
    board = json.loads((tmp_path / "dashboards" / "hotel_stay.json").read_text())
    assert (board["uid"], board["title"]) == ("hotel_stay", "Hotel stays")


def test_an_account_s_id_is_none_of_its_own_to_redaction(tmp_path: Path) -> None:
    """Account numbers of people stand under such names."""
    made(tmp_path, "account")
    part = yaml.safe_load((tmp_path / "collector" / "events.yaml").read_text())
    assert "processors" not in part


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "booking.yaml").write_text("mine", encoding="utf-8")
    with pytest.raises(StackError, match=r"rules/booking\.yaml is there already: nothing was"):
        made(tmp_path, "booking")
    assert files(tmp_path) == {"rules/booking.yaml": "mine"}


def test_a_second_domain_stands_beside_the_first(tmp_path: Path) -> None:
    made(tmp_path, "booking")
    before = files(tmp_path)
    made(tmp_path, "parcel")
    after = files(tmp_path)
    assert {name: text for name, text in after.items() if name in before.keys() - MADE} == {
        name: text for name, text in before.items() if name not in MADE
    }
    assert check.static(CHECKOUT, folder.at(CHECKOUT, tmp_path)) == []
    events = yaml.safe_load(after["collector/events.yaml"])
    assert events["processors"]["pii"]["own_keys"] == ["booking_id", "parcel_id"]


@pytest.mark.parametrize(
    ("domain", "fault"),
    [
        ("Booking", "'Booking' is no name for a domain"),
        ("a b", "'a b' is no name for a domain"),
        ("../a", "'../a' is no name for a domain"),
        ("1st", "'1st' is no name for a domain"),
        ("a__b", "'a__b' is no name for a domain"),
        ("", "'' is no name for a domain"),
        ("b" * 31, "is no name for a domain"),
        ("class", "class has another meaning already"),
        ("http", "http has another meaning already"),
        ("payment", "payment does not work as a name (--domain NAME): payment is a domain of"),
        ("customer", "customer does not work as a name (--domain NAME): redaction would change"),
    ],
)
def test_a_name_that_does_not_work_is_one_line(tmp_path: Path, domain: str, fault: str) -> None:
    ran = CliRunner().invoke(app, ["init", str(tmp_path / "new"), "--domain", domain])
    assert ran.exit_code == 1
    assert isinstance(ran.exception, StackError)
    assert fault in str(ran.exception)
    assert "\n" not in str(ran.exception)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("service", ["", "a b", "x" * 64, '"'])
def test_a_service_s_name_is_checked_too(tmp_path: Path, service: str) -> None:
    with pytest.raises(StackError, match="is no name for a service"):
        made(tmp_path, "booking", service)


def test_the_command_names_what_it_wrote_and_what_to_do_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    where = tmp_path / "My Shop"
    ran = CliRunner().invoke(app, ["init", str(where)])
    assert ran.exit_code == 0
    lines = ran.stdout.splitlines()
    assert {line.removeprefix("wrote ") for line in lines[:-3]} == {
        f"{where}/{name}" for name in files(where)
    }
    assert (where / "telemetry" / "my_shop.yaml").is_file()
    assert lines[-3:] == [
        f"glasshouse check-own '{where}'",
        f"GLASSHOUSE_OWN='{where}' make up",
        "glasshouse connect",
    ]


def test_in_the_folder_that_is_mounted_the_commands_are_short(tmp_path: Path) -> None:
    own = replace(CHECKOUT, settings={**CHECKOUT.settings, "GLASSHOUSE_OWN": str(tmp_path)})
    assert command.next_commands(own, folder.of(own)) == [
        "glasshouse check-own",
        "make up",
        "glasshouse connect",
    ]


def test_a_file_in_the_folder_s_place_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    ran = CliRunner().invoke(app, ["init", str(tmp_path / "a"), "--domain", "booking"])
    assert str(ran.exception) == f"{tmp_path / 'a'} is no folder: name another one"


def test_the_functions_emit_what_the_catalogue_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, "booking")
    emitted: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
    monkeypatch.setattr(glasshouse, "emit_event", lambda *a, **k: emitted.append((a, k)))
    spec = importlib.util.spec_from_file_location("own_events", tmp_path / "events.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.booking_failed(id="b", user_id="u", channel="web", duration=0.5, error_type="late")
    assert emitted == [
        (
            ("booking.failed", "Booking failed"),
            {
                "level": logging.WARNING,
                "id": "b",
                "user_id": "u",
                "channel": "web",
                "duration": 0.5,
                "error_type": "late",
            },
        )
    ]
    assert [*module.BookingChannel] == ["web", "app"]
    ast.parse((tmp_path / "events.py").read_text())


def test_the_committed_folder_is_kept() -> None:
    assert (ROOT / "own" / "README.md").is_file()
    # Grafana complains of a folder that is not there.
    assert (ROOT / "own" / "dashboards" / ".gitkeep").is_file()
    assert "own/" in (ROOT / ".gitignore").read_text(encoding="utf-8")
