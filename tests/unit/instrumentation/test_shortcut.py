"""Records that go around the SDK: sent as it would send them, and only where they can."""

import logging
import random
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry._logs import _internal, get_logger
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.sdk._logs import Logger, LoggerProvider, LogRecordLimits, LogRecordProcessor
from opentelemetry.sdk.resources import Resource
from wrapt import FunctionWrapper

from glasshouse import capture, delivery, guard
from glasshouse.capture import loggers, shortcut
from glasshouse.encoding.logs import LogEncoder
from glasshouse.guard.queued import QueuedLog
from glasshouse.processors import IdsLogRecordProcessor
from support import plain_logs
from unit.instrumentation.test_plain_logs import Collecting, in_some_context, made, outcome

RECORDS = 150
CARD = "4111111111111111"
ADDRESS = "ines.faro@example.org"


@pytest.fixture
def rng() -> random.Random:
    seed = time.time_ns()
    sys.stdout.write(f"seed {seed}\n")  # shown where a test fails
    return random.Random(seed)  # noqa: S311 (not for secrets)


@pytest.fixture(autouse=True)
def short() -> Iterator[None]:
    """Guard, and let records take the way that is tested."""
    guard.install()
    shortcut.install()
    yield
    loggers.shortcuts.clear()
    guard.uninstall()


class Sent:
    """A provider as the configurator makes it; what it queues and what it would send."""

    def __init__(self, limits: LogRecordLimits | None = None) -> None:
        self.provider = LoggerProvider(shutdown_on_exit=False, log_record_limits=limits)
        self.queued: list[object] = []
        self._bodies: list[bytes] = []

    def complete(self) -> "Sent":
        """Add the processors."""
        exporter = OTLPLogExporter(endpoint="http://127.0.0.1:1/v1/logs")
        processor: Any = delivery.log_record_processor(exporter)
        processor._delivery._sender.put = self._put
        queue = processor._batch_processor.emit
        processor._batch_processor.emit = lambda one: (self.queued.append(one), queue(one))
        self.provider.add_log_record_processor(IdsLogRecordProcessor())
        self.provider.add_log_record_processor(processor)
        return self

    def _put(self, batch: Any) -> bool:
        self._bodies.append(batch.SerializeToString())
        return True

    def resources(self) -> list[Any]:
        assert self.provider.force_flush()
        return [
            resource
            for body in self._bodies
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs
        ]

    def records(self) -> list[Any]:
        return [
            record
            for resource in self.resources()
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def is_short(self) -> list[bool]:
        return [type(one) is QueuedLog for one in self.queued]


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Sent], Sent]]:
    every: list[Sent] = []

    def make(sent: Sent) -> Sent:
        monkeypatch.setattr(_internal, "_LOGGER_PROVIDER", sent.provider)
        every.append(sent)
        return sent

    yield make
    for sent in every:
        sent.provider.shutdown()


Use = Callable[[Sent], Sent]


def said(message: str = "paid", **extra: Any) -> None:
    record = logging.makeLogRecord({"name": "shop", "levelno": 20, "levelname": "INFO"})
    record.msg = message
    vars(record).update(extra)
    capture.export(record)


def comparable(resources: list[Any]) -> list[tuple[bytes, bytes, bytes]]:
    """Return all records with where they come from, but for the moment they were seen in."""
    found: list[tuple[bytes, bytes, bytes]] = []
    for resource in resources:
        for scope in resource.scope_logs:
            for one in scope.log_records:
                one.observed_time_unix_nano = 0
                parts = resource.resource, scope.scope, one
                found.append(tuple(each.SerializeToString(deterministic=True) for each in parts))  # pyright: ignore[reportArgumentType]
    return sorted(found)


