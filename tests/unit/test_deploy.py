"""What runs past one machine says the same as what runs on one, where it means the same."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from glasshouse_dashboards.queries.shared import COLLECTOR_JOBS
from support import deployed

FOLDER = deployed.ROOT / "deploy"
GATEWAY: dict[str, Any] = yaml.safe_load(
    (FOLDER / "gateway" / "config.yaml").read_text(encoding="utf-8")
)
EDGE: dict[str, Any] = yaml.safe_load((FOLDER / "edge" / "edge.yaml").read_text(encoding="utf-8"))
TO_KAFKA: dict[str, Any] = yaml.safe_load(
    (FOLDER / "edge" / "kafka.yaml").read_text(encoding="utf-8")
)
BEHIND_KAFKA: dict[str, Any] = yaml.safe_load(
    (FOLDER / "gateway" / "kafka.yaml").read_text(encoding="utf-8")
)
SAMPLING: dict[str, Any] = yaml.safe_load(
    (FOLDER / "gateway" / "sampling.yaml").read_text(encoding="utf-8")
)
ONE: dict[str, Any] = yaml.safe_load(deployed.CONFIG.read_text(encoding="utf-8"))
BROKER = dict(
    line.split("=", 1)
    for line in (FOLDER / "kafka" / "server.properties").read_text(encoding="utf-8").splitlines()
    if "=" in line and not line.startswith("#")
)
# What a gateway has otherwise, and why is said there.
OTHERWISE = {
    "extensions.otlp_limits.access",
    "extensions.tenants",
    "processors.tenant",
    *(
        f"receivers.otlp.protocols.{one}.{key}"
        for one in ("grpc", "http")
        for key in ("middlewares", "tls")
    ),
    *(
        f"exporters.otlp_bisect/{backend}.{key}"
        for backend in ("tempo", "loki", "prometheus")
        for key in ("tenant_header", "sending_queue.batch.partition")
    ),
    "service.extensions",
    "service.telemetry.metrics.views",
    *(f"service.pipelines.{signal}.processors" for signal in ("traces", "metrics", "logs")),
    "service.pipelines.logs.exporters",
}


def leaves(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        found: dict[str, Any] = {}
        for key, item in value.items():
            found |= leaves(item, f"{path}.{key}" if path else str(key))
        return found
    return {path: value}


def allowed(path: str) -> bool:
    return any(path == one or path.startswith(f"{one}.") for one in OTHERWISE)


def test_a_gateway_differs_from_one_machine_only_where_it_has_to() -> None:
    one, gateway = leaves(ONE), leaves(GATEWAY)
    different = {
        path: (value, one.get(path))
        for path, value in gateway.items()
        if not allowed(path) and value != one.get(path)
    }
    assert different == {}


def test_each_difference_that_is_allowed_is_one() -> None:
    one, gateway = leaves(ONE), leaves(GATEWAY)
    unused = {
        name
        for name in OTHERWISE
        if not any(
            (path == name or path.startswith(f"{name}.")) and gateway.get(path) != one.get(path)
            for path in gateway
        )
    }
    assert unused == set()


@pytest.mark.parametrize("gateway", [GATEWAY, BEHIND_KAFKA], ids=["of edges", "behind Kafka"])
def test_no_batch_of_a_gateway_has_two_tenants(gateway: dict[str, Any]) -> None:
    for name, exporter in gateway["exporters"].items():
        assert exporter["tenant_header"] == "X-Scope-OrgID", name
        partition = exporter["sending_queue"]["batch"]["partition"]
        assert partition == {"metadata_keys": ["glasshouse.tenant"]}, name


def test_the_name_of_a_tenant_is_set_before_anything_is_kept() -> None:
    for name, pipeline in GATEWAY["service"]["pipelines"].items():
        assert pipeline["processors"] == ["memory_limiter", "tenant"], name
    for protocol in GATEWAY["receivers"]["otlp"]["protocols"].values():
        assert protocol["middlewares"][0] == {"id": "tenants"}
        assert "client_ca_file" in protocol["tls"]


def test_an_edge_keeps_all_that_one_machine_promises() -> None:
    laid = merged(deployed.load(), EDGE)
    # What it pushes of itself is named last, and redacted first as all else is.
    assert deployed.broken_promises(laid) == []
    assert {
        one for pipeline in laid["service"]["pipelines"].values() for one in pipeline["exporters"]
    } == {"event_metrics", "otlp_bisect/tempo", "otlp_bisect/loki", "otlp_bisect/prometheus"}


def test_an_edge_before_kafka_keeps_them_too() -> None:
    laid = merged(merged(deployed.load(), EDGE), TO_KAFKA)
    used = {
        one for pipeline in laid["service"]["pipelines"].values() for one in pipeline["exporters"]
    }
    assert used == {"event_metrics", "kafka_bisect", "kafka_bisect/metrics"}
    # What no pipeline has sends nothing.
    laid["exporters"] = {name: laid["exporters"][name] for name in used - {"event_metrics"}}
    assert deployed.broken_promises(laid) == []
    for exporter in laid["exporters"].values():
        assert exporter["producer"]["required_acks"] == "all"
        assert exporter["producer"]["allow_auto_topic_creation"] is False
        assert exporter["dead_letter"] == "dead_letter"
    assert laid["exporters"]["kafka_bisect/metrics"]["sending_queue"]["num_consumers"] == 1


def test_no_record_that_is_let_in_is_too_large_for_kafka() -> None:
    """A request, a batch that holds it, a message of that batch, a batch of the broker."""
    request = ONE["extensions"]["otlp_limits"]["max_request_mib"] * 2**20
    exporter = TO_KAFKA["exporters"]["kafka_bisect"]
    batch, message = exporter["sending_queue"]["batch"], exporter["producer"]["max_message_bytes"]
    assert batch["sizer"] == "bytes"
    assert request < batch["max_size"] < message < int(BROKER["message.max.bytes"])
    for receiver in BEHIND_KAFKA["receivers"].values():
        assert receiver["max_fetch_size"] >= int(BROKER["message.max.bytes"])


def test_a_gateway_behind_kafka_reads_again_what_it_had_not_delivered() -> None:
    groups = {one["group_id"] for one in BEHIND_KAFKA["receivers"].values()}
    assert len(groups) == len(BEHIND_KAFKA["receivers"]) == 3
    for name, receiver in BEHIND_KAFKA["receivers"].items():
        marking = receiver["message_marking"]
        assert (marking["after"], marking["on_error"]) == (True, False), name
        backoff = receiver["error_backoff"]
        assert (backoff["enabled"], backoff["max_elapsed_time"]) == (True, 0), name
        assert receiver["initial_offset"] == "earliest", name
    for name, exporter in BEHIND_KAFKA["exporters"].items():
        queue, retry = exporter["sending_queue"], exporter["retry_on_failure"]
        assert (queue["wait_for_result"], queue["block_on_overflow"]) == (True, True), name
        assert (retry["enabled"], retry["max_elapsed_time"]) == (True, 0), name
        assert queue["queue_size"] >= queue["batch"]["max_size"]


def test_both_gateways_send_alike() -> None:
    for name, exporter in BEHIND_KAFKA["exporters"].items():
        other = GATEWAY["exporters"][name]
        assert exporter.keys() == other.keys()
        assert {key for key in exporter if exporter[key] != other[key]} == {"sending_queue"}


def test_the_topic_says_whose_a_record_is_and_sampling_keeps_that() -> None:
    assert BEHIND_KAFKA["processors"]["tenant"] == {"from": "topic"}
    for name, pipeline in BEHIND_KAFKA["service"]["pipelines"].items():
        assert pipeline["processors"] == ["memory_limiter", "tenant"], name
        assert pipeline["receivers"] == [f"kafka/{name}"]
    wait = SAMPLING["processors"]["tail_sampling"]["decision_wait"]
    commits = SAMPLING["receivers"]["kafka/traces"]["autocommit"]["interval"]
    assert float(commits.removesuffix("s")) >= 6 * float(wait.removesuffix("s"))
    assert SAMPLING["processors"]["tenant/again"] == {"from": "resource"}
    assert SAMPLING["service"]["pipelines"] == {
        "traces": {"processors": ["memory_limiter", "tenant", "tail_sampling", "tenant/again"]}
    }


def test_a_broker_of_three_may_be_lost() -> None:
    assert BROKER["default.replication.factor"] == "3"
    assert BROKER["offsets.topic.replication.factor"] == "3"
    assert BROKER["min.insync.replicas"] == "2"
    assert BROKER["unclean.leader.election.enable"] == "false"
    assert BROKER["auto.create.topics.enable"] == "false"


def test_a_broker_knows_everybody_by_a_certificate() -> None:
    assert BROKER["ssl.client.auth"] == "required"
    listeners = {one.partition(":")[0] for one in BROKER["listeners"].split(",")}
    protocols = dict(one.split(":") for one in BROKER["listener.security.protocol.map"].split(","))
    assert {protocols[one] for one in listeners} == {"SSL"}
    assert BROKER["allow.everyone.if.no.acl.found"] == "false"
    assert BROKER["authorizer.class.name"].endswith("StandardAuthorizer")


def test_the_first_reader_of_an_edge_is_that_of_one_machine() -> None:
    pull, pushed = EDGE["service"]["telemetry"]["metrics"]["readers"]
    assert [pull] == ONE["service"]["telemetry"]["metrics"]["readers"]
    address = EDGE["receivers"]["otlp/self"]["protocols"]["http"]["endpoint"]
    assert address.startswith("127.0.0.1:")
    endpoint = pushed["periodic"]["exporter"]["otlp"]["endpoint"]
    assert endpoint == f"http://{address}/v1/metrics"


def test_an_edge_pushes_its_counts_as_often_as_those_of_one_machine_are_scraped() -> None:
    """`STRETCH` of the objectives, and 0.99 in alerts, are for that pause between two samples."""
    text = (deployed.ROOT / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8")
    jobs = {one["job_name"]: one for one in yaml.safe_load(text)["scrape_configs"]}
    every = EDGE["connectors"]["event_metrics"]["repeat_interval"]
    assert every == jobs["derived"]["scrape_interval"] == "2s"
    zero = ONE["connectors"]["event_metrics"]["initial_zero_duration"]
    assert float(zero.removesuffix("s")) > float(every.removesuffix("s"))


def test_an_edge_is_known_by_the_job_that_rules_and_panels_ask_for() -> None:
    resource = EDGE["service"]["telemetry"]["resource"]
    attributes = {
        one["key"]: one["value"] for one in EDGE["processors"]["resource/edge"]["attributes"]
    }
    named = {"service.name": "glasshouse-edge", "service.instance.id": "${env:EDGE_NAME}"}
    assert resource == attributes == named
    assert re.fullmatch(COLLECTOR_JOBS, named["service.name"])


def scraping(folder: Path) -> list[dict[str, Any]]:
    """Return the jobs of each configuration of Prometheus below a folder, and of pages."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*prometheus*.yaml"))]
    for page in sorted(folder.rglob("*.md")):
        blocks = re.findall(
            r"^```yaml\n(.*?)^```$", page.read_text("utf-8"), re.DOTALL | re.MULTILINE
        )
        texts += [block for block in blocks if block.startswith("scrape_configs:")]
    documents = [yaml.safe_load(text) for text in texts if "{{" not in text]
    return [
        job
        for document in documents
        if isinstance(document, dict)
        for job in document.get("scrape_configs", [])
    ]


