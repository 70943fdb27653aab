"""What a sender chose is text in the message that Slack gets, as Alertmanager renders it."""

import json
from pathlib import Path

import pytest
import yaml

from glasshouse_cli import images
from glasshouse_cli.project import Project
from support.tools import run_tool

RUNBOOK, DASHBOARD = "http://localhost/runbook", "http://localhost/board"
LINKS = f"<{RUNBOOK}|Runbook> <{DASHBOARD}|Dashboard>"


@pytest.fixture(scope="module")
def alertmanager(project: Project, docker: None) -> str:
    return images.resolve(["alertmanager"], checkout=project)["ALERTMANAGER_IMAGE"]


@pytest.mark.parametrize(
    ("service", "shown"),
    [
        ("shop", "shop"),
        ("<!channel> a&b", "&lt;!channel&gt; a&amp;b"),
        ("<https://evil.example|Runbook>", "&lt;https://evil.example|Runbook&gt;"),
        ("{{ .Status }} &lt;", "{{ .Status }} &amp;lt;"),
    ],
)
def test_what_a_label_holds_is_text_in_slack(
    alertmanager: str, project: Project, tmp_path: Path, service: str, shown: str
) -> None:
    document = yaml.safe_load((project.root / "alertmanager" / "alertmanager.yaml").read_text())
    [slack] = [one for one in document["receivers"] if one["name"] == "slack"]
    annotations = {
        "summary": f"The service {service} sends too much.",
        "description": f"It is {service}.",
        "runbook_url": RUNBOOK,
        "dashboard": DASHBOARD,
    }
    alert = {"status": "firing", "labels": {}, "annotations": annotations}
    tmp_path.chmod(0o755)
    (tmp_path / "data.json").write_text(json.dumps({"status": "firing", "alerts": [alert]}))
    (tmp_path / "none.tmpl").write_text("")
    ran = run_tool(
        alertmanager,
        "amtool",
        *("template", "render", "--template.glob=/t/none.tmpl", "--template.data=/t/data.json"),
        f"--template.text={slack['slack_configs'][0]['text']}",
        folders={tmp_path: "/t"},
    )
    assert ran.returncode == 0, ran.stderr
    text = f"The service {shown} sends too much. It is {shown}."
    assert [line for line in ran.stdout.splitlines() if line.strip()] == [text, LINKS]
