"""The Collector as a plain process, with the deployed configuration."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from glasshouse.keyring import pseudonym
from support import collector_process, deployed, otlp
from support.backends import attribute
from support.collector import without_redaction
from support.collector_process import Collector
from support.otlp_sink import Sink
from support.waiting import until

CONFIG = deployed.CONFIG.read_text(encoding="utf-8")
STOPPED_WITHIN_S = float(
    deployed.compose()["services"]["collector"]["stop_grace_period"].removesuffix("s")
)
ADDRESS = "ada.lovelace@mail.example"
PSEUDONYM = pseudonym(collector_process.KEY.encode(), ADDRESS.encode())


def send(to: Collector, *records: dict[str, object]) -> None:
    with otlp.Sender(to.otlp, otlp.BELIEVED, to.sender) as sender:
        sender.logs(records)


def payment(state: str) -> dict[str, object]:
    fields: otlp.Attributes = {"payment.currency": "EUR", "payment.amount": 12.5}
    return otlp.log(f"Payment {state}", fields, event=f"payment.{state}")


def wait_for_counts(collector: Collector, name: str, expected: dict[str, float]) -> None:
    def probe() -> tuple[bool | None, object]:
        counts = collector.counts(name)
        return counts == expected or None, counts

    until(probe, what=f"{name} is {expected}")


@pytest.mark.parametrize("redaction", ["on", "off"])
def test_an_address_is_redacted_in_every_signal(
    program: Path, sink: Sink, tmp_path: Path, redaction: str
) -> None:
    config = CONFIG if redaction == "on" else without_redaction(CONFIG)
    at = collector_process.place(tmp_path, CONFIG)
    items = {"note": ADDRESS}
    with (
        collector_process.running(program, at, config, sink=sink.url) as collector,
        otlp.Sender(collector.otlp, "tests", collector.sender) as sender,
    ):
        severity = {"severityNumber": 9, "severityText": f"x {ADDRESS}"}
        sender.logs([otlp.log(f"Mail to {ADDRESS} bounced", items) | severity])
        sender.spans([otlp.span("send", items)])
        sender.metrics([otlp.gauge("mails", 1, items)])

        def arrived() -> tuple[list[dict[str, Any]] | None, object]:
            points = [point for one in sink.metrics() for point in one["gauge"]["dataPoints"]]
            found = [*sink.log_records(), *sink.spans(), *points]
            return (found if len(found) == 3 else None), found

        found = until(arrived, what="a log, a span and a point")
    # "off" is the control: what is claimed to be absent can be found.
    expected = f"[email:{PSEUDONYM}]" if redaction == "on" else ADDRESS
    assert found[0]["body"]["stringValue"] == f"Mail to {expected} bounced"
    assert [attribute(one, "note") for one in found] == [expected] * 3
    assert found[0]["severityText"] == "INFO"
    assert attribute(found[0], "admission.original_severity") == f"x {expected}"
    leaking = {one.path for one in sink.requests if ADDRESS.encode() in one.body}
    assert leaking == (set() if redaction == "on" else {one.path for one in sink.requests})


def test_counts_go_on_after_an_orderly_stop(program: Path, sink: Sink, tmp_path: Path) -> None:
    at = collector_process.place(tmp_path, CONFIG)
    with collector_process.running(program, at, CONFIG, sink=sink.url) as collector:
        send(collector, payment("created"), payment("created"), payment("failed"))
        first = {
            'currency="EUR",state="created"': 2.0,
            'currency="EUR",state="failed"': 1.0,
        }
        wait_for_counts(collector, "payments_total", first)
        wait_for_counts(collector, "payments_amount_total", {k: v * 12.5 for k, v in first.items()})
        assert collector.stop(STOPPED_WITHIN_S) == 0, collector.log.read_text(encoding="utf-8")
    with collector_process.running(program, at, CONFIG, sink=sink.url) as collector:
        wait_for_counts(collector, "payments_total", first)
        send(collector, payment("failed"))
        wait_for_counts(
            collector, "payments_total", {**first, 'currency="EUR",state="failed"': 2.0}
        )


def test_the_deployed_configuration_is_valid(program: Path, tmp_path: Path) -> None:
    at = collector_process.place(tmp_path, CONFIG)
    assert collector_process.validate(program, at, CONFIG) == (0, "")


@pytest.mark.parametrize(
    ("kind", "component", "key"),
    [("processors", "pii", "polcy"), ("connectors", "event_metrics", "familes")],
)
def test_an_unknown_key_is_refused_by_its_name(
    program: Path, tmp_path: Path, kind: str, component: str, key: str
) -> None:
    document = yaml.safe_load(CONFIG)
    document[kind][component][key] = "x"
    config = yaml.safe_dump(document)
    at = collector_process.place(tmp_path, CONFIG)
    code, output = collector_process.validate(program, at, config)
    assert code == 1
    [at_fault] = [line for line in output.splitlines() if line.startswith(f"'{kind}' ")]
    assert at_fault.startswith(f"'{kind}' error reading configuration for \"{component}\": ")
    [line] = [line for line in output.splitlines() if key in line]
    assert line.endswith(f" has invalid keys: {key}")
