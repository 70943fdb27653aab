"""The variables of docs/shipping.md send a service's logs where they say."""

import re
from pathlib import Path

import pytest

from support import otlp_sink, shop_process
from support.waiting import until

ROOT = Path(__file__).parents[2]
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


@pytest.mark.parametrize(
    "block", BLOCKS, ids=lambda block: block["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"]
)
def test_logs_arrive_with_the_vendors_header(block: dict[str, str], tmp_path: Path) -> None:
    name, value = HEADERS[block["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"]]
    with otlp_sink.running() as vendor:
        endpoint = re.sub(r"^https://[^/]+", vendor.url, block["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"])
        variables = {
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            **block,
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": endpoint,
        }
        with shop_process.running(
            shop_process.environment("http://127.0.0.1:1", **variables), tmp_path / "console"
        ) as shop:
            shop.order("o-1")

            def arrived() -> tuple[bool | None, object]:
                bodies = [record["body"]["stringValue"] for record in vendor.log_records()]
                return "Order read" in bodies or None, bodies

            until(arrived, what="the log arrives", deadline_s=60)
    assert {request.path for request in vendor.requests} == {"/v1/logs"}
    assert {request.headers[name] for request in vendor.requests} == {value}


def test_each_vendor_is_documented() -> None:
    assert {block["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"] for block in BLOCKS} == HEADERS.keys()
