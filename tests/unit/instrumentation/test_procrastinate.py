"""Jobs: one trace from deferral to execution, the ids with it, and no argument anywhere."""

import logging
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import procrastinate
import pytest
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from procrastinate.exceptions import JobRetry
from procrastinate.jobs import Job
from procrastinate.retry import BaseRetryStrategy, RetryDecision
from procrastinate.testing import InMemoryConnector

from glasshouse import correlation_id, request_id
from glasshouse.context import Ids, with_ids
from glasshouse.instrumentors.procrastinate import ProcrastinateInstrumentor
from glasshouse.processors import IdsSpanProcessor

SECRET = "bob@example.com"


class Failed(Exception):
    pass


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(IdsSpanProcessor())
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor = ProcrastinateInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        yield exporter
    finally:
        instrumentor.uninstrument()
        provider.shutdown()


@pytest.fixture
def seen() -> list[dict[str, object]]:
    return []


@pytest.fixture
def app(seen: list[dict[str, object]]) -> procrastinate.App:
    app = procrastinate.App(connector=InMemoryConnector())

    @app.task(name="remember")
    async def remember(**arguments: object) -> str:
        seen.append({**arguments, "request": request_id(), "correlation": correlation_id()})
        return SECRET

    @app.task(name="fail")
    async def fail(**arguments: object) -> None:
        raise Failed(SECRET)

    return app


async def run(app: procrastinate.App, task: str) -> None:
    """Defer one job with an argument, inside a flow, and run it."""
    token = otel_context.attach(with_ids(Ids("request-1", "correlation-1")))
    try:
        async with app.open_async():
            await app.tasks[task].defer_async(to=SECRET)
            otel_context.detach(token)
            token = otel_context.attach(otel_context.Context())
            await app.run_worker_async(wait=False, install_signal_handlers=False)
    finally:
        otel_context.detach(token)


def by_name(exporter: InMemorySpanExporter, name: str) -> ReadableSpan:
    [span] = [span for span in exporter.get_finished_spans() if span.name == name]
    return span


async def test_the_job_continues_the_trace_and_the_ids(
    spans: InMemorySpanExporter, app: procrastinate.App, seen: list[dict[str, object]]
) -> None:
    await run(app, "remember")
    # The task sees its own arguments and nothing of ours.
    assert seen == [{"to": SECRET, "request": "request-1", "correlation": "correlation-1"}]
    send, process = by_name(spans, "send remember"), by_name(spans, "process remember")
    assert send.kind is trace.SpanKind.PRODUCER
    assert process.kind is trace.SpanKind.CONSUMER
    assert process.parent is not None
    sent, processed = send.get_span_context(), process.get_span_context()
    assert sent is not None
    assert processed is not None
    assert process.parent.span_id == sent.span_id
    assert processed.trace_id == sent.trace_id
    assert process.attributes is not None
    assert process.attributes["messaging.system"] == "procrastinate"
    assert process.attributes["procrastinate.job.attempt"] == 1


async def test_a_scheduled_job_has_a_trace_of_its_own_and_a_link(
    spans: InMemorySpanExporter, app: procrastinate.App, seen: list[dict[str, object]]
) -> None:
    token = otel_context.attach(with_ids(Ids("request-1", "correlation-1")))
    try:
        async with app.open_async():
            past = datetime.now(UTC) - timedelta(seconds=1)
            await app.tasks["remember"].configure(schedule_at=past).defer_async(to=SECRET)
            await app.run_worker_async(wait=False, install_signal_handlers=False)
    finally:
        otel_context.detach(token)
    assert seen == [{"to": SECRET, "request": "request-1", "correlation": "correlation-1"}]
    assert_linked(by_name(spans, "send remember"), by_name(spans, "process remember"))


async def test_a_periodic_job_links_to_its_deferral(
    spans: InMemorySpanExporter, app: procrastinate.App
) -> None:
    timestamps: list[int] = []

    @app.task(name="tick")
    async def tick(timestamp: int) -> None:
        timestamps.append(timestamp)

    async with app.open_async():
        job = tick.configure(task_kwargs={"timestamp": 60}).job
        # Two workers try; one of them is answered that the other did it.
        deferred = [
            await app.job_manager.defer_periodic_job(job, "", defer_timestamp=60) for _ in range(2)
        ]
        assert [one is None for one in deferred] == [False, True]
        await app.run_worker_async(wait=False, install_signal_handlers=False)
    assert timestamps == [60]
    send = by_name(spans, "send tick")
    assert send.kind is trace.SpanKind.PRODUCER
    assert_linked(send, by_name(spans, "process tick"))


