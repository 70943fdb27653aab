"""The Helm chart, rendered as `helm template` does."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from support.deployed import ROOT
from support.kubernetes import programs

CHART: Final = ROOT / "deploy" / "chart"
RELEASE: Final = "telemetry"
NAMESPACE: Final = "observability"
STAGING: Final = CHART / "values-staging.yaml"
PRODUCTION: Final = CHART / "values-production.yaml"
OPERATOR: Final = ("monitoring.coreos.com/v1/PrometheusRule", "monitoring.coreos.com/v1")
CUSTOM_METRICS: Final = ("custom.metrics.k8s.io/v1beta1",)
# What has a template of Pods.
WORKLOADS: Final = frozenset({"DaemonSet", "Deployment", "StatefulSet"})

Document = dict[str, Any]
Changes = dict[str, Any]


def helm(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run Helm with nothing of the user's own."""
    return subprocess.run(
        [str(programs.tools()["helm"]), *arguments],
        input=stdin,
        env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def template(
    *values: Path, changes: Changes | None = None, apis: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Render the chart with these files of values, in turn, and `changes` over them.

    apis: what `.Capabilities.APIVersions` has besides Kubernetes' own.
    """
    command = ["template", RELEASE, str(CHART), f"--namespace={NAMESPACE}"]
    command += [f"--values={path}" for path in values]
    command += [f"--api-versions={api}" for api in apis]
    return helm(*command, "--values=-", stdin=json.dumps(changes or {}))


def rendered(
    *values: Path, changes: Changes | None = None, apis: Sequence[str] = ()
) -> list[Document]:
    """The chart's objects."""
    made = template(*values, changes=changes, apis=apis)
    assert made.returncode == 0, made.stderr
    return documents(made.stdout)


def documents(text: str) -> list[Document]:
    """The documents of a text, without empty ones."""
    return [one for one in yaml.safe_load_all(text) if one]


def one(objects: Sequence[Document], kind: str, name: str) -> Document:
    """The object of this kind and name, without the release's own."""
    found = [
        each
        for each in objects
        if each["kind"] == kind and each["metadata"]["name"] == f"{RELEASE}-{name}"
    ]
    assert len(found) == 1, [(each["kind"], each["metadata"]["name"]) for each in objects]
    return found[0]


def pods(objects: Sequence[Document]) -> Iterator[tuple[str, Document]]:
    """Yield each template of Pods with the name of what has it; a sidecar's as its own Pod."""
    for each in objects:
        name = each["metadata"]["name"]
        if each["kind"] in WORKLOADS:
            yield f"{each['kind']} {name}", each["spec"]["template"]
        if each["kind"] == "ConfigMap" and "patch.yaml" in each["data"]:
            yield f"sidecar {name}", yaml.safe_load(each["data"]["patch.yaml"])["spec"]["template"]


def containers(pod: Document) -> Iterator[Document]:
    """Yield all containers of a template of Pods."""
    yield from pod["spec"].get("initContainers", [])
    yield from pod["spec"].get("containers", [])
