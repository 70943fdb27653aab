"""Backends in several processes take, keep and find what those of one machine do."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pytest
import yaml

from support.deployed import ROOT

# file -> what it says otherwise than that of one machine, and why is said there.
OTHERWISE: Final[Mapping[str, frozenset[str]]] = {
    "loki/loki.yaml": frozenset(
        {
            "auth_enabled",
            "server.grpc_listen_address",
            "common.replication_factor",
            "common.instance_addr",
            "common.ring",
            "common.storage",
            "memberlist",
            "schema_config",
            "ingester.lifecycler",
            "ingester.autoforget_unhealthy",
            "ingester.chunk_idle_period",
            "ingester.query_store_max_look_back_period",
            "compactor.delete_request_store",
            "ruler",
        }
    ),
    "tempo/tempo.yaml": frozenset(
        {
            "multitenancy_enabled",
            "server.grpc_listen_address",
            "ingest",
            "memberlist",
            "live_store.readiness_target_lag",
            "live_store.readiness_max_wait",
            "live_store.ring",
            "block_builder",
            "querier",
            "metrics_generator.instance_id",
            "metrics_generator.registry.inject_tenant_id_as",
            "metrics_generator.storage.remote_write",
            "storage.trace.backend",
            "storage.trace.local",
            "storage.trace.s3",
            "backend_worker.backend_scheduler_addr",
        }
    ),
    "prometheus/prometheus.yaml": frozenset(
        {
            "global.external_labels.replica",
            "otlp.promote_resource_attributes",
            "alerting.alert_relabel_configs",
            "scrape_configs",
        }
    ),
}
EVERY = pytest.mark.parametrize("name", list(OTHERWISE))
ASSIGNED = re.compile(r"\$[{(]([A-Z0-9_]+)")


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def read(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what one machine has, and what several processes have."""
    one, several = (
        dict(leaves(yaml.safe_load((folder / name).read_text(encoding="utf-8"))))
        for folder in (ROOT, ROOT / "deploy")
    )
    return one, several


def below(path: str, names: frozenset[str]) -> bool:
    return any(path == one or path.startswith(f"{one}.") for one in names)


@EVERY
def test_several_processes_differ_from_one_machine_only_where_they_have_to(name: str) -> None:
    one, several = read(name)
    different = {
        path: (one.get(path), several.get(path))
        for path in one.keys() | several.keys()
        if one.get(path) != several.get(path) and not below(path, OTHERWISE[name])
    }
    assert different == {}


@EVERY
def test_each_difference_that_is_allowed_is_one(name: str) -> None:
    one, several = read(name)
    unused = {
        allowed
        for allowed in OTHERWISE[name]
        if not any(
            below(path, frozenset({allowed})) and one.get(path) != several.get(path)
            for path in one.keys() | several.keys()
        )
    }
    assert unused == set()


@EVERY
def test_each_variable_is_explained_at_the_head(name: str) -> None:
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    head = "".join(line for line in text.splitlines(keepends=True) if line.startswith("#"))
    # A container has it by itself.
    unknown = set(ASSIGNED.findall(text)) - {"HOSTNAME"} - set(re.findall(r"[A-Z][A-Z0-9_]+", head))
    assert unknown == set()


def test_prometheus_gets_all_the_labels_of_one_machine_and_the_tenant() -> None:
    one, several = read("prometheus/prometheus.yaml")
    name = "otlp.promote_resource_attributes"
    assert several[name] == [*one[name], "glasshouse.tenant"]
    [relabelled] = several["alerting.alert_relabel_configs"]
    # Both replicas fire, and Alertmanager must take it for one alert.
    assert relabelled == {"action": "labeldrop", "regex": "grafana|replica"}


def jobs(folder: str) -> dict[str, Any]:
    document = yaml.safe_load((ROOT / folder / "prometheus.yaml").read_text(encoding="utf-8"))
    return {job["job_name"]: job for job in document["scrape_configs"]}


def test_what_is_scraped_is_scraped_as_on_one_machine() -> None:
    one, several = jobs("prometheus"), jobs("deploy/prometheus")
    # Edges push what they count; gateways and Thanos are on no one machine.
    assert set(one) - set(several) == {"derived", "collector"}
    assert set(several) - set(one) == {"glasshouse-gateway", "thanos"}
    one["glasshouse-gateway"] = one["collector"] | {"job_name": "glasshouse-gateway"}
    for name in set(one) & set(several):
        apart = {
            key
            for key in one[name].keys() | several[name].keys()
            if one[name].get(key) != several[name].get(key)
        }
        assert apart == {"static_configs"} or name == "alertmanager", name


def test_a_tenant_is_asked_for_everywhere() -> None:
    loki, tempo = read("loki/loki.yaml")[1], read("tempo/tempo.yaml")[1]
    assert loki["auth_enabled"] is True
    assert tempo["multitenancy_enabled"] is True
    # Else two tenants' service graphs would be one series, written by two.
    assert tempo["metrics_generator.registry.inject_tenant_id_as"] == "glasshouse_tenant"


def test_nothing_holds_a_key() -> None:
    for name in (*OTHERWISE, "prometheus/s3.yaml"):
        text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
        for key in ("access_key", "secret_key", "secret_access_key", "session_token"):
            assert f"{key}:" not in text, name


def test_the_second_replica_gets_metrics_as_the_first_does() -> None:
    folder = ROOT / "deploy" / "gateway"
    kafka, replicas = (
        yaml.safe_load((folder / name).read_text(encoding="utf-8"))
        for name in ("kafka.yaml", "replicas.yaml")
    )
    first, second = kafka["receivers"]["kafka/metrics"], replicas["receivers"]["kafka/metrics_2"]
    # Of one group each replica would get a half.
    assert second == first | {"group_id": "glasshouse-metrics-2"}
    assert second["group_id"] != first["group_id"]
    first = kafka["exporters"]["otlp_bisect/prometheus"]
    second = replicas["exporters"]["otlp_bisect/prometheus_2"]
    assert second == first | {"endpoint": "${env:PROMETHEUS_2_ENDPOINT}"}
    assert replicas["service"]["pipelines"] == {
        "metrics/2": kafka["service"]["pipelines"]["metrics"]
        | {"receivers": ["kafka/metrics_2"], "exporters": ["otlp_bisect/prometheus_2"]}
    }