async def test_what_the_clock_sets_off_has_a_correlation_id_and_no_request_id(
    spans: InMemorySpanExporter, app: procrastinate.App
) -> None:
    seen: list[tuple[str | None, str | None]] = []

    @app.task(name="follow")
    async def follow() -> None:
        seen.append((request_id(), correlation_id()))

    @app.task(name="tick")
    async def tick(timestamp: int) -> None:
        seen.append((request_id(), correlation_id()))
        await follow.defer_async()

    async with app.open_async():
        for minute in (60, 120):
            job = tick.configure(task_kwargs={"timestamp": minute}).job
            await app.job_manager.defer_periodic_job(job, "", defer_timestamp=minute)
        await app.run_worker_async(wait=False, install_signal_handlers=False)
    first, second = (correlation for _, correlation in seen[:2])
    assert re.fullmatch("[0-9a-f]{32}", first or "")
    assert first != second
    # The jobs that it enqueues belong to it.
    assert Counter(seen) == {(None, first): 2, (None, second): 2}
    for name in ("send tick", "process tick", "send follow", "process follow"):
        on_spans = [
            (span.attributes or {}).get("correlation.id")
            for span in spans.get_finished_spans()
            if span.name == name
        ]
        assert Counter(on_spans) == {first: 1, second: 1}, name
    assert all("request.id" not in (span.attributes or {}) for span in spans.get_finished_spans())


@pytest.mark.usefixtures("spans")
async def test_a_job_that_a_script_enqueues_begins_a_flow(app: procrastinate.App) -> None:
    seen: list[tuple[str | None, str | None]] = []

    @app.task(name="note")
    async def note() -> None:
        seen.append((request_id(), correlation_id()))

    async with app.open_async():
        await note.defer_async()
        # The control: one that belongs to a request keeps its ids.
        token = otel_context.attach(with_ids(Ids("request-1", "correlation-1")))
        await note.defer_async()
        otel_context.detach(token)
        assert (request_id(), correlation_id()) == (None, None)
        await app.run_worker_async(wait=False, install_signal_handlers=False)
    [(request, made), kept] = seen
    assert request is None
    assert re.fullmatch("[0-9a-f]{32}", made or "")
    assert kept == ("request-1", "correlation-1")


def assert_linked(send: ReadableSpan, process: ReadableSpan) -> None:
    assert process.parent is None
    [link] = process.links
    assert send.context is not None
    assert process.context is not None
    assert link.context.trace_id == send.context.trace_id
    assert link.context.span_id == send.context.span_id
    assert process.context.trace_id != send.context.trace_id


async def test_a_job_that_is_to_come_again_has_not_failed(
    spans: InMemorySpanExporter, app: procrastinate.App
) -> None:
    class Again(BaseRetryStrategy):
        def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
            return RetryDecision() if job.attempts == 0 else None

    @app.task(name="wait", retry=Again(), pass_context=True)
    async def wait(context: procrastinate.JobContext) -> None:
        if context.job.attempts == 0:
            raise JobRetry(RetryDecision())

    async with app.open_async():
        await wait.defer_async()
        await app.run_worker_async(wait=False, install_signal_handlers=False)
    runs = [span for span in spans.get_finished_spans() if span.name == "process wait"]
    assert [span.status.status_code for span in runs] == [StatusCode.UNSET] * 2
    assert [span.attributes and span.attributes.get("error.type") for span in runs] == [None] * 2


async def test_a_failure_is_on_the_span_by_its_type(
    spans: InMemorySpanExporter, app: procrastinate.App
) -> None:
    await run(app, "fail")
    process = by_name(spans, "process fail")
    assert process.status.status_code is StatusCode.ERROR
    assert process.status.description == "Failed"
    assert process.attributes is not None
    assert process.attributes["error.type"] == "Failed"


@pytest.mark.parametrize("instrumented", [True, False])
async def test_arguments_are_in_no_log_line(
    instrumented: bool,
    request: pytest.FixtureRequest,
    app: procrastinate.App,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if instrumented:
        request.getfixturevalue("spans")
    caplog.set_level(logging.INFO, logger="procrastinate")
    await run(app, "fail")
    [ended] = [r for r in caplog.records if "ended with status" in r.getMessage()]
    # Message and extra attributes; the control shows that they are in both without us.
    everything = ended.getMessage() + repr(vars(ended).get("job"))
    assert (SECRET in everything) is not instrumented


async def test_an_argument_is_in_no_span_attribute(
    spans: InMemorySpanExporter, app: procrastinate.App
) -> None:
    await run(app, "remember")
    finished = spans.get_finished_spans()
    assert {span.name for span in finished} >= {"send remember", "process remember"}
    assert not [span.name for span in finished if SECRET in repr(span.attributes)]
