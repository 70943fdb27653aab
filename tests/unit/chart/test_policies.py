"""What each Pod may do and take: as little as it needs, in every way the chart is rendered."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support import chart
from support.chart import Document
from support.chart_cases import CASES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]  # the first compiles Helm

Rendered = Callable[[str], list[Document]]
EMPTY: dict[str, Any] = {}


def faults(objects: list[Document]) -> Iterator[str]:
    """One line for each thing that a Pod may do and need not, or may take without a bound."""
    for name, pod in chart.pods(objects):
        spec = pod["spec"]
        for key in ("hostNetwork", "hostPID", "hostIPC", "hostAliases"):
            if spec.get(key):
                yield f"{name}: {key}"
        for volume in spec["volumes"]:
            [kind] = volume.keys() - {"name"}
            if kind not in {"configMap", "emptyDir", "ephemeral", "projected"}:
                yield f"{name}: volume {volume['name']} of {kind}"
            if kind == "emptyDir" and "sizeLimit" not in volume[kind]:
                yield f"{name}: volume {volume['name']} has no bound"
        if not name.startswith("sidecar"):  # where the Pod is somebody else's
            yield from _of_pod(name, spec)
        for container in chart.containers(pod):
            yield from _of_container(f"{name}: {container['name']}", container)


def _of_pod(name: str, spec: Document) -> Iterator[str]:
    if spec.get("automountServiceAccountToken") is not False:
        yield f"{name}: has a token of the API server"
    if spec.get("enableServiceLinks") is not False:
        yield f"{name}: has addresses of all Services"
    if spec.get("serviceAccountName", "default") == "default":
        yield f"{name}: has no account of its own"
    security = spec.get("securityContext", EMPTY)
    if security.get("runAsNonRoot") is not True:
        yield f"{name}: may be root"
    if security.get("seccompProfile") != {"type": "RuntimeDefault"}:
        yield f"{name}: no seccomp profile"


def _of_container(name: str, container: Document) -> Iterator[str]:
    security = container.get("securityContext", EMPTY)
    wanted = {
        "runAsNonRoot": True,
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for key, value in wanted.items():
        if security.get(key) != value:
            yield f"{name}: {key} is {security.get(key)}"
    if security.get("privileged") or not security.get("runAsUser"):
        yield f"{name}: privileged, or of no user of its own"
    for bound in ("requests", "limits"):
        for resource in ("cpu", "memory", "ephemeral-storage"):
            if not container.get("resources", EMPTY).get(bound, EMPTY).get(resource):
                yield f"{name}: resources.{bound}.{resource} is missing"
    for port in container.get("ports", []):
        if "hostPort" in port:
            yield f"{name}: hostPort {port['hostPort']}"
    tag = container["image"].rpartition("/")[2]
    if "@sha256:" not in tag and (":" not in tag or tag.endswith(":latest")):
        yield f"{name}: image {container['image']} is of no fixed version"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        if "httpGet" not in container.get(probe, EMPTY):
            yield f"{name}: {probe} is missing"
    for variable in container.get("env", []):
        if "secretKeyRef" in variable.get("valueFrom", EMPTY):
            yield f"{name}: a secret is in its environment, {variable['name']}"


@pytest.mark.parametrize("case", CASES)
def test_a_pod_may_do_and_take_no_more_than_it_needs(rendered: Rendered, case: str) -> None:
    objects = rendered(case)
    seen = {name for name, _ in chart.pods(objects)}
    assert seen
    assert list(faults(objects)) == []


def changed(container: Document, **changes: Any) -> list[Document]:
    """Objects with one DaemonSet whose container is this one with changes."""
    spec: Document = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "serviceAccountName": "own",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container | changes],
        "volumes": [],
    }
    metadata = {"name": "a"}
    return [{"kind": "DaemonSet", "metadata": metadata, "spec": {"template": {"spec": spec}}}]


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, None),
        ({"image": "otelcol"}, "image otelcol is of no fixed version"),
        ({"image": "registry:5000/otelcol"}, "image registry:5000/otelcol is of no fixed version"),
        ({"image": "otelcol:latest"}, "image otelcol:latest is of no fixed version"),
        ({"resources": {}}, "resources.requests.cpu is missing"),
        ({"ports": [{"containerPort": 1, "hostPort": 1}]}, "hostPort 1"),
        ({"securityContext": {"privileged": True}}, "privileged, or of no user of its own"),
        ({"securityContext": {}}, "readOnlyRootFilesystem is None"),
        ({"livenessProbe": {}}, "livenessProbe is missing"),
        (
            {"env": [{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "a"}}}]},
            "a secret is in its environment, KEY",
        ),
    ],
)
def test_a_fault_is_found(rendered: Rendered, changes: Document, fault: str | None) -> None:
    [(_, pod)] = [one for one in chart.pods(rendered("edges alone")) if "edge" in one[0]]
    [container] = chart.containers(pod)
    found = [line.partition("edge: ")[2] for line in faults(changed(container, **changes))]
    assert (fault in found) if fault else (found == [])


@pytest.mark.parametrize("case", CASES)
def test_nothing_secret_is_in_an_object(rendered: Rendered, case: str) -> None:
    assert [each for each in rendered(case) if each["kind"] == "Secret"] == []


@pytest.mark.parametrize("case", CASES)
def test_no_object_is_too_large_for_the_api_server(rendered: Rendered, case: str) -> None:
    # etcd takes 1.5 MiB, a ConfigMap 1 MiB.
    sizes = {each["metadata"]["name"]: len(str(each)) for each in rendered(case)}
    assert max(sizes.values()) < 900_000, max(sizes, key=lambda name: sizes[name])


@pytest.mark.parametrize("case", CASES)
def test_what_selects_a_pod_never_changes_with_a_version(rendered: Rendered, case: str) -> None:
    """A selector, and a claim's template, are refused when an upgrade changes them."""
    for each in rendered(case):
        if each["kind"] not in chart.WORKLOADS:
            continue
        spec = each["spec"]
        selected = spec["selector"]["matchLabels"]
        assert set(selected) == {
            "app.kubernetes.io/name",
            "app.kubernetes.io/instance",
            "app.kubernetes.io/component",
        }
        assert selected == spec["template"]["metadata"]["labels"]
        for claim in spec.get("volumeClaimTemplates", []):
            assert claim["metadata"]["labels"] == selected


