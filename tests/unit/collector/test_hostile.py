"""Hostile requests leave the Collector up, and cost a good sender nothing."""

import contextlib
import functools
import gzip
import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx
import pytest

from support import collector_process, deployed, otlp
from support.collector_process import Collector, Place
from support.oddities import wire
from support.otlp_sink import Fault, Request, Sink
from support.waiting import until

CONFIG = deployed.CONFIG.read_text(encoding="utf-8")
METHODS = {
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
# Answers after which a good sender tries again, as every SDK does.
RETRIED = {429, 502, 503, 504}
# Generous: on a machine that does ten other things, too.
HOSTILE_S = 120
ARRIVED_S = 120
DEEP = 1_900_000
WALLETS = 10_000
LOKI_BURST_BYTES = 6 << 20  # its default
OTHER_PORTS = ("8888", "8889", "13133")


@dataclass(kw_only=True)
class GoodSender:
    """Sends a record after the other, from its thread, until `stop` is set."""

    sent: list[str] = field(default_factory=list[str])
    errors: list[str] = field(default_factory=list[str])
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, to: Collector) -> None:
        with otlp.Sender(to.otlp, otlp.BELIEVED, to.sender) as sender:
            for number in itertools.count():
                if self.stop.is_set():
                    return
                self._deliver(sender, f"good {number}")
                self.stop.wait(0.02)

    def _deliver(self, sender: otlp.Sender, body: str) -> None:
        record = otlp.log(body)
        while True:
            try:
                sender.logs([record])
            except httpx.HTTPStatusError as error:
                if error.response.status_code not in RETRIED:
                    self.errors.append(f"{body}: {error.response.status_code}")
                    return
            except httpx.TransportError as error:
                if self.stop.is_set():
                    self.errors.append(f"{body}: {error!r}")
                    return
            else:
                self.sent.append(body)
                return
            time.sleep(0.1)


@dataclass(frozen=True, kw_only=True)
class Attack:
    """A running Collector that is attacked while a good sender sends."""

    collector: Collector
    place: Place
    sink: Sink
    good: GoodSender

    def sender(self, service: str) -> otlp.Sender:
        """Return a sender that is let in."""
        return otlp.Sender(self.collector.otlp, service, self.collector.sender)

    def post(
        self, path: str, payload: bytes, shown: Mapping[str, str], *, port: str = "4318"
    ) -> int | str:
        """Send protobuf, compressed; return the status, or what happened in its place."""
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip", **shown}
        try:
            answer = httpx.post(
                f"{self.place.url(port)}{path}",
                content=gzip.compress(payload, 1),
                headers=headers,
                timeout=HOSTILE_S,
                trust_env=False,
            )
        except httpx.HTTPError as error:
            return repr(error)
        return answer.status_code

    def call(self, signal: str, payload: bytes, shown: Mapping[str, str]) -> str:
        """Send the same over gRPC; return the code."""
        options = [("grpc.enable_http_proxy", 0), ("grpc.max_send_message_length", -1)]
        metadata = tuple((name.lower(), value) for name, value in shown.items())
        with grpc.insecure_channel(self.collector.grpc, options, grpc.Compression.Gzip) as channel:
            try:
                channel.unary_unary(METHODS[signal])(payload, timeout=HOSTILE_S, metadata=metadata)
            except grpc.RpcError as error:
                return error.code().name  # pyright: ignore[reportAttributeAccessIssue]
        return "OK"


def is_up(collector: Collector) -> None:
    assert collector.popen.poll() is None, collector.log.read_text(encoding="utf-8")[-3000:]


@contextlib.contextmanager
def attacked(program: Path, sink: Sink, folder: Path, auth: str = "token") -> Iterator[Attack]:
    """Run the deployed Collector and a good sender, all of whose records must be there, once."""
    at = collector_process.place(folder, CONFIG)
    with collector_process.running(program, at, CONFIG, sink=sink.url, auth=auth) as collector:
        good = GoodSender()
        thread = threading.Thread(target=good.run, args=(collector,), daemon=True)
        thread.start()

        def flowing(at_least: int) -> None:
            until(
                lambda: (len(good.sent) >= at_least or None, good.errors),
                what=f"the good sender has sent {at_least} records",
                deadline_s=ARRIVED_S,
            )

        try:
            flowing(5)
            yield Attack(collector=collector, place=at, sink=sink, good=good)
            is_up(collector)
            flowing(len(good.sent) + 5)  # it goes on behind the attack
        finally:
            good.stop.set()
            thread.join(ARRIVED_S)
        assert good.errors == []

        def missing() -> tuple[bool | None, object]:
            stored = Counter(body for body in sink.bodies() if body.startswith("good "))
            lost = [body for body in good.sent if stored[body] != 1]
            return (not lost or None), lost[:5]

        until(missing, what="all that is good has arrived, once", deadline_s=ARRIVED_S)
        is_up(collector)


