"""The variables of docs/shipping.md send a service's logs where they say."""

import os
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from support.waiting import until

ROOT = Path(__file__).parents[2]
SHOP = ROOT / "tests" / "support" / "shop.py"
BLOCKS = [
    dict(line.split("=", 1) for line in block.splitlines())
    for block in re.findall(
        r"```sh\n(.+?)```", (ROOT / "docs" / "shipping.md").read_text(encoding="utf-8"), re.DOTALL
    )
]
HEADERS = {
    "https://otlp.datadoghq.com/v1/logs": ("dd-api-key", "YOUR_API_KEY"),
    "https://YOUR_INGESTING_HOST/v1/logs": ("authorization", "Bearer YOUR_SOURCE_TOKEN"),
    "https://YOUR_MANAGED_ENDPOINT/v1/logs": ("authorization", "ApiKey YOUR_API_KEY"),
}


class Vendor(HTTPServer):
    """Keeps path, headers and body of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[tuple[str, dict[str, str], bytes]] = []


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        assert isinstance(self.server, Vendor)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.received.append((self.path, headers, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with Vendor() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.mark.parametrize(
    "block", BLOCKS, ids=lambda block: block["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"]
)
def test_logs_arrive_with_the_vendors_header(block: dict[str, str], vendor: Vendor) -> None:
    name, value = HEADERS[block["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"]]
    host = f"http://127.0.0.1:{vendor.server_port}"
    endpoint = re.sub(r"^https://[^/]+", host, block["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"])
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "OTEL_PYTHON_DISTRO": "glasshouse",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        **block,
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": endpoint,
    }
    instrument = Path(sys.executable).with_name("opentelemetry-instrument")
    shop = subprocess.Popen(
        [instrument, sys.executable, SHOP, str(port)], env=environment, stdout=subprocess.DEVNULL
    )
    try:

        def order() -> tuple[bool | None, object]:
            try:
                answer = httpx.get(f"http://127.0.0.1:{port}/orders/o-1", trust_env=False)
            except httpx.TransportError as error:
                return None, repr(error)
            return answer.is_success or None, answer.text

        until(order, what="the shop answers")

        def arrived() -> tuple[bool | None, object]:
            bodies = [log for request in vendor.received for log in bodies_of(request[2])]
            return "Order read" in bodies or None, bodies

        until(arrived, what="the log arrives")
    finally:
        shop.terminate()
        shop.wait(timeout=15)
    assert {path for path, _, _ in vendor.received} == {"/v1/logs"}
    assert {headers[name] for _, headers, _ in vendor.received} == {value}


def bodies_of(content: bytes) -> list[str]:
    request = ExportLogsServiceRequest.FromString(content)
    return [
        record.body.string_value
        for resource in request.resource_logs
        for scope in resource.scope_logs
        for record in scope.log_records
    ]


def test_each_vendor_is_documented() -> None:
    assert {block["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"] for block in BLOCKS} == HEADERS.keys()