def test_no_two_parts_have_one_selector(rendered: Rendered) -> None:
    for case in CASES:
        selectors = [
            tuple(sorted(each["spec"]["selector"]["matchLabels"].items()))
            for each in rendered(case)
            if each["kind"] in chart.WORKLOADS
        ]
        assert len(set(selectors)) == len(selectors)


@pytest.mark.parametrize("case", CASES)
def test_each_service_and_budget_finds_pods_with_its_ports(rendered: Rendered, case: str) -> None:
    objects = rendered(case)
    pods = [pod for _, pod in chart.pods(objects)]
    for each in objects:
        match each["kind"]:
            case "Service":
                selector = each["spec"]["selector"]
            case "PodDisruptionBudget" | "NetworkPolicy":
                key = "selector" if each["kind"] == "PodDisruptionBudget" else "podSelector"
                selector = each["spec"][key]["matchLabels"]
            case _:
                continue
        found = [one for one in pods if selector.items() <= one["metadata"]["labels"].items()]
        assert len(found) == 1, (each["kind"], each["metadata"]["name"])
        names = {port["name"] for one in chart.containers(found[0]) for port in one["ports"]}
        wanted = {port["targetPort"] for port in each["spec"].get("ports", [])}
        assert wanted <= names


@pytest.mark.parametrize("case", CASES)
def test_each_file_that_is_mounted_is_there(rendered: Rendered, case: str) -> None:
    objects = rendered(case)
    maps = {
        each["metadata"]["name"]: each["data"] for each in objects if each["kind"] == "ConfigMap"
    }
    accounts = {each["metadata"]["name"] for each in objects if each["kind"] == "ServiceAccount"}
    for name, pod in chart.pods(objects):
        mounted = {
            volume["name"]: maps[volume["configMap"]["name"]]
            for volume in pod["spec"]["volumes"]
            if "configMap" in volume
        }
        assert pod["spec"].get("serviceAccountName") in {*accounts, None}, name
        for container in chart.containers(pod):
            files = {
                f"{mount['mountPath']}/{file}"
                for mount in container["volumeMounts"]
                for file in mounted.get(mount["name"], ())
            }
            configs = [
                one.split("=", 1)[1]
                for one in container["args"]
                if one.startswith(("--config=/", "-config.file=", "--config.file="))
            ]
            assert configs, name
            assert set(configs) <= files, name
