"""The committed rules are those made of the SLOs, and every alert says what a person needs."""

import dataclasses
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from backend.api import health, internal
from glasshouse_cli import project, rules, slos
from glasshouse_cli.errors import StackError

ROOT = Path(__file__).parents[2]
CHECKOUT = project.load(ROOT)
FOLDER = rules.folder(CHECKOUT)
DASHBOARDS = {path.stem for path in (ROOT / "grafana" / "dashboards").glob("*.json")}


def alerts() -> list[dict[str, Any]]:
    return [
        rule
        for path in sorted(FOLDER.glob("*.yaml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]


every_alert = pytest.mark.parametrize(
    "alert",
    [
        pytest.param(a, id=f"{a['alert']}-{a['labels']['severity']}-{a['labels'].get('window')}")
        for a in alerts()
    ],
)


def test_what_is_committed_is_what_the_slos_make() -> None:
    for path, made in rules.made(CHECKOUT).items():
        committed = path.read_text(encoding="utf-8") if path.exists() else ""
        name = path.relative_to(ROOT)
        assert committed == made, f"{name}: run `make rules` and `make dashboards`, and commit"


def test_a_burn_alert_fires_when_its_share_of_the_budget_is_used_up() -> None:
    """The shares are those of the SRE workbook, and the short windows a twelfth of the long."""
    read = slos.load(ROOT / "prometheus" / "slos.yaml")
    period = slos.seconds(read.period)
    used = {
        (burn.severity, burn.long): burn.factor * slos.seconds(burn.long) / period
        for burn in read.burn_rates
    }
    assert used == {
        ("page", "1h"): pytest.approx(0.02),
        ("page", "6h"): pytest.approx(0.05),
        ("ticket", "1d"): pytest.approx(0.10),
        ("ticket", "3d"): pytest.approx(0.10),
    }
    assert {slos.seconds(one.long) / slos.seconds(one.short) for one in read.burn_rates} == {12}


def test_the_objectives_leave_out_what_the_api_answers_to_probes_and_people_on_call() -> None:
    selector = slos.load(ROOT / "prometheus" / "slos.yaml").selectors["api"]
    [pattern] = re.findall(r'http_route!~"([^"]+)"', selector)
    paths = {route.path for module in (health, internal) for route in module.router.routes}  # type: ignore[attr-defined]
    left_out = {path for path in paths | health.PATHS if re.fullmatch(pattern, path)}
    assert left_out == paths | health.PATHS, "prometheus/slos.yaml: selectors.api"
    assert not re.fullmatch(pattern, "/payments")


@every_alert
def test_an_alert_says_what_a_person_needs(alert: dict[str, Any]) -> None:
    name, labels, notes = alert["alert"], alert["labels"], alert["annotations"]
    assert labels["severity"] in {"page", "ticket", "none"}
    assert labels["area"]
    assert set(notes) == {"summary", "description", "runbook_url", "dashboard"}
    for text in ("summary", "description"):
        assert re.fullmatch(r"[A-Z{].*\.", notes[text]), text
    assert notes["runbook_url"] == "{{ $externalURL }}/user/" + name + ".md"
    base, _, uid = notes["dashboard"].rpartition("/d/")
    assert base == "{{ $externalLabels.grafana }}"
    assert uid in DASHBOARDS


def test_every_alert_has_its_page_and_every_page_its_alert() -> None:
    pages = {path.stem for path in (ROOT / "runbooks").glob("*.md")} - {"README"}
    assert pages == {alert["alert"] for alert in alerts()}


def test_a_fast_copy_has_shorter_times_and_the_same_thresholds() -> None:
    rule = {
        "alert": "Slow",
        "expr": "max_over_time(age[1h:5m]) > 300 and rate(x[5m] offset 2m) > 0.5",
        "for": "10m",
    }
    made = rules.accelerated({"groups": [{"name": "g", "rules": [rule]}]}, 20)
    assert made == {
        "groups": [
            {
                "name": "g",
                "interval": "1s",
                "rules": [
                    {
                        "alert": "Slow",
                        "expr": "max_over_time(age[180s:15s]) > 300 "
                        "and rate(x[15s] offset 6s) > 0.5",
                        "for": "30s",
                    }
                ],
            }
        ]
    }


SLO = {
    "name": "n", "alert": "A", "promise": "p", "objective": 99, "area": "a",
    "total": "t", "bad": "b",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": 100}, "slo n: objective must be a percentage between 0 and 100"),
        ({"objectve": 99}, "slo n: missing or unknown: objectve"),
        (
            {"unfinished": {"started": "s"}},
            "unfinished: missing or unknown: ended",
        ),
        (
            {"unfinished": {"started": "s", "ended": "e"}},
            "slo n: set within, or a deadline of what is unfinished",
        ),
        ({"promise": "done in $within"}, "slo n: there is no value for 'within'"),
    ],
)
def test_a_fault_in_the_slos_is_reported_with_its_place(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    file = tmp_path / "slos.yaml"
    document = {
        "period": "30d",
        "minimum_bad_events": 5,
        "burn_rates": [],
        "selectors": {},
        "records": [],
        "slos": [SLO | change],
    }
    file.write_text(yaml.safe_dump(document))
    with pytest.raises(StackError, match=message):
        slos.load(file)


def test_a_template_gets_selectors_and_times_of_objectives(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "prometheus", tmp_path / "prometheus")
    slos_file = tmp_path / "prometheus" / "slos.yaml"
    text = slos_file.read_text(encoding="utf-8")
    slos_file.write_text(text.replace("within: 120", "within: 300"), encoding="utf-8")
    checkout = dataclasses.replace(project.load(ROOT), root=tmp_path)
    made = rules.made(checkout)[tmp_path / "prometheus" / "rules" / "payments.yaml"]
    assert 'payments_total{state="created"}[5m] offset 5m' in made
    assert 'payments_total{state="confirmed"}[10m]' in made
    assert 'payments_total{state=~"confirmed|failed"}[10m]' in made
    assert "Created 5 to 10 minutes ago" in made
    assert "${" not in made
    template = tmp_path / "prometheus" / "templates" / "payments.yaml"
    template.write_text("a: ${payments_endet}", encoding="utf-8")
    with pytest.raises(
        StackError, match=r"payments\.yaml: there is no value for payments_endet: choose from api, "
    ):
        rules.made(checkout)


def checked(document: dict[str, Any]) -> set[tuple[str, str]]:
    """Return ("fires" or "quiet", alert's name) for all that the tests of a file check."""
    return {
        ("fires" if check.get("exp_alerts") else "quiet", check["alertname"])
        for test in document["tests"]
        for check in test.get("alert_rule_test", [])
    }


def test_every_alert_is_tested_firing_and_quiet() -> None:
    folder = ROOT / "prometheus"
    missing: list[tuple[str, str]] = []
    for path in sorted((folder / "rules").glob("*.yaml")):
        tests = yaml.safe_load((folder / "tests" / path.name).read_text(encoding="utf-8"))
        named = {
            rule["alert"]
            for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
            for rule in group["rules"]
            if "alert" in rule
        }
        wanted = {(how, name) for name in named for how in ("fires", "quiet")}
        missing += sorted(wanted - checked(tests) - {("quiet", "Watchdog")})
    assert missing == []
