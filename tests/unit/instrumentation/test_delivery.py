"""What the Collector does not take at once is kept, delivered later, or counted as given up."""

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import Counter as SdkCounter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import SpanContext
from requests import ReadTimeout

from glasshouse import shutdown
from glasshouse.delivery import (
    Bounds,
    BufferedMetricExporter,
    BufferedSpanExporter,
    bounds_from,
    counting,
    exporter_arguments,
    session,
)
from glasshouse.errors import ConfigurationError
from support import otlp_sink, shop_process, timing
from support.backends import attribute
from support.otlp_sink import Fault, Request, Sink
from support.waiting import until

WAIT_S = 60.0
# Logs as many events as each line of its input says, with numbers that go on.
SCRIPT = """
import logging, sys
logger = logging.getLogger("script")
logger.warning("ready")
number = 0
for line in sys.stdin:
    for _ in range(int(line)):
        logger.warning("event %d", number)
        number += 1
"""


@pytest.fixture
def sink() -> Iterator[Sink]:
    with otlp_sink.running() as sink:
        yield sink


@dataclass(kw_only=True)
class Script:
    """The script as a process. Its console lines are in a file."""

    process: subprocess.Popen[str]
    console: Path
    logged: int = 0

    def log(self, count: int) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{count}\n")
        self.process.stdin.flush()
        self.logged += count

    def events(self) -> list[str]:
        return [f"event {number}" for number in range(self.logged)]

    def lines(self, text: str) -> list[str]:
        lines = self.console.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if text in line]

    def end(self) -> float:
        """Let it end by itself; return the seconds that takes."""
        assert self.process.stdin
        started = time.monotonic()
        self.process.stdin.close()
        assert self.process.wait(WAIT_S) == 0
        return time.monotonic() - started


@contextmanager
def script(sink: Sink, console: Path, **variables: str) -> Iterator[Script]:
    with console.open("wb") as output:
        process = subprocess.Popen(
            [str(shop_process.INSTRUMENT), sys.executable, "-c", SCRIPT],
            env=shop_process.environment(sink.url, **variables),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )
    started = Script(process=process, console=console)
    try:
        until(lambda: (started.lines("ready") or None, "no line"), what="it runs")
        yield started
    finally:
        process.kill()
        process.communicate()


def events(sink: Sink) -> list[str]:
    return sorted(
        (body for body in sink.bodies() if body.startswith("event")),
        key=lambda body: int(body.split()[1]),
    )


def arrived(sink: Sink, count: int) -> Callable[[], tuple[bool | None, object]]:
    return lambda: (len(events(sink)) >= count or None, len(events(sink)))


def settled(sink: Sink) -> int:
    """Wait until the records of the start have arrived; return how many there are."""
    until(lambda: ("ready" in sink.bodies() or None, sink.bodies()), what="the start arrives")
    return len(sink.log_records())


def test_an_absence_of_the_collector_costs_nothing(sink: Sink, tmp_path: Path) -> None:
    with script(sink, tmp_path / "console") as running:
        running.log(10)
        until(arrived(sink, 10), what="the first events arrive")
        sink.go()
        running.log(10)
        failing = "Telemetry cannot be delivered"
        until(lambda: (running.lines(failing) or None, "no line"), what="the line is written")
        running.log(10)
        sink.come()
        until(arrived(sink, 30), what="the events of the absence arrive")
        again = "Telemetry is delivered again"
        until(lambda: (running.lines(again) or None, "no line"), what="the line is written")
        running.log(10)
        running.end()
    # Each once, none twice.
    assert events(sink) == running.events()
    assert len(running.lines(failing)) == len(running.lines(again)) == 1
    assert running.lines("opentelemetry.exporter") == []


def test_an_endpoint_that_is_busy_gets_everything_later(sink: Sink, tmp_path: Path) -> None:
    sink.fault = lambda _: Fault(status=503)
    with script(sink, tmp_path / "console") as running:
        tries = 8
        for _ in range(tries):
            before = len(sink.refused)
            running.log(5)
            until(
                lambda before=before: (len(sink.refused) > before or None, before),
                what="another try is refused",
            )
        sink.fault = otlp_sink.no_fault
        until(arrived(sink, 5 * tries), what="the events arrive")
        running.end()
    assert events(sink) == running.events()


