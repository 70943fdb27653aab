"""The chart against a real API server, in a namespace under Pod Security `restricted`.

Nothing here runs Pods. What is proved: every object, and every Pod that would come of one, is taken
as it is, without a warning; Helm installs, upgrades, rolls back and uninstalls it.
"""

import base64
import copy
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from support import chart
from support.chart import Document
from support.chart_cases import CASES
from support.kubernetes import control_plane, programs, schemas
from support.kubernetes.api import Api, Refused
from support.kubernetes.control_plane import ControlPlane
from support.waiting import until

RESTRICTED = {
    f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
}
# Compiling the API server takes minutes of a processor, once: not in every run of all tests.
pytestmark = [
    pytest.mark.skipif(
        os.environ.get("GLASSHOUSE_DISTRIBUTED") != "long" and not programs.has_servers(),
        reason="the API server is not compiled: GLASSHOUSE_DISTRIBUTED=long does it",
    ),
    pytest.mark.timeout(9000),
]
# What etcd, and so the API server, takes of one object.
MOST_OF_A_SECRET = 1024 * 1024


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    with control_plane.running(tmp_path_factory.mktemp("control-plane")) as made:
        with made.api() as api:
            _prepare(api)
        yield made


@pytest.fixture
def api(cluster: ControlPlane) -> Iterator[Api]:
    with cluster.api() as client:
        yield client


def _prepare(api: Api) -> None:
    for name in (chart.NAMESPACE, "staging", "team"):
        metadata = {"name": name, "labels": RESTRICTED}
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    api.create(
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": "high"},
            "value": 1000,
        }
    )
    definitions = schemas.custom_resources()
    for definition in definitions:
        api.apply(definition, warnings_are_errors=False)  # they are the operator's

    def served() -> tuple[bool | None, object]:
        try:
            for definition in definitions:
                kind = definition["spec"]["names"]["kind"]
                api.path({"apiVersion": "monitoring.coreos.com/v1", "kind": kind}, chart.NAMESPACE)
        except Refused as refused:
            return None, refused
        return True, None

    until(served, what="the operator's kinds are served")


def pod(template: Document, name: str, claims: Sequence[Document] = ()) -> Document:
    """The Pod that a controller makes of a template: with the disks of a StatefulSet's claims."""
    spec = copy.deepcopy(template["spec"])
    for claim in claims:
        volume = claim["metadata"]["name"]
        spec.setdefault("volumes", []).append(
            {"name": volume, "persistentVolumeClaim": {"claimName": f"{volume}-{name}"}}
        )
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": template["metadata"] | {"name": name},
        "spec": spec,
    }


def good() -> Document:
    """A Pod that Pod Security `restricted` takes."""
    example = chart.CHART / "examples" / "service.yaml"
    [service] = chart.documents(example.read_text(encoding="utf-8"))
    return pod(service["spec"]["template"], "control")


