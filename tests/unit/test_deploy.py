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
ONE: dict[str, Any] = yaml.safe_load(deployed.CONFIG.read_text(encoding="utf-8"))
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


def test_no_batch_of_a_gateway_has_two_tenants() -> None:
    for name, exporter in GATEWAY["exporters"].items():
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