def test_a_batch_that_is_refused_for_good_costs_itself_alone(sink: Sink, tmp_path: Path) -> None:
    def refuse_the_first_event(request: Request) -> Fault | None:
        return Fault(status=400) if b"event 0" in request.body else None

    with script(sink, tmp_path / "console") as running:
        settled(sink)
        sink.fault = refuse_the_first_event
        running.log(1)
        until(lambda: (bool(sink.refused) or None, "no try"), what="the batch is refused")
        running.log(4)
        until(arrived(sink, 4), what="the others arrive")
        running.end()
    assert events(sink) == running.events()[1:]
    assert lost(sink, "log") == {"400": 1}
    assert exported(sink, "log") == len(sink.log_records())


def test_what_is_lost_when_the_buffer_is_full_is_counted(sink: Sink, tmp_path: Path) -> None:
    one_event = 400  # bytes, at most
    with script(
        sink,
        tmp_path / "console",
        GLASSHOUSE_BUFFER_BYTES=str(10 * one_event),
        OTEL_BLRP_MAX_EXPORT_BATCH_SIZE="1",
        OTEL_METRIC_EXPORT_INTERVAL="200",
    ) as running:
        before = settled(sink)
        # Without an answer, as another try would take along what waits by then.
        sink.fault = lambda one: None if one.path.endswith("metrics") else Fault()
        running.log(1)
        until(lambda: (bool(sink.refused) or None, "no try"), what="the first is on its way")
        running.log(199)
        # Or what is logged only then is kept, and what is older is not.
        until(lambda: (running.lines("event 199") or None, "no line"), what="all is logged")
        until(
            lambda: (lost(sink, "log").get("buffer_full", 0) > 150 or None, lost(sink, "log")),
            what="the loss is counted",
        )
        sink.fault = otlp_sink.no_fault
        sink.let_go()
        until(arrived(sink, 1), what="the rest arrives")
        running.end()
    # The newest are kept, beside the one that was on its way.
    kept = events(sink)
    assert kept[0] == "event 0"
    assert kept[1:] == running.events()[1 - len(kept) :]
    # Delivery's own lines are for the console alone.
    assert lost(sink, "log") == {"buffer_full": 200 - len(kept)}
    assert len(sink.log_records()) == before + len(kept)


def test_a_collector_that_never_answers_delays_the_end_by_4_seconds(
    sink: Sink, tmp_path: Path
) -> None:
    sink.fault = lambda _: Fault()

    def seconds() -> float:
        before = len(sink.refused)
        with script(sink, tmp_path / "console") as running:
            running.log(5)
            until(lambda: (len(sink.refused) > before or None, "no try"), what="an export hangs")
            took = running.end()
        assert running.lines("The process ends before its telemetry is delivered")
        return took

    # Beside the deadline, for the interpreter's own end on a busy machine.
    timing.assert_within(shutdown.DEADLINE_SECONDS + 8, seconds, what="the end")


def lost(sink: Sink, item: str) -> dict[str, int]:
    """Return the newest counts of what was given up, by reason."""
    return {reason: count for reason, count in counted(sink, item).items() if reason}


def exported(sink: Sink, item: str) -> int:
    return counted(sink, item)[""]


def counted(sink: Sink, item: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for metric in sink.metrics():
        if metric["name"] == f"otel.sdk.exporter.{item}.exported":
            for point in metric["sum"]["dataPoints"]:
                found[attribute(point, "error.type") or ""] = int(point["asInt"])
    return found


# In this process, without a network: the exporter fails as it is set to.


@dataclass
class Scripted(SpanExporter):
    """Fails while it is set to; keeps what it took."""

    result: SpanExportResult = SpanExportResult.SUCCESS
    taken: list[str] = field(default_factory=list[str])
    tries: int = 0
    hold: threading.Event | None = None

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.tries += 1
        if self.hold:
            self.hold.wait(WAIT_S)
        if self.result is SpanExportResult.SUCCESS:
            self.taken += [span.name for span in spans]
        return self.result

    def shutdown(self) -> None: ...


def spans(*names: str) -> list[ReadableSpan]:
    context = SpanContext(1, 1, is_remote=False)
    return [ReadableSpan(name, context=context) for name in names]


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, str]]:
    """Record what is counted: which counter, how much, why."""
    found: list[tuple[str, int, str]] = []

    class Instrument:
        def __init__(self, name: str) -> None:
            self.name = name

        def add(self, count: int, attributes: dict[str, str]) -> None:
            found.append((self.name, count, attributes.get("error.type", "")))

    monkeypatch.setenv(counting.ENABLED_VARIABLE, "true")
    monkeypatch.setattr(
        counting,
        "_instruments",
        lambda item: (Instrument(f"{item}.exported"), Instrument(f"{item}.inflight")),
    )
    return found


