"""Every row of the corpus through the stack's Collector, read back raw from each backend.

The integration tests hold every surface of OTLP to the same gates. Here it is what people search:
every place of these that a backend stores.
"""

import secrets
from typing import Any

import httpx
import pytest

from glasshouse_bench import surfaces
from glasshouse_bench.corpus import Row
from support import backends, otlp
from support.corpus import ROWS, Stored, check_gates, missing
from support.stack import Stack
from support.waiting import until

BATCH = 500
# Distinguishes the rows that passed redaction from the control's: "on" or "off".
REDACTION = "corpus.redaction"

# One record a row carries its text in all of its signal's places. Not as severity: panels count
# by that, and Loki refuses to count more than 500.
SENT = {
    "logs": ("log.body", "log.attributes", "logs: scope.name"),
    "traces": (
        *("traces: resource.attributes", "traces: scope.name", "traces: scope.attributes"),
        *("span.name", "span.attributes", "span.status.message", "span.trace_state"),
        *("event.name", "event.attributes", "link.attributes", "link.trace_state"),
    ),
    "metrics": ("datapoint.attributes (gauge)",),
}
SURFACES = {surface.name: surface for surface in surfaces.SURFACES}
# Where Loki keeps them: the body is the line.
LOKI_LABELS = {"log.attributes": "corpus_text", "logs: scope.name": "scope_name"}
LINKED = {"traceId": secrets.token_hex(16), "spanId": secrets.token_hex(8)}


def resource(signal: str, row: Row, redaction: str, trace_id: str) -> dict[str, Any]:
    """Return one resource entry with the row's text in every place of its signal."""
    first, *others = (SURFACES[name] for name in SENT[signal])
    built = surfaces.build(first, row.number, row.text)
    [entry] = surfaces.entries(signal, {surfaces.LISTS[signal][0]: [built]})
    item = entry.item
    tagged = item["gauge"]["dataPoints"][0] if signal == "metrics" else item
    tagged["attributes"].append(surfaces.attribute(REDACTION, redaction))
    if signal == "traces":
        item |= {"traceId": trace_id, "links": [LINKED.copy()]}
    for surface in others:
        surface.put(entry, row.text)
    return built


def from_loki(http: httpx.Client, stack: Stack, redaction: str) -> Stored:
    query = f'{{service_name="corpus"}} | corpus_redaction="{redaction}"'
    stored: Stored = {name: {} for name in SENT["logs"]}
    for entry in backends.loki_lines(http, stack.url("loki"), query):
        labels = entry["labels"]
        row = int(labels["corpus_row"])
        stored["log.body"][row] = entry["line"]
        for name, label in LOKI_LABELS.items():
            stored[name][row] = labels[label]
    return stored


def from_tempo(http: httpx.Client, stack: Stack, trace_id: str) -> Stored:
    stored: Stored = {name: {} for name in SENT["traces"]}
    trace = backends.tempo_trace(http, stack.url("tempo"), trace_id)
    for entry in surfaces.entries("traces", trace):
        row = int(surfaces.find(entry.item["attributes"], surfaces.ROW)["intValue"])
        for name, rows in stored.items():
            rows[row] = SURFACES[name].get(entry)
    return stored


def from_prometheus(http: httpx.Client, stack: Stack, redaction: str) -> Stored:
    query = f'corpus{{corpus_redaction="{redaction}"}}'
    series = backends.prometheus_query(http, stack.url("prometheus"), query)
    labels = [one["labels"] for one in series]
    texts = {int(one["corpus_row"]): one["corpus_text"] for one in labels}
    return dict.fromkeys(SENT["metrics"], texts)


@pytest.fixture(scope="session")
def stored_in(
    http: httpx.Client, stack: Stack, otlp_endpoint: str, redaction: str
) -> dict[str, Stored]:
    """All rows as each backend stored them, once all of them are there."""
    trace_id = secrets.token_hex(16)  # one trace: other tests read every trace there is
    with otlp.Sender(otlp_endpoint, "corpus", stack.sender) as sender:
        for signal in SENT:
            for start in range(0, len(ROWS), BATCH):
                part = ROWS[start : start + BATCH]
                sender.entries(signal, [resource(signal, row, redaction, trace_id) for row in part])

    def probe() -> tuple[dict[str, Stored] | None, object]:
        stored = {
            "loki": from_loki(http, stack, redaction),
            "tempo": from_tempo(http, stack, trace_id),
            "prometheus": from_prometheus(http, stack, redaction),
        }
        lacking = {name: missing(found) for name, found in stored.items() if missing(found)}
        return (None if lacking else stored), f"rows missing: {lacking}"

    return until(probe, what="every row in every backend")


@pytest.mark.parametrize("backend", ["loki", "tempo", "prometheus"])
def test_what_must_go_is_gone_and_what_must_stay_is_there(
    stored_in: dict[str, Stored], redaction: str, backend: str
) -> None:
    check_gates(stored_in[backend], redaction)