class TestWhatTheServerRefuses:
    """Controls: that nothing is refused below means something."""

    def test_a_good_pod_is_taken(self, api: Api) -> None:
        taken = api.create(good(), chart.NAMESPACE, dry=True)
        assert taken["spec"]["containers"][0]["name"] == "shop"
        assert api.objects({"apiVersion": "v1", "kind": "Pod"}, chart.NAMESPACE) == []

    @pytest.mark.parametrize(
        ("changes", "reason"),
        [
            ({"privileged": True, "allowPrivilegeEscalation": True}, "privileged"),
            ({"allowPrivilegeEscalation": True}, "allowPrivilegeEscalation != false"),
            ({"capabilities": {}}, "unrestricted capabilities"),
            ({"runAsUser": 0}, "runAsUser=0"),
            ({"seccompProfile": {"type": "Unconfined"}}, "seccompProfile"),
        ],
    )
    def test_a_pod_that_may_do_more_is_refused(
        self, api: Api, changes: Document, reason: str
    ) -> None:
        bad = good()
        bad["spec"]["containers"][0]["securityContext"] |= changes
        with pytest.raises(
            Refused, match=r'403 .*violates PodSecurity "restricted:latest"'
        ) as said:
            api.create(bad, chart.NAMESPACE, dry=True)
        assert reason in str(said.value)

    @pytest.mark.parametrize(
        ("place", "value", "reason"),
        [
            ("hostNetwork", True, "host namespaces"),
            ("volumes", [{"name": "a", "hostPath": {"path": "/"}}], "hostPath"),
        ],
    )
    def test_a_pod_that_reaches_the_node_is_refused(
        self, api: Api, place: str, value: Any, reason: str
    ) -> None:
        bad = good()
        bad["spec"][place] = [*bad["spec"]["volumes"], *value] if place == "volumes" else value
        with pytest.raises(Refused, match=r"403 .*violates PodSecurity") as said:
            api.create(bad, chart.NAMESPACE, dry=True)
        assert reason in str(said.value)

    def test_a_workload_whose_pods_would_be_refused_is_a_warning(self, api: Api) -> None:
        objects = CASES["production"].rendered()
        bad = copy.deepcopy(chart.one(objects, "DaemonSet", "edge"))
        [container] = bad["spec"]["template"]["spec"]["containers"]
        container["securityContext"]["privileged"] = True
        container["securityContext"]["allowPrivilegeEscalation"] = True
        with pytest.raises(Refused, match=r"would violate PodSecurity.*privileged"):
            api.apply(bad, chart.NAMESPACE, dry=True)

    def test_a_name_that_is_not_known_is_refused(self, api: Api) -> None:
        objects = CASES["production, with the operator"].rendered()
        for kind, name in (("StatefulSet", "gateway"), ("ServiceMonitor", "gateway")):
            bad = copy.deepcopy(chart.one(objects, kind, name))
            bad["spec"]["replica"] = 2
            with pytest.raises(Refused, match="replica"):
                api.apply(bad, chart.NAMESPACE, dry=True)


@pytest.mark.parametrize("case", CASES)
def test_every_object_is_taken_without_a_warning(api: Api, case: str) -> None:
    objects = CASES[case].rendered()
    assert len(objects) > 5
    for each in objects:
        taken = api.apply(each, chart.NAMESPACE, dry=True)
        assert taken["metadata"]["name"] == each["metadata"]["name"]


@pytest.mark.parametrize("case", CASES)
def test_every_pod_that_comes_of_them_is_taken(api: Api, case: str) -> None:
    seen: list[str] = []
    for each in CASES[case].rendered():
        if each["kind"] in chart.WORKLOADS:
            name = f"{each['metadata']['name']}-0"
            claims = each["spec"].get("volumeClaimTemplates", [])
            api.create(pod(each["spec"]["template"], name, claims), chart.NAMESPACE, dry=True)
            seen.append(name)
    assert seen or "sidecar" in case


def test_the_sidecar_goes_into_a_service_that_is_there(api: Api) -> None:
    example = chart.CHART / "examples" / "service.yaml"
    [service] = chart.documents(example.read_text(encoding="utf-8"))
    objects = CASES["as sidecars, gateways elsewhere"].rendered()
    patch = chart.one(objects, "ConfigMap", "sidecar")["data"]["patch.yaml"]
    api.apply(service, "team")
    patched = api.patch(service, yaml.safe_load(patch), "team")
    template = patched["spec"]["template"]
    assert [one["name"] for one in template["spec"]["containers"]] == ["shop"]
    [edge] = template["spec"]["initContainers"]
    assert (edge["name"], edge["restartPolicy"]) == ("glasshouse-edge", "Always")
    volumes = {one["name"] for one in template["spec"]["volumes"]}
    assert {"token", "tmp", "glasshouse-queue", "glasshouse-tmp"} <= volumes
    template["metadata"].pop("creationTimestamp", None)
    taken = api.create(pod(template, "shop"), "team", dry=True)
    assert taken["spec"]["initContainers"][0]["name"] == "glasshouse-edge"


class Helm:
    """Helm, of one release in one namespace. user: as whom, else as who may do everything."""

    def __init__(self, cluster: ControlPlane, namespace: str, user: str = "") -> None:
        self._options = [f"--kubeconfig={cluster.kubeconfig}", f"--namespace={namespace}"]
        if user:
            self._options.append(f"--kube-as-user={user}")

    def __call__(self, *arguments: str, changes: Document | None = None) -> str:
        done = self.tried(*arguments, changes=changes)
        assert done[0] == 0, done[1]
        return done[1]

    def tried(self, *arguments: str, changes: Document | None = None) -> tuple[int, str]:
        extra = [] if changes is None else ["--values=-"]
        stdin = None if changes is None else json.dumps(changes)
        done = chart.helm(*arguments, *self._options, *extra, stdin=stdin)
        return done.returncode, done.stdout + done.stderr


