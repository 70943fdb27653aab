"""Who reaches whom: the network policies, read as Kubernetes reads them."""

from collections.abc import Callable
from typing import Any

import pytest

from support import chart
from support.chart import Document
from support.chart_cases import CASES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]  # the first compiles Helm

Rendered = Callable[[str], list[Document]]
NAMESPACE = {"kubernetes.io/metadata.name": chart.NAMESPACE}
SELECTED = {"app.kubernetes.io/name": "glasshouse", "app.kubernetes.io/instance": chart.RELEASE}
# Labels of a Pod, and of its namespace.
Pod = tuple[dict[str, str], dict[str, str]]
OTHERS: dict[str, Pod] = {
    "service that may send": ({"app": "shop"}, {"glasshouse.dev/sends": "true"}),
    "service of the same namespace": ({"app": "shop"}, NAMESPACE),
    "stranger": ({"app": "stranger"}, {"kubernetes.io/metadata.name": "elsewhere"}),
    "grafana": ({"app.kubernetes.io/name": "grafana"}, NAMESPACE),
    "grafana of another namespace": (
        {"app.kubernetes.io/name": "grafana"},
        {"kubernetes.io/metadata.name": "elsewhere"},
    ),
    "an operator's prometheus": (
        {"app.kubernetes.io/name": "prometheus"},
        {"kubernetes.io/metadata.name": "monitoring"},
    ),
    "a loki": ({"app": "loki"}, {"kubernetes.io/metadata.name": "loki"}),
    "names": ({"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"}),
}
PORTS = (53, 3100, 3200, 4317, 4318, 8888, 8889, 9090, 9093, 13133)


def matches(selector: Document, labels: dict[str, str]) -> bool:
    assert set(selector) <= {"matchLabels"}
    return selector.get("matchLabels", {}).items() <= labels.items()


def is_peer(peer: Document, pod: Pod) -> bool:
    labels, namespace = pod
    if "ipBlock" in peer:
        return False
    if "namespaceSelector" in peer:
        in_namespace = matches(peer["namespaceSelector"], namespace)
    else:
        in_namespace = namespace == NAMESPACE
    return in_namespace and matches(peer.get("podSelector", {}), labels)


def allows(rule: Document, side: str, pod: Pod, port: int) -> bool:
    # Without peers, or with none of them, it is everybody; the same of ports.
    peers, ports = rule.get(side), rule.get("ports")
    return (not peers or any(is_peer(peer, pod) for peer in peers)) and (
        not ports or port in {one["port"] for one in ports}
    )


def reached(objects: list[Document]) -> set[tuple[str, str, int]]:
    """Who may connect to whom, on which port, of our parts and the others."""
    policies = [each["spec"] for each in objects if each["kind"] == "NetworkPolicy"]
    parts = {
        labels["app.kubernetes.io/component"]: (labels, NAMESPACE)
        for _, pod in chart.pods(objects)
        for labels in [pod["metadata"]["labels"]]
        if "app.kubernetes.io/component" in labels
    }
    everybody = {**OTHERS, **parts}

    def side(pod: Pod, other: Pod, port: int, rules: str, way: str) -> bool:
        mine = [one for one in policies if pod[1] == NAMESPACE]
        mine = [one for one in mine if matches(one["podSelector"], pod[0])]
        return not mine or any(
            allows(rule, way, other, port) for one in mine for rule in one[rules]
        )

    return {
        (source, target, port)
        for source, one in everybody.items()
        for target, other in everybody.items()
        for port in PORTS
        if source != target
        and (source in parts or target in parts)
        and side(one, other, port, "egress", "to")
        and side(other, one, port, "ingress", "from")
    }


def to(found: set[tuple[str, str, int]], target: str) -> set[tuple[str, int]]:
    return {(source, port) for source, one, port in found if one == target}


def of(found: set[tuple[str, str, int]], source: str) -> set[tuple[str, int]]:
    return {(target, port) for one, target, port in found if one == source}