@functools.cache
def lists(levels: int) -> bytes:
    """Return an AnyValue of so many lists, one in the other."""
    return wire.nested(levels, (5, 1), wire.block(1, b"bottom"))  # array_value, values


def deep(signal: str, levels: int) -> bytes:
    """Return a request with such an attribute."""
    attribute = wire.block(1, b"deep") + wire.block(2, lists(levels))
    if signal == "metrics":
        point = (
            wire.block(7, attribute)
            + wire.tag(3, wire.FIXED64)
            + time.time_ns().to_bytes(8, "little")
        )
        point += wire.tag(6, wire.FIXED64) + (1).to_bytes(8, "little")
        metric = wire.block(1, b"deep") + wire.block(5, wire.block(1, point))
        return wire.block(1, wire.block(2, wire.block(2, metric)))
    item = wire.block(6 if signal == "logs" else 9, attribute)
    return wire.block(1, wire.block(2, wire.block(2, item)))


@pytest.mark.parametrize(
    ("auth", "signal"), [("token", "logs"), ("none", "traces"), ("token", "metrics")]
)
def test_a_request_without_a_bottom(
    program: Path, sink: Sink, tmp_path: Path, auth: str, signal: str
) -> None:
    payload = deep(signal, DEEP)
    assert 16e6 < len(payload) < 20 << 20
    with attacked(program, sink, tmp_path, auth) as attack:
        answers: list[int | str] = []
        for shown in (attack.collector.sender, {}):
            answers.append(attack.post(f"/v1/{signal}", payload, shown))
            is_up(attack.collector)
            answers.append(attack.call(signal, payload, shown))
            is_up(attack.collector)
        for port in OTHER_PORTS:
            attack.post(f"/v1/{signal}", payload, {}, port=port)
            is_up(attack.collector)
        refused = [401, "UNAUTHENTICATED"] if auth == "token" else answers[:2]
        assert answers[2:] == refused


def test_names_that_all_become_one_mask(program: Path, sink: Sink, tmp_path: Path) -> None:
    record = otlp.log("wallets", {f"0x{number:040x}": number for number in range(WALLETS)})
    with attacked(program, sink, tmp_path) as attack:
        began = time.process_time()
        with attack.sender("wallets") as sender:
            sender.logs([record])  # within its timeout of a minute; it took seven before
        assert time.process_time() - began < 60

        def stored() -> tuple[bool | None, object]:
            return ("wallets" in attack.sink.bodies() or None), len(attack.sink.bodies())

        until(stored, what="the record is passed on", deadline_s=ARRIVED_S)


def test_batches_over_what_a_backend_takes_at_once(
    program: Path, sink: Sink, tmp_path: Path
) -> None:
    def burst(request: Request) -> Fault | None:
        too_large = request.path.endswith("/v1/logs") and len(request.body) > LOKI_BURST_BYTES
        return Fault(status=429, body=b"too large for a burst") if too_large else None

    sink.fault = burst
    with attacked(program, sink, tmp_path) as attack:
        with attack.sender("loud") as sender:
            for number in range(4):
                sender.logs(
                    otlp.log(f"loud {number} {line} {'x' * 1_900}") for line in range(3_500)
                )

        def stored() -> tuple[bool | None, object]:
            there = sum(body.startswith("loud ") for body in attack.sink.bodies())
            return (there == 4 * 3_500 or None), there

        until(stored, what="the large batches are passed on", deadline_s=ARRIVED_S)


def payment(amount: float, currency: str = "EUR") -> dict[str, object]:
    items: otlp.Attributes = {"payment.currency": currency, "payment.amount": amount}
    return otlp.log("Payment created", items, event="payment.created")


