"""What redacting a span costs in Python, beside encoding the same span as JSON.

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

from glasshouse.redaction import Redactor

KEY = b"glasshouse-test-key-0123456789abcdef"
SPANS = 4000
ROUNDS = 5
SIZES = (12, 24)


def span(attributes: int) -> dict[str, Any]:
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
    rows: list[dict[str, float]] = []
    for size in SIZES:
        # New ids in each round: a text that was seen before would be known to be clean.
        batches = iter([[span(size) for _ in range(SPANS)] for _ in range(ROUNDS + 1)])
        for one in next(batches):
            redactor.value(one)
        times: list[float] = []
        encoding: list[float] = []
        for batch in batches:
            started = time.process_time()
            for one in batch:
                redactor.value(one)
            times.append((time.process_time() - started) / SPANS * 1e6)
            encoding.append(microseconds(json.dumps, batch[:500]))
        rows.append(
            {
                "attributes": size,
                "redaction_us": round(statistics.median(times), 2),
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
    sys.stdout.write("attributes  redaction µs  JSON encoding µs\n")
    for row in rows:
        sys.stdout.write(
            f"{row['attributes']:>10}  {row['redaction_us']:>12.2f}  {row['json_us']:>16.2f}\n"
        )


if __name__ == "__main__":
    main()
