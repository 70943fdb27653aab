"""What redacting a span costs in Python, beside encoding its attributes as JSON.

`value` is `Redactor.value` of the attributes; `span` is the whole span, made by the SDK, as the
exporter's thread gets it. Three ids are new each time, the other values repeat.

CPU time of this process, so that other load on the machine matters little.
"""

import argparse
import json
import secrets
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider

from glasshouse.redaction import Redactor
from glasshouse.redaction.telemetry import TelemetryRedactor

KEY = b"glasshouse-test-key-0123456789abcdef"
SPANS = 4000
ROUNDS = 5
SIZES = (12, 24, 48)


def attributes_of_span(attributes: int) -> dict[str, Any]:
    """Attributes of a server span: most repeat, three are new each time."""
    made: dict[str, Any] = {
        "http.request.method": "POST",
        "url.path": "/payments",
        "url.scheme": "http",
        "http.route": "/payments",
        "server.address": "127.0.0.1",
        "server.port": 8000,
        "http.response.status_code": 202,
        "network.protocol.version": "1.1",
        "user_agent.original": "python-httpx/0.28.1",
        "request.id": secrets.token_hex(16),
        "correlation.id": secrets.token_hex(16),
        "payment.transaction_id": f"tx_{secrets.token_hex(16)}",
    }
    for number in range(attributes - len(made)):
        made[f"shop.attribute_{number}"] = "some ordinary value"
    return made


def spans_of(batch: list[dict[str, Any]]) -> list[ReadableSpan]:
    """Return one ended span of the SDK for each map of attributes."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("bench")
    spans: list[ReadableSpan] = []
    for attributes in batch:
        with tracer.start_as_current_span("POST /payments", attributes=attributes) as span:
            pass
        if isinstance(span, ReadableSpan):
            spans.append(span)
    return spans


def microseconds(treat: Callable[[Any], Any], spans: list[dict[str, Any]]) -> float:
    """Return the median over the rounds of the CPU time a span takes."""
    times: list[float] = []
    for _ in range(ROUNDS):
        started = time.process_time()
        for one in spans:
            treat(one)
        times.append((time.process_time() - started) / len(spans) * 1e6)
    return statistics.median(times)


def measure(redactor: Redactor) -> list[dict[str, float]]:
    telemetry = TelemetryRedactor(redactor, lambda _: None)
    rows: list[dict[str, float]] = []
    for size in SIZES:
        # New ids in each round: a text that was seen before would be known to be clean.
        batches = iter(
            [[attributes_of_span(size) for _ in range(SPANS)] for _ in range(ROUNDS + 1)]
        )
        for one in next(batches):
            redactor.value(one)
        times: list[float] = []
        whole: list[float] = []
        encoding: list[float] = []
        for batch in batches:
            started = time.process_time()
            for one in batch:
                redactor.value(one)
            times.append((time.process_time() - started) / SPANS * 1e6)
            # Ids of their own: those above are known by now.
            fresh = spans_of([attributes_of_span(size) for _ in range(SPANS)])
            started = time.process_time()
            for one in fresh:
                telemetry.spans((one,))
            whole.append((time.process_time() - started) / SPANS * 1e6)
            encoding.append(microseconds(json.dumps, batch[:500]))
        rows.append(
            {
                "attributes": size,
                "value_us": round(statistics.median(times), 2),
                "span_us": round(statistics.median(whole), 2),
                "json_us": round(statistics.median(encoding), 2),
            }
        )
    return rows


def main() -> None:
    """Print the figures as a table, or as JSON with ``--json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="for scripts")
    arguments = parser.parse_args()
    rows = measure(Redactor.load(key=KEY))
    if arguments.json:
        sys.stdout.write(json.dumps(rows) + "\n")
        return
    sys.stdout.write("attributes  value µs  span µs  JSON encoding µs\n")
    for row in rows:
        sys.stdout.write(
            f"{row['attributes']:>10}  {row['value_us']:>8.2f}  {row['span_us']:>7.2f}"
            f"  {row['json_us']:>16.2f}\n"
        )


if __name__ == "__main__":
    main()