LIMITS = {
    "none": LogRecordLimits(),
    "few": LogRecordLimits(max_log_record_attributes=2),
    "short": LogRecordLimits(max_log_record_attribute_length=10),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("limits", LIMITS)
def test_a_record_is_sent_as_the_sdk_would_send_it(
    limits: str, rng: random.Random, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent, long = use(Sent(LIMITS[limits]).complete()), use(Sent(LIMITS[limits]).complete())
    plain = Collecting()
    other = LoggerProvider(shutdown_on_exit=False, log_record_limits=LIMITS[limits])
    other.add_log_record_processor(IdsLogRecordProcessor())
    other.add_log_record_processor(plain_logs.Unmarked(plain))
    count = RECORDS if limits == "none" else RECORDS // 8
    for _ in range(count):
        record = made(rng)
        token = otel_context.attach(in_some_context(rng))
        try:
            for send, provider in (
                (capture.export, sent.provider),
                (capture.export, long.provider),
                (plain_logs.export, other),
            ):
                monkeypatch.setattr(_internal, "_LOGGER_PROVIDER", provider)
                shortcuts = [] if provider is long.provider else [shortcut.way_of]
                monkeypatch.setattr(loggers, "shortcuts", shortcuts)
                outcome(lambda send=send, record=record: send(record))
        finally:
            otel_context.detach(token)
    assert other.force_flush()
    other.shutdown()
    assert all(one.observed_time_unix_nano for one in sent.records())
    found = comparable(sent.resources())
    assert found == comparable(long.resources())
    assert count * 0.7 < len(found) <= count
    if limits == "none":
        bodies = map(ExportLogsServiceRequest.FromString, plain.found)
        assert found == comparable([one for body in bodies for one in body.resource_logs])
    assert not any(long.is_short())
    taken = sent.is_short()
    assert any(taken) is (limits != "short")
    assert limits != "none" or sum(taken) > count / 5


def test_what_is_queued_leaves_redacted(use: Use) -> None:
    sent = use(Sent().complete())
    said(f"mail {ADDRESS}", card=CARD)
    [record] = sent.records()
    assert sent.is_short() == [True]
    assert ADDRESS not in str(record)
    assert CARD not in str(record)
    assert "card:1111" in str(record)


class Counting(LogRecordProcessor):
    def __init__(self) -> None:
        self.seen: list[Any] = []

    def on_emit(self, log_record: Any) -> None:
        self.seen.append(log_record.log_record.body)

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True


def test_a_processor_that_is_added_later_gets_its_records(use: Use) -> None:
    sent = use(Sent().complete())
    said("first")
    own = Counting()
    sent.provider.add_log_record_processor(own)
    said("second")
    assert own.seen == ["second"]
    assert [one.body.string_value for one in sent.records()] == ["first", "second"]
    assert sent.is_short() == [True, False]


def test_a_record_before_the_processors_closes_the_way_for_no_later_one(use: Use) -> None:
    sent = use(Sent())
    said("early")
    sent.complete()
    said("later")
    assert [one.body.string_value for one in sent.records()] == ["later"]
    assert sent.is_short() == [True]


@pytest.mark.parametrize("of", ["class", "wrapped", "logger"])
def test_another_package_s_own_emit_is_called(
    of: str, use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = use(Sent().complete())
    seen: list[object] = []
    if of == "class":
        # Also after the first record.
        said("first")
        emit = Logger.emit

        def emitting(self: Logger, record: Any) -> None:
            seen.append(record)
            emit(self, record)

        monkeypatch.setattr(Logger, "emit", emitting)
    elif of == "wrapped":
        said("first")
        own = FunctionWrapper(
            vars(Logger)["emit"],
            lambda emit, _, args, kwargs: (seen.append(args), emit(*args, **kwargs)),
        )
        monkeypatch.setattr(Logger, "emit", own)
    else:
        monkeypatch.setattr(get_logger("shop"), "emit", seen.append)
    said("second")
    assert len(seen) == 1
    assert len(sent.records()) == (0 if of == "logger" else 2)


def test_a_logger_that_is_switched_off_says_nothing(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = use(Sent().complete())
    said("first")
    logger: Any = get_logger("shop")
    monkeypatch.setattr(logger._logger_config, "is_enabled", False)
    said("second")
    assert [one.body.string_value for one in sent.records()] == ["first"]


def test_what_is_made_is_counted(use: Use, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = use(Sent().complete())
    logger: Any = get_logger("shop")
    counts: list[int] = []
    monkeypatch.setattr(logger._logger_metrics, "emit_log", lambda: counts.append(1), raising=False)
    said()
    said()
    assert (len(counts), sent.is_short()) == (2, [True, True])


def test_a_changed_resource_is_sent(use: Use) -> None:
    sent = use(Sent().complete())
    said("first")
    # As in a forked child.
    sent.provider._update_resource(Resource({"service.instance.id": "child", "note": ADDRESS}))
    said("second")
    [first, second] = [
        {one.key: one.value.string_value for one in each.resource.attributes}
        for each in sent.resources()
    ]
    assert first.get("service.instance.id") != "child"
    assert second["service.instance.id"] == "child"
    assert ADDRESS not in str(second)


def test_what_the_encoder_refuses_is_encoded_by_upstream(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = use(Sent().complete())
    said("plain", n=5)
    expected = sent.records()

    def refusing(*_: object) -> Any:
        raise ValueError

    sent = use(Sent().complete())
    monkeypatch.setattr(LogEncoder, "encode", refusing)
    said("plain", n=5)
    said(f"mail {ADDRESS}", card=CARD)
    plain, other = sent.records()
    for one in (*expected, plain):
        one.observed_time_unix_nano = one.time_unix_nano = 0
    assert plain == expected[0]
    assert ADDRESS not in str(other)
    assert CARD not in str(other)


def test_a_queue_that_raises_is_kept_from_the_caller(
    use: Use, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = use(Sent().complete())
    said("first")

    def broken(*_: object) -> Any:
        raise RuntimeError

    processors: Any = sent.provider._multi_log_record_processor._log_record_processors
    monkeypatch.setattr(processors[1].inner, "queue", broken)
    said("second")
    monkeypatch.undo()
