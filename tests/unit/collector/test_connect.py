"""What `glasshouse connect` prints is what a service needs: the Collector as deployed takes it."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.util.re import parse_env_headers
from prometheus_client.parser import text_string_to_metric_families

from glasshouse_cli import certificates
from glasshouse_cli.connect import refusals
from glasshouse_cli.connect import settings as own
from glasshouse_cli.connect.settings import ENDPOINT, HEADERS, Protocol, Settings
from glasshouse_cli.connect.stored import Stored
from glasshouse_cli.letters.letter import Signal
from glasshouse_cli.project import Project, User
from support import collector_process, deployed, plain_sender
from support.collector_process import TOKEN, Place
from support.otlp_sink import Sink
from support.waiting import until

CONFIG = deployed.CONFIG.read_text(encoding="utf-8")
MTLS = (deployed.ROOT / "collector" / "mtls.yaml").read_text(encoding="utf-8")
ME = User(uid=os.geteuid(), gid=os.getegid())
# By the secrets of docker-compose.mtls.yml that the Collector has.
FILES = {
    "otlp_authority": "authority.pem",
    "otlp_collector_certificate": "collector.pem",
    "otlp_collector_key": "collector.key",
}
SERVICE = "book shop, no. 1"


@dataclass(frozen=True, kw_only=True)
class Running:
    """A Collector, and the checkout whose `.env` says how it runs."""

    at: Place
    project: Project

    def settings(self, protocol: Protocol = Protocol.HTTP) -> Settings:
        return own.of(self.project, service=SERVICE, protocol=protocol)


@pytest.fixture
def running(
    request: pytest.FixtureRequest, program: Path, sink: Sink, tmp_path: Path
) -> Iterator[Running]:
    """Asks for a token; for what a test names: "none" for nothing, "tls" for a certificate, too."""
    asked = getattr(request, "param", "token")
    state = tmp_path / "checkout"
    (state / "secrets").mkdir(parents=True)
    (state / "secrets" / "otlp_token").write_text(f"{TOKEN}\n", encoding="ascii")
    at = collector_process.place(tmp_path, CONFIG)
    configs = [CONFIG]
    if asked == "tls":
        certificates.ensure(state, user=ME)
        for secret, name in FILES.items():
            (tmp_path / secret).write_bytes((state / "certificates" / name).read_bytes())
        configs.append(MTLS)
    auth = "none" if asked == "none" else "token"
    project = Project(
        root=tmp_path,
        settings={
            "GLASSHOUSE_STATE": str(state),
            "OTLP_HTTP_PORT": str(at.ports["4318"]),
            "OTLP_GRPC_PORT": str(at.ports["4317"]),
            "OTLP_AUTH": auth,
            "OTLP_TLS": "mutual" if asked == "tls" else "off",
        },
    )
    with collector_process.running(program, at, *configs, sink=sink.url, auth=auth):
        yield Running(at=at, project=project)


def send(variables: Mapping[str, str]) -> str:
    """Run a service with these variables of OpenTelemetry, and no others; return what it writes."""
    kept = {
        name: value
        for name, value in os.environ.items()
        # The library requests prefers a bundle of its own to OpenTelemetry's certificate.
        if not name.startswith(("OTEL_", "GLASSHOUSE_")) and not name.endswith("_CA_BUNDLE")
    }
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", str(plain_sender.__file__)],
        env={**kept, "NO_PROXY": "127.0.0.1", **variables},
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    return ran.stdout + ran.stderr


def arrived(sink: Sink) -> dict[str, set[Any]]:
    """The names of what came, and of the services that it came from."""
    outer = {"logs": "resourceLogs", "traces": "resourceSpans", "metrics": "resourceMetrics"}
    return {
        "logs": {one["body"]["stringValue"].partition(" to ")[0] for one in sink.log_records()},
        "traces": {one["name"] for one in sink.spans()},
        "metrics": {one["name"] for one in sink.metrics()},
        "services": {
            attribute["value"]["stringValue"]
            for signal, key in outer.items()
            for request in sink.stored(signal)
            for resource in request[key]
            for attribute in resource["resource"]["attributes"]
            if attribute["key"] == "service.name"
        },
    }


ALL = {
    "logs": {"a book was sold"},
    "traces": {plain_sender.SPAN},
    "metrics": {plain_sender.METRIC},
    "services": {SERVICE},
}


@pytest.mark.parametrize("running", ["token", "none", "tls"], indirect=True)
def test_a_service_with_the_variables_is_taken(running: Running, sink: Sink) -> None:
    written = send(running.settings().variables)

    def probe() -> tuple[bool | None, object]:
        found = arrived(sink)
        return found == ALL or None, (found, written)

    until(probe, what="all three signals arrive")


@pytest.mark.parametrize("running", ["token", "none", "tls"], indirect=True)
def test_the_variables_of_grpc_are_taken(running: Running, sink: Sink) -> None:
    variables = running.settings(Protocol.GRPC).variables
    metadata = list(parse_env_headers(variables.get(HEADERS, "")).items())
    scheme, _, target = variables[ENDPOINT].partition("://")
    options = [("grpc.enable_http_proxy", 0)]
    if scheme == "https":
        files = [
            Path(variables[f"OTEL_EXPORTER_OTLP_{name}"]).read_bytes()
            for name in ("CERTIFICATE", "CLIENT_KEY", "CLIENT_CERTIFICATE")
        ]
        credentials = grpc.ssl_channel_credentials(*files)
        channel = grpc.secure_channel(target, credentials, options=options)
    else:
        channel = grpc.insecure_channel(target, options=options)
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add().body.string_value = "over gRPC"

    with channel:
        LogsServiceStub(channel).Export(request, metadata=metadata, timeout=60)

    def probe() -> tuple[bool | None, object]:
        return sink.bodies() == ["over gRPC"] or None, sink.bodies()

    until(probe, what="the record arrives")


class Scraped(Stored):
    """The Collector's own counters, without a Prometheus between."""

    def __init__(self, url: str) -> None:
        self._own = url

    def query(self, query: str) -> list[dict[str, Any]]:
        text = httpx.get(f"{self._own}/metrics", timeout=60, trust_env=False).text
        return [
            {"metric": {"__name__": sample.name, **sample.labels}, "value": [0, str(sample.value)]}
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if f"{sample.name}|" in f"{query}|" or f"|{sample.name}" in query
        ]