def test_a_failure_is_tried_again_until_it_passes() -> None:
    exporter = Scripted(result=SpanExportResult.FAILURE)
    buffered = BufferedSpanExporter(exporter)
    assert buffered.export(spans("a")) is SpanExportResult.SUCCESS
    until(lambda: (exporter.tries >= 3 or None, exporter.tries), what="it tries again")
    assert exporter.taken == []
    exporter.result = SpanExportResult.SUCCESS
    assert buffered.force_flush(60_000)
    assert exporter.taken == ["a"]
    buffered.shutdown()


def test_what_waits_is_delivered_in_order_and_together() -> None:
    exporter = Scripted(result=SpanExportResult.FAILURE)
    buffered = BufferedSpanExporter(exporter)
    names = [str(number) for number in range(30)]
    for name in names:
        buffered.export(spans(name))
    until(lambda: (exporter.tries >= 2 or None, exporter.tries), what="it tries again")
    exporter.result, exporter.tries = SpanExportResult.SUCCESS, 0
    assert buffered.force_flush(60_000)
    assert exporter.taken == names
    assert exporter.tries <= 3
    buffered.shutdown()


def test_a_flush_waits_no_longer_than_asked() -> None:
    exporter = Scripted(hold=threading.Event())
    buffered = BufferedSpanExporter(exporter)
    buffered.export(spans("a"))
    started = time.monotonic()
    assert not buffered.force_flush(100)
    assert time.monotonic() - started < WAIT_S / 2
    assert exporter.hold
    exporter.hold.set()
    assert buffered.force_flush(60_000)
    buffered.shutdown()


def test_what_is_too_old_is_given_up(counts: list[tuple[str, int, str]]) -> None:
    exporter = Scripted(result=SpanExportResult.FAILURE)
    buffered = BufferedSpanExporter(exporter, Bounds(age_s=1))
    buffered.export(spans("a", "b"))
    lost = ("span.exported", 2, "expired")
    until(lambda: (lost in counts or None, counts), what="the loss is counted")
    exporter.result = SpanExportResult.SUCCESS
    buffered.export(spans("c"))
    assert buffered.force_flush(60_000)
    assert exporter.taken == ["c"]
    buffered.shutdown()
    assert counts == [
        ("span.inflight", 2, ""),
        ("span.inflight", -2, ""),
        lost,
        ("span.inflight", 1, ""),
        ("span.inflight", -1, ""),
        ("span.exported", 1, ""),
    ]


def test_the_oldest_go_first(counts: list[tuple[str, int, str]]) -> None:
    exporter = Scripted(result=SpanExportResult.FAILURE)
    buffered = BufferedSpanExporter(exporter, Bounds(size=700))  # three spans
    for name in "abcdef":
        buffered.export(spans(name))
    exporter.result = SpanExportResult.SUCCESS
    assert buffered.force_flush(60_000)
    buffered.shutdown()
    assert exporter.taken == ["d", "e", "f"]
    assert sum(count for name, count, why in counts if why == "buffer_full") == 3
    assert sum(count for name, count, _ in counts if name == "span.inflight") == 0


