"""What docs/shipping.md says to set sends a service's telemetry where it says."""

import copy
import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from support import collector_process, deployed, otlp, otlp_sink, shop_process
from support.otlp_sink import Request, Sink
from support.waiting import until

DOCUMENT = (deployed.ROOT / "docs" / "shipping.md").read_text(encoding="utf-8")
SIGNALS = ("logs", "traces", "metrics")
Block = dict[str, str]


def blocks() -> dict[str, Block]:
    """Return the blocks of variables by vendor and the signals that they send."""
    found: dict[str, Block] = {}
    direct = DOCUMENT.partition("## Directly")[2].partition("\n## ")[0]
    for section in direct.split("\n### ")[1:]:
        vendor = section.partition("\n")[0]
        for text in re.findall(r"```sh\n(.+?)```", section, re.DOTALL):
            block = dict(line.split("=", 1) for line in text.splitlines())
            found[f"{vendor}: {', '.join(signals_of(block))}"] = block
    return found


def signals_of(block: Block) -> list[str]:
    if "OTEL_EXPORTER_OTLP_ENDPOINT" in block:
        return list(SIGNALS)
    return [one for one in SIGNALS if f"OTEL_EXPORTER_OTLP_{one.upper()}_ENDPOINT" in block]


def headers_of(block: Block, signal: str) -> Block:
    """Return the headers that a request of a signal must have."""
    general, own = "OTEL_EXPORTER_OTLP_HEADERS", f"OTEL_EXPORTER_OTLP_{signal.upper()}_HEADERS"
    pairs = [pair.split("=", 1) for pair in block.get(own, block.get(general, "")).split(",")]
    return {name.lower(): unquote(value) for name, value in pairs}


BLOCKS = blocks()


def temporalities(sink: Sink) -> set[str]:
    """Return the temporalities of the sums that only rise and of the histograms."""
    return {
        metric[kind]["aggregationTemporality"]
        for metric in sink.metrics()
        for kind in ("sum", "histogram")
        # What rises and falls is cumulative always.
        if kind in metric and (kind == "histogram" or metric[kind].get("isMonotonic"))
    }


@pytest.mark.parametrize("name", BLOCKS)
def test_what_a_block_sends_arrives_with_the_vendors_header(name: str, tmp_path: Path) -> None:
    block = BLOCKS[name]
    with otlp_sink.running() as vendor, otlp_sink.running() as others:
        variables = {
            variable: re.sub(r"^https://[^/]+", vendor.url, value)
            if variable.endswith("ENDPOINT")
            else value
            for variable, value in block.items()
        }
        variables = {"OTEL_METRIC_EXPORT_INTERVAL": "500", **variables}
        with shop_process.running(
            shop_process.environment(others.url, **variables), tmp_path / "console"
        ) as shop:
            shop.order("o-1")

            def arrived() -> tuple[bool | None, object]:
                seen = {signal: vendor.stored(signal) for signal in signals_of(block)}
                bodies = vendor.bodies()
                complete = (
                    all(seen.values())
                    and ("logs" not in seen or "Order read" in bodies)
                    # The first export of metrics may come before a request was counted.
                    and ("metrics" not in seen or bool(temporalities(vendor)))
                )
                return complete or None, (seen.keys(), bodies)

            until(arrived, what="all signals arrive")
        requests: dict[str, list[Request]] = {}
        for request in vendor.requests:
            requests.setdefault(request.path, []).append(request)
        base = next(value for key, value in block.items() if key.endswith("ENDPOINT"))
        folder = re.sub(r"^https://[^/]+|/v1/[a-z]+$", "", base)
        assert requests.keys() == {f"{folder}/v1/{signal}" for signal in signals_of(block)}
        for signal in signals_of(block):
            wanted = headers_of(block, signal)
            for request in requests[f"{folder}/v1/{signal}"]:
                assert {key: request.headers.get(key) for key in wanted} == wanted
        if "metrics" in signals_of(block):
            delta = block.get("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE") == "delta"
            kind = "DELTA" if delta else "CUMULATIVE"
            assert temporalities(vendor) == {f"AGGREGATION_TEMPORALITY_{kind}"}


def test_each_vendor_of_the_table_has_what_the_table_says() -> None:
    rows = re.findall(r"^\| ([A-Z][\w ]+) \| (.*) \|$", DOCUMENT.partition("## Directly")[0], re.M)
    direct = {
        vendor.removesuffix(" Cloud") if vendor.startswith("Elastic") else vendor: [
            signal for signal, cell in zip(SIGNALS, cells.split("|"), strict=False) if cell.strip()
        ]
        for vendor, cells in rows
    }
    documented: dict[str, list[str]] = {}
    for name, block in BLOCKS.items():
        documented.setdefault(name.partition(":")[0], []).extend(signals_of(block))
    assert documented == direct


