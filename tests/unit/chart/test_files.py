"""What runs on Kubernetes is what runs everywhere: nothing is written twice."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from support import chart, deployed
from support.chart import Document
from support.chart_cases import CASES

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]  # the first compiles Helm

Rendered = Callable[[str], list[Document]]
# What of prometheus/prometheus.yaml is not as it was: where things are, and what is not there.
ADDRESSES = {"alerting", "rule_files", "scrape_configs"}


def data(rendered: Rendered, case: str, name: str) -> dict[str, str]:
    return chart.one(rendered(case), "ConfigMap", name)["data"]


def test_an_edge_has_the_files_of_one_machine_and_the_edges_own(rendered: Rendered) -> None:
    found = data(rendered, "production", "edge")
    assert found == {
        name: (deployed.ROOT / path).read_text(encoding="utf-8").rstrip("\n")
        for name, path in {
            "config.yaml": "collector/config.yaml",
            "event_families.yaml": "collector/event_families.yaml",
            "rules.yaml": "redaction/rules.yaml",
            "edge.yaml": "deploy/edge/edge.yaml",
        }.items()
    }


def test_a_gateway_has_its_file_and_the_tenants_of_the_values(rendered: Rendered) -> None:
    found = data(rendered, "every value that is empty", "gateway")
    gateway = deployed.ROOT / "deploy" / "gateway" / "config.yaml"
    assert found["config.yaml"] == gateway.read_text(encoding="utf-8").rstrip("\n")
    assert yaml.safe_load(found["tenants.yaml"]) == {
        "edge": "staging",
        "edge-1": "team-a",
        "edge-2": "team-b",
    }


def test_over_kafka_both_have_their_files_and_a_tenant(rendered: Rendered) -> None:
    case = "over Kafka"
    folder = deployed.ROOT / "deploy"
    for part, name, path in (
        ("edge", "kafka.yaml", "edge/kafka.yaml"),
        ("edge", "edge.yaml", "edge/edge.yaml"),
        ("gateway", "config.yaml", "gateway/kafka.yaml"),
        ("gateway", "sampling.yaml", "gateway/sampling.yaml"),
    ):
        committed = (folder / path).read_text(encoding="utf-8").rstrip("\n")
        assert data(rendered, case, part)[name] == committed
    for kind, part, config in (
        ("DaemonSet", "edge", ["config.yaml", "edge.yaml", "kafka.yaml"]),
        ("Deployment", "gateway", ["config.yaml", "sampling.yaml"]),
    ):
        spec = chart.one(rendered(case), kind, part)["spec"]["template"]["spec"]
        [container] = spec["containers"]
        given = [one.rpartition("/")[2] for one in container["args"] if "/etc/otelcol/" in one]
        assert given == config


# Of ways that edge.yaml has and kafka.yaml takes no record by.
UNUSED = {("over Kafka", "gateway_authority")}


@pytest.mark.parametrize("case", CASES)
def test_each_variable_and_secret_that_is_read_is_given(rendered: Rendered, case: str) -> None:
    objects = rendered(case)
    maps = {one["metadata"]["name"]: one["data"] for one in objects if one["kind"] == "ConfigMap"}
    for name, pod in chart.pods(objects):
        volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
        [container] = [one for one in chart.containers(pod) if one["name"] != "shop"]
        configs = [one.rpartition("/")[2] for one in container["args"] if "/etc/otelcol/" in one]
        if not configs:
            continue  # a backend
        [files] = [
            maps[volumes[mount["name"]]["configMap"]["name"]]
            for mount in container["volumeMounts"]
            if mount["mountPath"] == "/etc/otelcol"
        ]
        text = "".join(files[one] for one in configs)
        given = {one["name"] for one in container["env"]}
        read = {one[1] for one in re.finditer(r"\$\{env:(\w+)\}", text)}
        assert len(read) > 2
        assert read - given == set(), name
        [secrets] = [one["projected"]["sources"] for one in volumes.values() if "projected" in one]
        there = {item["path"] for one in secrets for item in one["secret"]["items"]}
        wanted = {one[1] for one in re.finditer(r"/run/secrets/(\w+)", text)}
        assert wanted - there == {
            secret for which, secret in UNUSED if which == case and secret in wanted
        }, name
        assert there <= wanted, name


def test_parts_of_ones_own_are_a_configuration(rendered: Rendered) -> None:
    assert yaml.safe_load(data(rendered, "production", "edge-own")["values.yaml"]) == {}
    own = yaml.safe_load(data(rendered, "every value that is empty", "edge-own")["values.yaml"])
    assert own == {"connectors": {"event_metrics": {"services": [{"name": "shop"}]}}}


def test_backends_of_a_single_machines_size_run_its_configuration(rendered: Rendered) -> None:
    loki = data(rendered, "staging", "loki")["loki.yaml"]
    assert loki == (deployed.ROOT / "loki" / "loki.yaml").read_text(encoding="utf-8").rstrip("\n")
    tempo = data(rendered, "staging", "tempo")["tempo.yaml"]
    there = "http://telemetry-prometheus.observability.svc:9090"
    assert tempo.count(f"{there}/api/v1/write") == 1
    original = (deployed.ROOT / "tempo" / "tempo.yaml").read_text(encoding="utf-8").rstrip("\n")
    assert tempo.replace(there, "http://prometheus:9090") == original


def jobs(config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {job["job_name"]: job for job in config["scrape_configs"]}


def test_prometheus_differs_from_one_machines_in_addresses_alone(rendered: Rendered) -> None:
    made = yaml.safe_load(data(rendered, "staging", "prometheus")["prometheus.yaml"])
    original = yaml.safe_load(
        (deployed.ROOT / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8")
    )
    assert made["global"].pop("external_labels") == {"grafana": "http://grafana.staging.example"}
    original["global"].pop("external_labels")
    assert {key: made[key] for key in made if key not in ADDRESSES} == {
        key: original[key] for key in original if key not in ADDRESSES
    }
    before = jobs(original)
    before["glasshouse-gateway"] = before["collector"] | {"job_name": "glasshouse-gateway"}
    for name, job in jobs(made).items():
        place = {"static_configs", "dns_sd_configs"}
        assert {key: job[key] for key in job.keys() - place} == {
            key: before[name][key] for key in before[name].keys() - place
        }, name
    # Edges push what they count and measure, so there is nothing derived to scrape.
    assert set(jobs(made)) == {"glasshouse-gateway", "prometheus", "loki", "tempo"}
    assert jobs(made)["glasshouse-gateway"]["dns_sd_configs"] == [
        {
            "names": ["telemetry-gateway-pods.observability.svc"],
            "type": "A",
            "port": 8888,
            "refresh_interval": "15s",
        }
    ]
    assert "alerting" not in made


def test_alerts_go_where_the_values_say(rendered: Rendered) -> None:
    case = "every value that is empty"
    made = yaml.safe_load(data(rendered, case, "prometheus")["prometheus.yaml"])
    targets = [{"static_configs": [{"targets": ["alertmanager.example:9093"]}]}]
    assert made["alerting"]["alertmanagers"] == targets
    assert made["alerting"]["alert_relabel_configs"] == [
        {"action": "labeldrop", "regex": "grafana"}
    ]


def rules_of(files: dict[str, str]) -> dict[str, Any]:
    return {name: yaml.safe_load(text) for name, text in files.items()}


def committed_rules(
    *, grafana: str, runbooks: str, without: tuple[str, ...] = ("EdgeSilent",)
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in sorted((deployed.ROOT / "prometheus" / "rules").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        text = text.replace("{{ $externalURL }}/user", runbooks)
        text = text.replace("{{ $externalLabels.grafana }}", grafana)
        found[path.name] = yaml.safe_load(text)
        for group in found[path.name]["groups"]:
            group["rules"] = [one for one in group["rules"] if one.get("alert") not in without]
    return found


WITHOUT = {
    "groups": [
        {"name": "profiles", "rules": [{"record": "stack:without_backend", "expr": "vector(1)"}]}
    ]
}
RUNBOOKS = "https://git.example/glasshouse/blob/main/runbooks"


def test_rules_are_the_committed_ones_with_links_that_lead_somewhere(rendered: Rendered) -> None:
    found = rules_of(data(rendered, "staging", "rules"))
    assert found.pop("profiles.yaml") == WITHOUT
    wanted = committed_rules(grafana="http://grafana.staging.example", runbooks=RUNBOOKS)
    assert len(wanted) > 10
    assert found == wanted
    assert "externalURL" not in str(found)


def test_where_the_sample_backend_runs_it_is_missed(rendered: Rendered) -> None:
    assert "profiles.yaml" not in data(rendered, "every value that is empty", "rules")


def test_links_stay_and_alerts_go_where_the_values_say_so(rendered: Rendered) -> None:
    found = rules_of(data(rendered, "as little as may be", "rules"))
    assert found.pop("profiles.yaml") == WITHOUT
    assert found == committed_rules(
        grafana="{{ $externalLabels.grafana }}",
        runbooks="{{ $externalURL }}/user",
        without=("Watchdog", "TargetDown"),
    )


def test_the_operator_gets_the_same_rules(rendered: Rendered) -> None:
    objects = rendered("production, with the operator")
    wanted = committed_rules(grafana="https://grafana.example", runbooks=RUNBOOKS)
    found = {
        each["metadata"]["name"].removeprefix(f"{chart.RELEASE}-") + ".yaml": each["spec"]
        for each in objects
        if each["kind"] == "PrometheusRule"
    }
    assert found == wanted | {"profiles.yaml": WITHOUT}
    labels = [each["metadata"]["labels"] for each in objects if each["kind"] == "PrometheusRule"]
    assert {one["release"] for one in labels} == {"kube-prometheus-stack"}
    names = {each["metadata"]["name"] for each in objects if each["kind"] == "ConfigMap"}
    assert f"{chart.RELEASE}-rules" not in names


def test_the_operator_scrapes_gateways_as_one_machine_does(rendered: Rendered) -> None:
    found = chart.one(rendered("production, with the operator"), "ServiceMonitor", "gateway")
    original = yaml.safe_load(
        (deployed.ROOT / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8")
    )
    job = jobs(original)["collector"]
    [endpoint] = found["spec"]["endpoints"]
    assert endpoint["interval"] == original["global"]["scrape_interval"]
    assert endpoint["scrapeTimeout"] == original["global"]["scrape_timeout"]
    assert endpoint["metricRelabelings"] == [
        {
            "sourceLabels": one["source_labels"],
            "regex": one["regex"],
            "targetLabel": one["target_label"],
        }
        for one in job["metric_relabel_configs"]
    ]
    # Names come with underscores: a newer protocol would ask for them as they are.
    assert (job["metric_name_validation_scheme"], job["metric_name_escaping_scheme"]) == (
        "legacy",
        "underscores",
    )
    assert found["spec"]["scrapeProtocols"] == ["OpenMetricsText0.0.1", "PrometheusText0.0.4"]
    # Rules and dashboards ask for the job by this name.
    service = chart.one(rendered("production, with the operator"), "Service", "gateway-pods")
    assert service["metadata"]["labels"][found["spec"]["jobLabel"]] == "glasshouse-gateway"
    labels = found["spec"]["selector"]["matchLabels"]
    assert labels.items() <= service["metadata"]["labels"].items()


def test_each_dashboard_is_found_by_grafanas_sidecar(rendered: Rendered) -> None:
    objects = rendered("production")
    found = {
        name: (each["metadata"], text)
        for each in objects
        if each["metadata"]["labels"].get("grafana_dashboard") == "1"
        for name, text in each["data"].items()
    }
    committed = sorted((deployed.ROOT / "grafana" / "dashboards").glob("*.json"))
    assert sorted(found) == [path.name for path in committed]
    for path in committed:
        metadata, text = found[path.name]
        assert metadata["annotations"] == {"grafana_folder": "Glasshouse"}
        original = path.read_text(encoding="utf-8").rstrip("\n")
        assert text == original.replace("${prometheus}/user", RUNBOOKS)
    every = "".join(text for _, text in found.values())
    assert every.count(RUNBOOKS) > 30
    assert "${prometheus}" not in every


def test_images_and_retention_of_backends_are_those_of_one_machine() -> None:
    env = dict(
        line.split("=", 1)
        for line in (deployed.ROOT / ".env").read_text(encoding="utf-8").splitlines()
        if "=" in line and not line.startswith("#")
    )
    values = yaml.safe_load((chart.CHART / "values.yaml").read_text(encoding="utf-8"))
    for name in ("loki", "tempo", "prometheus"):
        backend = values["backends"][name]
        image = f"{backend['image']['repository']}:{backend['image']['tag']}"
        assert image == env[f"{name.upper()}_IMAGE"]
        assert backend["retention"] == env[f"{name.upper()}_RETENTION"]


def arguments(rendered: Rendered, name: str) -> list[str]:
    return chart.one(rendered("staging"), "StatefulSet", name)["spec"]["template"]["spec"][
        "containers"
    ][0]["args"]


def test_backends_are_started_as_on_one_machine(rendered: Rendered) -> None:
    services = deployed.compose()["services"]
    env = {"LOKI_RETENTION": "336h", "TEMPO_RETENTION": "336h", "PROMETHEUS_RETENTION": "35d"}
    # Where alerts link to, and the pages there, which Prometheus has none of here.
    left_out = ("--web.external-url=", "--web.user-assets=")
    for name in ("loki", "tempo", "prometheus"):
        command = [one for one in services[name]["command"] if not one.startswith(left_out)]
        for variable, value in env.items():
            command = [one.replace(f"${{{variable}:?}}", value) for one in command]
        assert arguments(rendered, name) == command, name


def test_memory_is_what_the_limits_of_the_configuration_are_made_for(rendered: Rendered) -> None:
    collector = deployed.compose()["services"]["collector"]
    assert collector["mem_limit"] == "512m"
    for case in ("staging", "production"):
        for name, pod in chart.pods(rendered(case)):
            if name.endswith(("-edge", "-gateway")):
                [container] = chart.containers(pod)
                assert container["resources"]["limits"]["memory"] == "512Mi"
                env = {one["name"]: one.get("value") for one in container["env"]}
                assert env["GOMEMLIMIT"] == collector["environment"]["GOMEMLIMIT"]