def names(api: Api, version: str, kind: str, namespace: str) -> set[str]:
    found = api.objects({"apiVersion": version, "kind": kind}, namespace)
    return {one["metadata"]["name"] for one in found}


def test_helm_installs_upgrades_rolls_back_and_uninstalls(api: Api, cluster: ControlPlane) -> None:
    space = chart.NAMESPACE
    helm = Helm(cluster, space)
    values = f"--values={chart.PRODUCTION}"
    upgrade = ("upgrade", "--install", chart.RELEASE, str(chart.CHART), values)
    helm(*upgrade)
    # It asked the server what is served, and gave the operator what is the operator's.
    rules = names(api, "monitoring.coreos.com/v1", "PrometheusRule", space)
    assert f"{chart.RELEASE}-pipeline" in rules
    assert f"{chart.RELEASE}-rules" not in names(api, "v1", "ConfigMap", space)
    assert names(api, "apps/v1", "DaemonSet", space) == {f"{chart.RELEASE}-edge"}

    # All of a release is kept in one Secret.
    [secret] = [
        one
        for one in api.objects({"apiVersion": "v1", "kind": "Secret"}, space)
        if one["type"] == "helm.sh/release.v1"
    ]
    size = len(base64.b64decode(secret["data"]["release"]))
    assert size < 0.8 * MOST_OF_A_SECRET, size

    # What may change does, in place.
    helm(
        *upgrade,
        changes={
            "image": {"digest": f"sha256:{'1' * 64}"},
            "edge": {"own": {"connectors": {"event_metrics": {"services": [{"name": "shop"}]}}}},
            "gateway": {
                "tenants": {"edge-2": "team-b"},
                "resources": {"requests": {"cpu": "1"}},
                "autoscaling": {"enabled": False},
                "replicas": 4,
            },
        },
    )

    def gateway() -> Document:
        [found] = api.objects({"apiVersion": "apps/v1", "kind": "StatefulSet"}, space)
        return found["spec"]

    assert gateway()["replicas"] == 4
    assert "1" * 64 in gateway()["template"]["spec"]["containers"][0]["image"]

    # What may not, a disk's size, is refused by the server, and nothing else of it is lost.
    code, said = helm.tried(*upgrade, changes={"gateway": {"queue": {"size": "20Gi"}}})
    assert code != 0
    assert "Forbidden" in said
    assert "volumeClaimTemplates" in said or "updates to statefulset spec" in said

    helm("rollback", chart.RELEASE, "1")
    assert "0" * 64 in gateway()["template"]["spec"]["containers"][0]["image"]
    helm("uninstall", chart.RELEASE)
    assert names(api, "apps/v1", "StatefulSet", space) == set()
    assert names(api, "v1", "ConfigMap", space) <= {"kube-root-ca.crt"}
    assert names(api, "monitoring.coreos.com/v1", "PrometheusRule", space) == set()


def test_who_may_edit_one_namespace_can_install_it(api: Api, cluster: ControlPlane) -> None:
    """It needs no role of the whole cluster, and gives none."""
    group = "rbac.authorization.k8s.io"
    # What the role `edit` is made of: a controller, which does not run here, puts it together.
    for role in ("system:aggregate-to-edit", "system:aggregate-to-view"):
        api.create(
            {
                "apiVersion": f"{group}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": role},
                "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": group, "kind": "User", "name": "editor"}],
            },
            "staging",
        )
    install = ("install", chart.RELEASE, str(chart.CHART), f"--values={chart.STAGING}")
    Helm(cluster, "staging", "editor")(*install)
    assert names(api, "apps/v1", "StatefulSet", "staging") == {
        f"{chart.RELEASE}-{part}" for part in ("gateway", "loki", "tempo", "prometheus")
    }
    # The control: nothing of it works in a namespace where that user may not.
    code, said = Helm(cluster, "team", "editor").tried(*install)
    assert code != 0
    assert "forbidden" in said


@pytest.mark.parametrize("path", sorted((chart.CHART / "examples").glob("*.yaml")), ids=str)
def test_every_example_is_taken(api: Api, path: Path) -> None:
    for one in chart.documents(path.read_text(encoding="utf-8")):
        if "kind" in one:
            api.apply(one, chart.NAMESPACE, dry=True)