# Through the Collector.


def configured(addition: Any) -> str:
    """Return the deployed configuration with a block of the page in it; lists are replaced."""
    return yaml.safe_dump(merged(yaml.safe_load(deployed.CONFIG.read_text()), addition))


def merged(document: Any, addition: Any) -> Any:
    if not isinstance(document, dict) or not isinstance(addition, dict):
        return copy.deepcopy(addition)
    return {**document, **{key: merged(document.get(key), addition[key]) for key in addition}}


def collector_blocks() -> list[Any]:
    """Return the page's blocks for the Collector, with what an anchor stands for."""
    texts = re.findall(r"```yaml\n(.+?)```", DOCUMENT, re.DOTALL)
    anchor = re.search(
        r"^  otlp_bisect/tempo: &backend\n(?:    .*\n|      .*\n)+",
        deployed.CONFIG.read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert anchor
    return [
        {key: value for key, value in document.items() if key != "anchors"}
        for text in texts
        if (document := yaml.safe_load(f"anchors:\n{anchor[0]}{text}")).keys() & {"service"}
    ]


USUAL, DELTA = collector_blocks()


def orders(number: int) -> dict[str, Any]:
    """A counter as a service reports it that is asked for delta."""
    made = otlp.gauge("orders", number)
    [point] = made.pop("gauge")["dataPoints"]
    point["startTimeUnixNano"] = str(int(point["timeUnixNano"]) - 10**9)
    delta = {"dataPoints": [point], "isMonotonic": True, "aggregationTemporality": 1}
    return {**made, "sum": delta}


def temporality_of(sink: Sink, name: str) -> str:
    return next(
        one["sum"]["aggregationTemporality"] for one in sink.metrics() if one["name"] == name
    ).removeprefix("AGGREGATION_TEMPORALITY_")


def send_all(to: collector_process.Collector) -> None:
    with otlp.Sender(to.otlp, "backend-api", to.sender) as sender:
        sender.spans([otlp.span("read")])
        sender.metrics([orders(3)])
        fields: otlp.Attributes = {"payment.currency": "EUR", "payment.amount": 12.5}
        text = "Mail to ada@mail.example bounced"
        sender.logs([otlp.log(text), otlp.log("Payment created", fields, event="payment.created")])


@pytest.mark.parametrize("block", ["usual", "delta"])
def test_through_the_collector_a_vendor_gets_what_the_backends_get(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: str
) -> None:
    config = configured(USUAL)
    if block == "delta":
        config = yaml.safe_dump(merged(yaml.safe_load(config), DELTA))
    (tmp_path / "vendor_key").write_text("YOUR_KEY", encoding="utf-8")
    config = config.replace("/run/vendor_key", str(tmp_path / "vendor_key"))
    at = collector_process.place(tmp_path / "collector", config)
    with otlp_sink.running() as vendor, otlp_sink.running() as backends:
        monkeypatch.setenv("VENDOR_ENDPOINT", f"{vendor.url}/otlp")
        wanted = {"orders", "payments"} if block == "usual" else {"orders"}
        with collector_process.running(program, at, config, sink=backends.url) as collector:
            send_all(collector)

            def arrived() -> tuple[bool | None, object]:
                names = {metric["name"] for metric in vendor.metrics()}
                found = (len(vendor.log_records()), len(vendor.spans()), names)
                return (found[:2] == (2, 1) and wanted <= names) or None, found

            until(arrived, what="the vendor has a span, two logs and the metrics")

            def stored() -> tuple[bool | None, object]:
                names = {metric["name"] for metric in backends.metrics()}
                found = (len(backends.log_records()), len(backends.spans()), names)
                return found == (2, 1, {"orders"}) or None, found

            until(stored, what="the backends have the same")
        assert {request.path for request in vendor.requests} == {
            f"/otlp/v1/{signal}" for signal in SIGNALS
        }
        assert {request.headers["api-key"] for request in vendor.requests} == {"YOUR_KEY"}
        assert not any(request.headers.get("api-key") for request in backends.requests)
        [bounced] = [text for text in vendor.bodies() if text.startswith("Mail to")]
        assert re.fullmatch(r"Mail to \[email:\w+\] bounced", bounced)
        assert temporality_of(backends, "orders") == "CUMULATIVE"
        assert temporality_of(vendor, "orders") == {"usual": "CUMULATIVE", "delta": "DELTA"}[block]
        derived = [one for one in vendor.metrics() if one["name"] == "payments"]
        assert bool(derived) is (block == "usual")
