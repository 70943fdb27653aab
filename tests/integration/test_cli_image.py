"""The image of the command, where there is neither a checkout nor Python."""

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from glasshouse_cli import images
from glasshouse_cli.project import Project
from support.tools import run_tool

LETTER = {
    "time": "2026-01-02T03:04:05.123456789Z",
    "reason": "late",
    "source": "admission",
    "signal": "logs",
    "items": 1,
    "otlp": {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]},
}


@pytest.fixture(scope="module")
def image(project: Project, docker: None) -> str:
    return images.resolve(["cli"], checkout=project)["CLI_IMAGE"]


def test_it_has_the_version_of_the_packages(image: str) -> None:
    ran = run_tool(image, "glasshouse", "--version", folders={})
    assert (ran.returncode, ran.stdout.strip()) == (0, version("glasshouse-cli")), ran.stderr


def test_it_lists_dead_letters_of_a_folder(image: str, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    file = tmp_path / "logs.jsonl"
    file.write_text(json.dumps(LETTER) + "\n", encoding="utf-8")
    file.chmod(0o644)
    arguments = ("dead-letters", "--folder", "/letters", "--json")
    ran = run_tool(image, "glasshouse", *arguments, folders={tmp_path: "/letters"})
    assert ran.returncode == 0, ran.stderr
    [group] = json.loads(ran.stdout)["letters"]
    assert (group["signal"], group["reason"], group["items"]) == ("logs", "late", 1)