def both(name: str) -> set[tuple[str, int]]:
    return {(name, 4317), (name, 4318)}


def test_in_staging_each_part_reaches_those_that_it_needs_and_no_others(
    rendered: Rendered,
) -> None:
    found = reached(rendered("staging"))
    # Of the namespace, whoever it is: that is all who are in it, to try things out.
    assert to(found, "edge") == both("service of the same namespace") | both("grafana")
    assert of(found, "edge") == {("gateway", 4318), ("names", 53)}
    assert to(found, "gateway") == {("edge", 4318), ("prometheus", 8888)}
    assert of(found, "gateway") == {
        ("loki", 3100),
        ("tempo", 4318),
        ("prometheus", 9090),
        ("names", 53),
    }
    assert to(found, "loki") == {("gateway", 3100), ("prometheus", 3100), ("grafana", 3100)}
    assert of(found, "loki") == set()
    assert to(found, "tempo") == {("gateway", 4318), ("prometheus", 3200), ("grafana", 3200)}
    assert of(found, "tempo") == {("prometheus", 9090), ("names", 53)}
    assert to(found, "prometheus") == {("gateway", 9090), ("tempo", 9090), ("grafana", 9090)}
    assert of(found, "prometheus") == {
        ("gateway", 8888),
        ("loki", 3100),
        ("tempo", 3200),
        ("names", 53),
    }


def test_in_production_who_may_send_is_a_namespaces_label(rendered: Rendered) -> None:
    found = reached(rendered("production"))
    assert to(found, "edge") == both("service that may send")
    assert of(found, "edge") == {("gateway", 4318), ("names", 53)}
    assert to(found, "gateway") == {("edge", 4318), ("an operator's prometheus", 8888)}
    backends = {("a loki", 3100), ("a loki", 4318), ("a loki", 9090)}
    monitored = {("an operator's prometheus", port) for port in (3100, 4318, 9090)}
    assert of(found, "gateway") == backends | monitored | {("names", 53)}


def test_gateways_elsewhere_are_the_only_way_out_of_an_edge(rendered: Rendered) -> None:
    objects = rendered("edges alone")
    found = reached(objects)
    assert of(found, "edge") == {("names", 53)}
    edge = chart.one(objects, "NetworkPolicy", "edge")["spec"]
    assert {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]} in edge["egress"]


def test_without_policies_everybody_reaches_everybody(rendered: Rendered) -> None:
    """What the tests above find comes of the policies."""
    found = reached(rendered("as little as may be"))
    assert ("stranger", 4318) in to(found, "edge")
    assert ("stranger", 4318) in to(found, "gateway")


def rules(objects: list[Document]) -> list[tuple[str, str, Document]]:
    return [
        (each["metadata"]["name"], way, rule)
        for each in objects
        if each["kind"] == "NetworkPolicy"
        for way, key in (("from", "ingress"), ("to", "egress"))
        for rule in each["spec"][key]
    ]


@pytest.mark.parametrize("case", CASES)
def test_no_rule_is_open_for_want_of_a_name(rendered: Rendered, case: str) -> None:
    """An empty list of peers would be everybody."""
    found = rules(rendered(case))
    assert [name for name, way, rule in found if not rule.get(way)] == []
    assert [name for name, way, rule in found if {} in rule[way]] == []


@pytest.mark.parametrize("case", CASES)
def test_every_part_has_a_policy_of_both_ways(rendered: Rendered, case: str) -> None:
    objects = rendered(case)
    if CASES[case].changes.get("networkPolicy") == {"enabled": False}:
        assert rules(objects) == []
        return
    selected: list[Any] = [
        each["spec"]["podSelector"]["matchLabels"]
        for each in objects
        if each["kind"] == "NetworkPolicy"
    ]
    for each in objects:
        if each["kind"] in chart.WORKLOADS:
            assert each["spec"]["selector"]["matchLabels"] in selected
        if each["kind"] == "NetworkPolicy":
            assert each["spec"]["policyTypes"] == ["Ingress", "Egress"]