def test_gateways_are_scraped_under_the_job_that_rules_and_panels_ask_for() -> None:
    found = [
        job
        for job in scraping(FOLDER)
        for group in job.get("static_configs", [])
        if any(target.startswith("gateway") for target in group["targets"])
    ]
    assert found
    for job in found:
        assert job["job_name"] == "glasshouse-gateway"
        # Else its HTTP metrics have dots in their names.
        assert job["metric_name_validation_scheme"] == "legacy"
        assert job["metric_name_escaping_scheme"] == "underscores"


def merged(below: Any, above: Any) -> Any:
    """As the Collector merges configurations: maps key by key, all else is replaced."""
    if isinstance(below, dict) and isinstance(above, dict):
        return below | {key: merged(below.get(key), item) for key, item in above.items()}
    return above


@pytest.mark.parametrize("page", [FOLDER / "README.md"], ids=["README"])
def test_every_file_and_secret_that_the_page_names_is_used(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for config in ("edge/edge.yaml", "gateway/config.yaml"):
        assert config in text
        used = (FOLDER / config).read_text(encoding="utf-8")
        for secret in ("certificate", "key", "authority"):
            for line in used.splitlines():
                if f"_{secret}" in line and "/run/secrets/" in line:
                    name = line.partition("/run/secrets/")[2].split()[0]
                    assert name in text, f"{page.name} does not name {name}"
