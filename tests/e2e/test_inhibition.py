"""Which alerts hold back which, by the deployed Alertmanager with the committed configuration."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from glasshouse_cli import alerting, images, rules
from glasshouse_cli.project import Project
from support.waiting import until

CONFIG = Path(__file__).parents[2] / "alertmanager" / "alertmanager.yaml"
# An alert, with a label that its rule takes from its series.
FIRING = (
    "ApiDown",
    "BackendSilent",
    "EdgeSilent",
    "EventCountingStalled",
    "HealthCheckFailing",
    "PaymentOutage",
    "TargetDown job=derived",
    "TargetDown job=glasshouse-gateway",
    "TargetDown job=loki",
    "TelemetryLost",
    "Watchdog",
    "WorkerHeartbeatLost",
)
Amtool = Callable[..., str]


def labels_of(alert: str, project: Project) -> dict[str, str]:
    """Return the labels with which a rule fires; of several, those of the first."""
    name, _, label = alert.partition(" ")
    found = (
        rule["labels"]
        for path in sorted(rules.folder(project).glob("*.yaml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if rule.get("alert") == name
    )
    extra = dict([label.split("=")]) if label else {}
    return {"alertname": name, **next(found), **extra}


@pytest.fixture
def amtool(project: Project, docker: None, tmp_path: Path) -> Iterator[Amtool]:
    """An Alertmanager of this test's own, which reaches nobody."""
    image = images.resolve(["alertmanager"], checkout=project)["ALERTMANAGER_IMAGE"]
    tmp_path.chmod(0o755)
    document = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    config = tmp_path / "alertmanager.yaml"
    config.write_text(rules.dump(alerting.configured(document, {})), encoding="utf-8")
    config.chmod(0o644)
    started = subprocess.run(
        [
            *("docker", "run", "--detach", "--network=none", "--label=dev.glasshouse.part=tests"),
            *("--volume", f"{tmp_path}:/a:ro", "--tmpfs=/data:mode=1777", image),
            *("--config.file=/a/alertmanager.yaml", "--storage.path=/data"),
            "--cluster.listen-address=",
        ],
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    container = started.stdout.strip()

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        url = "--alertmanager.url=http://127.0.0.1:9093"
        return subprocess.run(
            ["docker", "exec", container, "amtool", url, *arguments],
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    def checked(*arguments: str) -> str:
        ran = run(*arguments)
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    def answers() -> tuple[bool | None, object]:
        ran = run("alert", "query")
        return ran.returncode == 0 or None, ran.stderr

    try:
        until(answers, what="Alertmanager answers")
        yield checked
    finally:
        subprocess.run(
            ["docker", "rm", "--force", container], capture_output=True, timeout=240, check=False
        )


def shown(alerts: list[dict[str, Any]]) -> set[str]:
    return {
        f"{one['labels']['alertname']} job={one['labels']['job']}"
        if "job" in one["labels"]
        else one["labels"]["alertname"]
        for one in alerts
    }


@pytest.mark.parametrize(
    ("source", "let_through"),
    [
        # The control: with no other alert only a page holds back the tickets of its area.
        (
            None,
            {
                "BackendSilent",
                "EdgeSilent",
                "EventCountingStalled",
                "HealthCheckFailing",
                "PaymentOutage",
                "TelemetryLost",
                "Watchdog",
            },
        ),
        # What the Collector's own scrapes say, or Prometheus itself, is news.
        ("CollectorDown", {"CollectorDown", "EventCountingStalled", "TelemetryLost", "Watchdog"}),
        # Of several hosts: no gateway answers.
        ("GatewayDown", {"GatewayDown", "EventCountingStalled", "TelemetryLost", "Watchdog"}),
    ],
)
def test_what_follows_from_an_alert_is_held_back(
    project: Project, amtool: Amtool, source: str | None, let_through: set[str]
) -> None:
    firing = {*FIRING, *([source] if source else [])}
    for alert in firing:
        amtool("alert", "add", *(f"{k}={v}" for k, v in labels_of(alert, project).items()))

    def probe() -> tuple[bool | None, object]:
        active = shown(json.loads(amtool("-o", "json", "alert", "query", "--active")))
        held = shown(json.loads(amtool("-o", "json", "alert", "query", "--inhibited")))
        found = (active, held)
        return found == (let_through, firing - let_through) or None, found

    until(probe, what=f"of {sorted(firing)} these come through: {sorted(let_through)}")


def test_a_dead_api_alone_holds_back_nothing_that_concerns_the_workers(
    project: Project, amtool: Amtool
) -> None:
    firing = {"ApiDown", "WorkerHeartbeatLost"}
    for alert in firing:
        amtool("alert", "add", *(f"{k}={v}" for k, v in labels_of(alert, project).items()))

    def probe() -> tuple[bool | None, object]:
        active = shown(json.loads(amtool("-o", "json", "alert", "query", "--active")))
        return active == firing or None, active

    until(probe, what="both come through")