def test_without_the_token_the_collector_counts_what_connect_reads(
    running: Running, sink: Sink
) -> None:
    counters = refusals.Counters(Scraped(running.at.url("8888")))
    variables = dict(running.settings().variables)
    del variables[HEADERS]

    assert "401" in send(variables)

    [found] = counters.since(known=(), service=None)
    assert (found.where, found.reason) == ("requests", "unauthenticated")
    # One of each signal; the SDK tries none of them again.
    assert found.count == len(Signal)
    assert "HEADERS" in found.next
    # What comes after it has passed nothing that came before.
    send(running.settings().variables)

    def probe() -> tuple[bool | None, object]:
        found = arrived(sink)
        return found == ALL or None, found

    until(probe, what="what has the token arrives")
    assert len(sink.log_records()) == 1


def test_a_record_that_is_too_old_is_counted_under_its_service(running: Running) -> None:
    counters = refusals.Counters(Scraped(running.at.url("8888")))
    point = {"timeUnixNano": "1000000000", "asDouble": 1.0}
    name = {"key": "service.name", "value": {"stringValue": "shop"}}
    payload = {
        "resourceMetrics": [
            {
                "resource": {"attributes": [name]},
                "scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": [point]}}]}],
            }
        ]
    }
    headers = {"Authorization": f"Bearer {TOKEN}"}
    url = f"{running.at.url('4318')}/v1/metrics"
    with httpx.Client(trust_env=False, timeout=60) as http:
        http.post(url, json=payload, headers=headers).raise_for_status()

    def probe() -> tuple[list[refusals.Refusal] | None, object]:
        found = counters.since(known=("backend-api",), service=None)
        return found or None, found

    [found] = until(probe, what="it is counted")
    assert (found.where, found.service, found.count) == ("records", "shop", 1)
    assert found.detail == "the Collector set aside 1 record (metrics) of shop: late"
    assert counters.since(known=("shop",), service=None) == []
    assert counters.since(known=("shop",), service="shop") == [found]
