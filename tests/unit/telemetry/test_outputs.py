"""The committed files are those that the catalogue makes."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from glasshouse.events import field_name
from glasshouse_cli.telemetry import families, outputs, reference
from glasshouse_cli.telemetry.load import load

ROOT = Path(__file__).parents[3]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout of what the generator reads and writes."""
    shutil.copytree(ROOT / "telemetry", tmp_path / "telemetry")
    for name in outputs.OUTPUTS:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_the_committed_files_are_the_made_ones() -> None:
    assert outputs.drift(ROOT) == []


@pytest.mark.parametrize("name", outputs.OUTPUTS)
def test_an_edited_file_is_one_line_that_says_what_to_do(copy: Path, name: str) -> None:
    lines = (copy / name).read_text(encoding="utf-8").splitlines(keepends=True)
    lines[6] = "edited by hand\n"
    (copy / name).write_text("".join(lines), encoding="utf-8")
    assert outputs.drift(copy) == [
        f"{name}:7: not what telemetry/ makes: change the catalogue there, "
        "run `make telemetry`, and commit"
    ]


@pytest.mark.parametrize("name", outputs.OUTPUTS)
def test_a_missing_file_is_reported_too(copy: Path, name: str) -> None:
    (copy / name).unlink()
    [line] = outputs.drift(copy)
    assert line.startswith(f"{name}:1: not what")


def test_writing_repairs_it_and_names_what_has_changed(copy: Path) -> None:
    catalogue = copy / "telemetry" / "payment.yaml"
    text = catalogue.read_text(encoding="utf-8")
    catalogue.write_text(text.replace("message: Payment failed", "message: Payment refused"))
    changed = ["service/src/backend/telemetry/events.py", "docs/events.md"]
    assert [line.partition(":")[0] for line in outputs.drift(copy)] == changed
    assert outputs.write(copy) == changed
    assert outputs.drift(copy) == []
    assert outputs.write(copy) == []


def test_a_label_is_renamed_by_one_word(copy: Path) -> None:
    catalogue = copy / "telemetry" / "job.yaml"
    text = catalogue.read_text(encoding="utf-8")
    catalogue.write_text(re.sub(r"label: job\b", "label: job_name", text), encoding="utf-8")
    outputs.write(copy)
    made = yaml.safe_load((copy / "collector/event_families.yaml").read_text(encoding="utf-8"))
    [jobs] = [family for family in made if family["name"] == "jobs"]
    assert [label["name"] for label in jobs["labels"]] == ["job_name", "outcome"]


def test_the_connector_counts_what_the_catalogue_says() -> None:
    by_name = {one["name"]: one for one in yaml.safe_load(families.document(load(ROOT)))}
    assert by_name["payments.amount"] == {
        "name": "payments.amount",
        "description": "Amount of the payments that reached a state, in the currency's unit",
        "events": {
            "payment.created": "created",
            "payment.submitted": "submitted",
            "payment.confirmed": "confirmed",
            "payment.failed": "failed",
        },
        "event_label": "state",
        "labels": [
            {
                "name": "currency",
                "attribute": "payment.currency",
                "known": ["EUR", "GBP", "JPY", "USD"],
                families.DYNAMIC_VALUES_KEY: 10,
            }
        ],
        "value": "payment.amount",
        "max": 1e12,
    }
    assert by_name["automation.runs.sla"]["labels"][1] == {
        "name": "within_sla",
        "attribute": "automation.within_sla",
        "known": ["true", "false"],
    }
    assert by_name["payment.confirmation_delay"]["unit"] == "s"
    assert 120 in by_name["payment.confirmation_delay"]["buckets"]


def test_the_reference_names_the_metrics_as_prometheus_does() -> None:
    assert [metric.prometheus_name for metric in load(ROOT).metrics] == [
        "automation_runs_total",
        "automation_run_duration_seconds",
        "automation_runs_sla_total",
        "jobs_total",
        "job_duration_seconds",
        "notifications_total",
        "payments_total",
        "payments_amount_total",
        "payment_confirmation_delay_seconds",
    ]


def test_the_reference_and_the_console_agree_on_names() -> None:
    catalogue = load(ROOT)
    for event in catalogue.events:
        for attribute in catalogue.attributes:
            made = reference.console_name(attribute, event.domain)
            assert made == field_name(event.name, attribute)
