"""Every object has the form that Kubernetes and Prometheus' operator publish: kubeconform."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from support import chart
from support.chart import Document
from support.chart_cases import CASES
from support.kubernetes import programs, schemas

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]  # the first compiles Helm

Rendered = Callable[[str], list[Document]]


def checked(objects: list[Document], folder: Path) -> dict[str, int]:
    """How many objects are of which kind of answer; fails with what is said of those refused."""
    done = subprocess.run(
        [
            str(programs.tools()["kubeconform"]),
            "-strict",
            "-summary",
            "-output=json",
            f"-schema-location={folder}/{schemas.LOCATION}",
        ],
        input=yaml.safe_dump_all(objects),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    answer = json.loads(done.stdout)
    assert not answer.get("resources"), answer["resources"]
    return answer["summary"]


@pytest.mark.parametrize("case", CASES)
def test_every_object_is_of_a_known_form(
    rendered: Rendered, schema_folder: Path, case: str
) -> None:
    objects = rendered(case)
    summary = checked(objects, schema_folder)
    assert summary == {"valid": len(objects), "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.parametrize("path", sorted((chart.CHART / "examples").glob("*.yaml")), ids=str)
def test_every_example_is(path: Path, schema_folder: Path) -> None:
    objects = [
        one
        for one in chart.documents(path.read_text(encoding="utf-8"))
        if "kind" in one  # a file of another program's values has none
    ]
    assert checked(objects, schema_folder)["valid"] == len(objects)


@pytest.mark.parametrize(
    ("kind", "name", "change"),
    [
        ("StatefulSet", "gateway", {"replica": 2}),
        ("DaemonSet", "edge", {"updateStrategy": {"type": "RollingUpdate", "surge": 1}}),
        ("NetworkPolicy", "edge", {"ingress": {"from": "everybody"}}),
        ("PrometheusRule", "pipeline", {"groups": [{"name": "a", "rule": []}]}),
        ("ServiceMonitor", "gateway", {"endpoints": [{"port": 1}]}),
    ],
)
def test_a_wrong_object_is_found(
    rendered: Rendered, schema_folder: Path, kind: str, name: str, change: Document
) -> None:
    good = chart.one(rendered("production, with the operator"), kind, name)
    with pytest.raises(AssertionError, match=kind):
        checked([good | {"spec": good["spec"] | change}], schema_folder)