def counted(collector: Collector, name: str, expected: dict[str, float]) -> None:
    def probe() -> tuple[bool | None, object]:
        counts = collector.counts(name)
        return (counts == expected or None), counts

    until(probe, what=f"{name} is {expected}")


def test_numbers_whose_sum_is_infinite(program: Path, sink: Sink, tmp_path: Path) -> None:
    series = 'currency="EUR",state="created"'
    with attacked(program, sink, tmp_path) as attack:
        with attack.sender(otlp.BELIEVED) as sender:
            sender.logs([payment(1e308), payment(1.2e308)])
            sender.logs([payment(5.5)])
        counted(attack.collector, "payments_total", {series: 3.0})
        counted(attack.collector, "payments_amount_total", {series: 5.5})


def test_events_of_a_stranger(program: Path, sink: Sink, tmp_path: Path) -> None:
    series = 'currency="EUR",state="created"'
    with attacked(program, sink, tmp_path) as attack:
        with attack.sender("stranger") as sender:
            sender.logs(payment(1.0 + number) for number in range(100))
        with attack.sender(otlp.BELIEVED) as sender:
            sender.logs([payment(2.0)])
        counted(attack.collector, "payments_total", {series: 1.0})
        own = httpx.get(f"{attack.place.url('8888')}/metrics", timeout=30, trust_env=False).text
        assert "otelcol_connector_event_metrics_not_believed_total 100" in own


def test_synthetic_severities_and_services(program: Path, sink: Sink, tmp_path: Path) -> None:
    """Each of these is a label of a query, which refuses more than some hundred."""
    with attacked(program, sink, tmp_path) as attack:
        with attack.sender("severities") as sender:
            sender.logs(
                otlp.log("severe")
                | {"severityText": f"x onmouseover={n}", "severityNumber": n - 50}
                for n in range(2_000)
            )
        names = [f"synthetic-{number}" for number in range(2_000)]
        resources = [
            {
                "resource": {"attributes": otlp.attributes({"service.name": name})},
                "scopeLogs": [{"logRecords": [otlp.log("service")]}],
            }
            for name in names
        ]
        with attack.sender("services") as sender:
            sender.entries("logs", resources)

        def stored() -> tuple[bool | None, object]:
            bodies = Counter(attack.sink.bodies())
            there = (bodies["severe"], bodies["service"])
            return (there == (2_000, 2_000) or None), there

        until(stored, what="all of it is passed on", deadline_s=ARRIVED_S)
        texts = {record.get("severityText", "") for record in attack.sink.log_records()}
        services = {
            value["stringValue"]
            for request in attack.sink.stored("logs")
            for one in request["resourceLogs"]
            for name, value in (
                (item["key"], item["value"]) for item in one["resource"]["attributes"]
            )
            if name == "service.name"
        }
        assert "UNSPECIFIED" in texts
        assert len(texts) <= 25
        most = deployed.load()["processors"]["admission"]["services"]["most"]
        assert most - 5 < len(services) <= most + 2
        # Ours has its place although the table was full.
        assert otlp.BELIEVED in services


def points(of: str, numbers: range) -> Iterator[dict[str, object]]:
    for number in numbers:
        yield otlp.gauge(of, 1.0, {"n": str(number)})


def test_ever_new_series(program: Path, sink: Sink, tmp_path: Path) -> None:
    most = deployed.load()["processors"]["admission"]["metrics"]["series"]["per_metric"]
    with attacked(program, sink, tmp_path) as attack:
        with (
            attack.sender("loud") as loud,
            attack.sender("calm") as calm,
        ):
            for start in range(0, 3 * most, most):
                loud.metrics(points("loud", range(start, start + most)))
            loud.metrics(points("loud", range(1)))
            calm.metrics(points("calm", range(20)))

        def stored() -> tuple[bool | None, object]:
            there = Counter(
                one["name"]
                for one in attack.sink.metrics()
                for _ in one.get("gauge", {}).get("dataPoints", [])
            )
            return (there["calm"] == 20 or None), there

        until(stored, what="the calm service's points are passed on", deadline_s=ARRIVED_S)
        series = Counter(
            point["attributes"][0]["value"]["stringValue"]
            for one in attack.sink.metrics()
            if one["name"] == "loud"
            for point in one["gauge"]["dataPoints"]
        )
        assert len(series) == most
        assert series["0"] == 2  # one that is known goes on