def test_a_shutdown_counts_what_it_leaves(
    counts: list[tuple[str, int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glasshouse.shutdown.remaining", lambda: 0.5)
    exporter = Scripted(result=SpanExportResult.FAILURE)
    buffered = BufferedSpanExporter(exporter)
    buffered.export(spans("a"))
    buffered.shutdown()
    assert ("span.exported", 1, "shutdown") in counts
    assert buffered.export(spans("b", "c")) is SpanExportResult.FAILURE
    assert ("span.exported", 2, "shutdown") in counts


def test_an_exporter_that_raises_costs_its_batch_alone(counts: list[tuple[str, int, str]]) -> None:
    class Raising(Scripted):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            if spans[0].name == "bad":
                raise KeyError
            return super().export(spans)

    exporter = Raising()
    buffered = BufferedSpanExporter(exporter)
    buffered.export(spans("bad"))
    buffered.export(spans("good"))
    assert buffered.force_flush(60_000)
    buffered.shutdown()
    assert exporter.taken == ["good"]
    assert ("span.exported", 1, "KeyError") in counts


def otlp(sink: Sink, **bounds: Any) -> BufferedSpanExporter:
    arguments = exporter_arguments()[OTLPSpanExporter]
    exporter = OTLPSpanExporter(endpoint=f"{sink.url}/v1/traces", timeout=60, **arguments)
    return BufferedSpanExporter(exporter, Bounds(**bounds))


def names(sink: Sink) -> list[str]:
    return [span["name"] for span in sink.spans()]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_status_that_may_pass_is_tried_again(sink: Sink, status: int) -> None:
    sink.fault = lambda _: Fault(status=status)
    buffered = otlp(sink)
    buffered.export(spans("a"))
    until(lambda: (len(sink.refused) >= 2 or None, sink.refused), what="it tries again")
    sink.fault = otlp_sink.no_fault
    assert buffered.force_flush(60_000)
    buffered.shutdown()
    assert names(sink) == ["a"]


@pytest.mark.parametrize("status", [307, 400, 401, 403, 404, 415])
def test_a_status_that_is_final_is_not(
    sink: Sink, status: int, counts: list[tuple[str, int, str]]
) -> None:
    sink.fault = lambda _: Fault(status=status)
    buffered = otlp(sink)
    buffered.export(spans("a"))
    assert buffered.force_flush(60_000)
    sink.fault = otlp_sink.no_fault
    buffered.export(spans("b"))
    assert buffered.force_flush(60_000)
    buffered.shutdown()
    assert names(sink) == ["b"]
    assert len(sink.refused) == 1
    assert ("span.exported", 1, str(status)) in counts


def test_a_server_s_wish_to_wait_is_respected(sink: Sink) -> None:
    sink.fault = lambda _: Fault(status=429, headers={"Retry-After": "2"})
    buffered = otlp(sink)
    buffered.export(spans("a"))
    until(lambda: (bool(sink.refused) or None, "none"), what="a try is refused")
    sink.fault = otlp_sink.no_fault
    assert buffered.force_flush(60_000)
    # From one request to the next; the first came a little before its answer.
    assert sink.requests[0].at - sink.refused[0].at > 1.5
    buffered.shutdown()
    assert names(sink) == ["a"]


def test_what_the_receiver_did_not_take_of_a_batch_is_counted(
    sink: Sink, counts: list[tuple[str, int, str]]
) -> None:
    partial = b"\x0a\x02\x08\x02"  # partial_success { rejected_spans: 2 }
    sink.fault = lambda _: Fault(status=200, body=partial, keeps=True)
    buffered = otlp(sink)
    buffered.export(spans("a", "b", "c"))
    assert buffered.force_flush(60_000)
    buffered.shutdown()
    assert [one for one in counts if one[0] == "span.exported"] == [
        ("span.exported", 1, ""),
        ("span.exported", 2, "rejected"),
    ]


def test_a_span_that_cannot_be_encoded_costs_itself_alone(
    sink: Sink, counts: list[tuple[str, int, str]]
) -> None:
    buffered = otlp(sink)
    buffered.export(spans("a", "b", "half a pair \ud800", "c"))
    assert buffered.force_flush(60_000)
    buffered.shutdown()
    assert sorted(names(sink)) == ["a", "b", "c"]
    assert [one for one in counts if one[2]] == [("span.exported", 1, "not_encodable")]


def test_a_request_that_is_too_large_is_halved(sink: Sink) -> None:
    def at_most_two(request: Request) -> Fault | None:
        spans = sink.decoded(request)["resourceSpans"][0]["scopeSpans"][0]["spans"]
        return Fault(status=413) if len(spans) > 2 else None

    sink.fault = at_most_two
    buffered = otlp(sink)
    buffered.export(spans(*"abcdefgh"))
    assert buffered.force_flush(60_000)
    buffered.shutdown()
    assert sink.refused
    assert names(sink) == list("abcdefgh")


def test_one_bad_batch_of_several_that_waited_costs_itself_alone(sink: Sink) -> None:
    sink.fault = lambda _: Fault(status=503)
    buffered = otlp(sink)
    for name in ("a", "bad", "c"):
        buffered.export(spans(name))
    until(lambda: (len(sink.refused) >= 2 or None, "one"), what="it tries again")
    sink.fault = lambda request: Fault(status=400) if b"bad" in request.body else None
    assert buffered.force_flush(60_000)
    buffered.shutdown()
    assert names(sink) == ["a", "c"]


def test_a_slow_receiver_gets_more_time_with_each_try() -> None:
    timeouts: list[float] = []

    class Slow(session.OneTrySession):
        def send(self, request: Any, **kwargs: Any) -> Any:
            timeouts.append(kwargs["timeout"])
            raise ReadTimeout

    one = Slow()
    for stretch in range(5):
        one.stretch = stretch
        with pytest.raises(session.NotDeliveredError):
            one.request("POST", "http://127.0.0.1/", timeout=2)
    assert timeouts == [2, 4, 8, 10, 10]
    assert one.answer == session.Answer(error="ReadTimeout", timed_out=True)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("3", 3.0), ("-1", 0.0), ("1e9", 60.0), ("Fri, 01 Jan 1999 00:00:00 GMT", 0.0), ("x", None)],
)
def test_a_wish_to_wait_is_read(text: str, seconds: float | None) -> None:
    assert session._wait(text) == seconds


def test_the_exporter_s_own_lines_are_dropped(sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger(OTLPSpanExporter.__module__)
    sink.fault = lambda _: Fault(status=400)
    buffered = otlp(sink)
    with caplog.at_level(logging.DEBUG):
        logger.addHandler(caplog.handler)
        try:
            buffered.export(spans("a"))
            assert buffered.force_flush(60_000)
            logger.warning("of somebody else")
        finally:
            logger.removeHandler(caplog.handler)
    buffered.shutdown()
    lines = [one.getMessage() for one in caplog.records if one.name == logger.name]
    assert set(lines) == {"of somebody else"}


class ScriptedMetrics(MetricExporter):
    def __init__(self) -> None:
        super().__init__()
        self.result = MetricExportResult.FAILURE
        self.taken: list[list[int]] = []
        self.tries = 0

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 0, **kwargs: Any
    ) -> MetricExportResult:
        self.tries += 1
        if self.result is MetricExportResult.SUCCESS:
            metric: Any = metrics_data.resource_metrics[0].scope_metrics[0].metrics[0]
            self.taken.append([point.value for point in metric.data.data_points])
        return self.result

    def shutdown(self, timeout_millis: float = 0, **kwargs: Any) -> None: ...

    def force_flush(self, timeout_millis: float = 0) -> bool:
        return True


@pytest.mark.parametrize(
    ("temporality", "delivered"),
    [(AggregationTemporality.CUMULATIVE, [[3]]), (AggregationTemporality.DELTA, [[1], [1], [1]])],
)
def test_of_cumulative_metrics_the_newest_is_enough(
    temporality: AggregationTemporality, delivered: list[list[int]]
) -> None:
    reader = InMemoryMetricReader(preferred_temporality={SdkCounter: temporality})
    provider = MeterProvider([reader])
    counter = provider.get_meter("test").create_counter("payments")
    exporter = ScriptedMetrics()
    buffered = BufferedMetricExporter(exporter)
    for _ in range(3):
        counter.add(1)
        data = reader.get_metrics_data()
        assert data
        buffered.export(data)
    until(lambda: (exporter.tries >= 2 or None, exporter.tries), what="it tries again")
    exporter.result = MetricExportResult.SUCCESS
    assert buffered.force_flush(60_000)
    assert exporter.taken == delivered
    buffered.shutdown()
    provider.shutdown()


def test_bounds_are_read_and_checked() -> None:
    assert bounds_from({}) == Bounds(size=16 * 1024 * 1024, age_s=300)
    given = {"GLASSHOUSE_BUFFER_BYTES": "1000", "GLASSHOUSE_BUFFER_SECONDS": "1.5"}
    assert bounds_from(given) == Bounds(size=1000, age_s=1.5)
    for name in given:
        for text in ("0", "-1", "nan", "inf", "much"):
            with pytest.raises(ConfigurationError, match=f"^{name}: '{text}' is no number over 0$"):
                bounds_from({name: text})
    with pytest.raises(ConfigurationError, match="no whole number of bytes"):
        bounds_from({"GLASSHOUSE_BUFFER_BYTES": "1.5"})


def test_an_export_over_the_bound_is_kept_while_nothing_newer_comes() -> None:
    exporter = Scripted(result=SpanExportResult.FAILURE)
    buffered = BufferedSpanExporter(exporter, Bounds(size=1))
    for name in ("a", "b"):
        buffered.export(spans(name))
    exporter.result = SpanExportResult.SUCCESS
    assert buffered.force_flush(60_000)
    buffered.shutdown()
    assert exporter.taken[-1] == "b"
