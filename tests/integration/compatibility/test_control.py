"""The positive control: without what makes records acceptable, their neighbours are lost."""

from collections import Counter

import pytest
import yaml

from support import collector
from support.oddities import trial
from support.oddities.harness import NAME, Harness
from support.oddities.samples import GOOD
from support.oddities.sending import Sender
from support.oddities.table import all_rows
from support.oddities.trial import Looking
from support.waiting import PATIENCE_S

ROWS = (
    "logs/LogRecord.attributes.key/no letters",
    "traces/Span.trace_id/all zero",
    "traces/Span.span_id/missing",
    "metrics/Metric.name/no letters",
    "metrics/temporality/sum, delta, monotonic",
    "metrics/Metric.gauge.data_points.time_unix_nano/time 0",
)
# The sentinels: what is plain arrives there, too.
PLAIN = (
    "logs/LogRecord.severity_number/severity_number_warn",
    "traces/Span.kind/span_kind_client",
    "metrics/Metric.unit/empty",
)
# Ten times as long as the exporter waits for a batch to fill: each row is in one of its own,
# whatever else the machine does.
PAUSE_S = 2
LOOKED_FOR_S = 10
# What the stock exporter knows.
KEYS = ("endpoint", "compression", "timeout", "retry_on_failure", "sending_queue")


def stock(config: str) -> str:
    """Return the Collector's configuration with stock parts only: nothing of ours but counting."""
    document = yaml.safe_load(collector.without_redaction(config))
    ours = ("admission", "delta_to_cumulative")
    for pipeline in document["service"]["pipelines"].values():
        processors = pipeline.get("processors", [])
        pipeline["processors"] = [one for one in processors if not one.startswith(ours)]
        pipeline["exporters"] = [_stock_name(one) for one in pipeline["exporters"]]
    for name in [one for one in document["processors"] if one.startswith(ours)]:
        del document["processors"][name]
    document["exporters"] = {
        _stock_name(name): {key: settings[key] for key in KEYS if key in settings}
        if name.startswith("otlp_")
        else settings
        for name, settings in document["exporters"].items()
    }
    for name in ("dead_letter", "otlp_limits"):
        document["extensions"].pop(name, None)
    document["service"]["extensions"] = [
        one for one in document["service"]["extensions"] if one in document["extensions"]
    ]
    for protocol in document["receivers"]["otlp"]["protocols"].values():
        protocol.pop("middlewares", None)
    return yaml.safe_dump(document, sort_keys=False)


def _stock_name(exporter: str) -> str:
    return exporter.replace("otlp_bisect/", "otlp_http/")


def test_the_same_verdict_fails_without_our_parts(
    harness: Harness,
    collector_image: str,
    collector_config: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    rows = [row for row in all_rows() if row.name in (*ROWS, *PLAIN)]
    assert len(rows) == len(ROWS) + len(PLAIN)
    run = trial.new_run()
    with collector.in_stack(
        image=collector_image,
        project=NAME,
        folder=tmp_path_factory.mktemp("stock"),
        config=stock(collector_config),
    ) as endpoint:
        with Sender(endpoint, "127.0.0.1:1") as sender:
            sent = trial.send(rows, sender, run, None, PAUSE_S)
        looking = Looking(backends=harness.backends, letters=dict[str, Counter[str]])
        # What is plain comes, however slow the machine is; what never comes is not there by then.
        looking.verdicts([one for one in sent if one.row.name in PLAIN], run, PATIENCE_S)
        verdicts = looking.verdicts(sent, run, LOOKED_FOR_S)
    found = {one.row.name: one.good for one in verdicts}
    assert found == dict.fromkeys(ROWS, 0) | dict.fromkeys(PLAIN, GOOD)
    assert {one.row.name for one in verdicts if one.lost} == set(ROWS)
