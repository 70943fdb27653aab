"""OpenTelemetry instrumentation for procrastinate, the job queue on Postgres.

Deferring a job makes a producer span; running it makes a consumer span in the same trace,
with the same request and correlation ids. A job that is scheduled (deferred for a later time, or
periodic) runs in a trace of its own, linked to the deferral: hours may lie between the two. A job
that is deferred outside of any flow, as by the clock, begins one with a correlation id. The
context travels in the job's arguments, under one reserved key that is taken out before the task
sees them. No argument and no result gets into spans or logs: procrastinate itself would write all
of them into its log lines.

Span names and attributes follow the semantic conventions for messaging.
"""

import contextlib
from collections.abc import Awaitable, Callable, Collection, Generator
from typing import Any, Final, cast

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.instrumentor import (
    BaseInstrumentor,  # pyright: ignore[reportMissingTypeStubs]
)
from opentelemetry.instrumentation.utils import suppress_instrumentation, unwrap
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, Tracer
from wrapt import wrap_function_wrapper

from glasshouse.context import attributes_of, extract_ids, in_flow, inject_ids
from glasshouse.propagation import inject_own

CARRIER_KEY: Final = "_otel"
# In the carrier: the job was scheduled, so its span links to the deferral.
_SCHEDULED: Final = "scheduled"
_CARRIER_ATTRIBUTE: Final = "_otel_carrier"

# The worker's own housekeeping: polled indefinitely, outside of any flow.
_HOUSEKEEPING: Final = (
    "get_stalled_jobs",
    "list_jobs_to_abort_async",
    "listen_for_jobs",
    "prune_stalled_workers",
    "register_worker",
    "unregister_worker",
    "update_heartbeat",
)


class ProcrastinateInstrumentor(BaseInstrumentor):
    """Producer and consumer spans for procrastinate, and the trace through the job."""

    def instrumentation_dependencies(self) -> Collection[str]:
        return ("procrastinate >= 3.10, < 4",)

    def _instrument(self, **kwargs: Any) -> None:
        from procrastinate import jobs, manager, worker

        tracer = trace.get_tracer(
            "glasshouse.procrastinate", tracer_provider=kwargs.get("tracer_provider")
        )
        wrap_function_wrapper(
            manager.JobManager, "batch_defer_jobs_async", _traced_defer_async(tracer)
        )
        wrap_function_wrapper(manager.JobManager, "batch_defer_jobs", _traced_defer(tracer))
        wrap_function_wrapper(
            manager.JobManager, "defer_periodic_job", _traced_periodic_defer(tracer)
        )
        wrap_function_wrapper(manager.JobManager, "fetch_job", _fetch_without_carrier)
        for name in _HOUSEKEEPING:
            wrap_function_wrapper(manager.JobManager, name, _unrecorded)
        wrap_function_wrapper(worker.Worker, "_process_job", _traced_job(tracer))
        wrap_function_wrapper(worker.Worker, "__init__", _with_error_recorder)
        self._originals = {name: vars(jobs.Job)[name] for name in ("call_string", "log_context")}
        # Written by name: the class comes from attrs and its type knows no assignment.
        setattr(jobs.Job, "call_string", property(_call_string))  # noqa: B010 (see above)
        setattr(jobs.Job, "log_context", _log_context)  # noqa: B010 (see above)

    def _uninstrument(self, **kwargs: Any) -> None:
        from procrastinate import jobs, manager, worker

        wrapped = (
            "batch_defer_jobs_async",
            "batch_defer_jobs",
            "defer_periodic_job",
            "fetch_job",
            *_HOUSEKEEPING,
        )
        for name in wrapped:
            unwrap(manager.JobManager, name)
        unwrap(worker.Worker, "_process_job")
        unwrap(worker.Worker, "__init__")
        for name, original in self._originals.items():
            setattr(jobs.Job, name, original)


def _call_string(job: Any) -> str:
    return f"{job.task_name}[{job.id}]"


def _log_context(job: Any) -> dict[str, Any]:
    return {
        "id": job.id,
        "task_name": job.task_name,
        "queue": job.queue,
        "attempts": job.attempts,
    }


def _attributes(job: Any, operation: str, kind: str) -> dict[str, str | int]:
    return {
        "messaging.system": "procrastinate",
        "messaging.destination.name": job.queue,
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "procrastinate.task.name": job.task_name,
    }


@contextlib.contextmanager
def _producer_span(tracer: Tracer, jobs: list[Any]) -> Generator[list[Any]]:
    """Open the span and hand out the jobs with its context in their arguments."""
    first = jobs[0]
    name = f"send {first.task_name}"
    attributes = _attributes(first, "send", "send")
    if len(jobs) > 1:
        attributes["messaging.batch.message_count"] = len(jobs)
    token = otel_context.attach(in_flow())
    try:
        with tracer.start_as_current_span(name, kind=SpanKind.PRODUCER, attributes=attributes):
            carrier: dict[str, str] = {}
            inject_own(carrier)
            inject_ids(carrier)
            yield [_carrying(job, carrier, scheduled=job.scheduled_at is not None) for job in jobs]
    finally:
        otel_context.detach(token)


def _carrying(job: Any, carrier: dict[str, str], *, scheduled: bool) -> Any:
    own = {**carrier, _SCHEDULED: "1"} if scheduled else carrier
    return job.evolve(task_kwargs={**job.task_kwargs, CARRIER_KEY: own})


def _restore_arguments(deferred: list[Any]) -> list[Any]:
    return [_without_carrier(job) for job in deferred]


def _traced_defer_async(tracer: Tracer) -> Callable[..., Any]:
    async def defer(
        wrapped: Callable[..., Awaitable[list[Any]]], _manager: Any, args: Any, kwargs: Any
    ) -> list[Any]:
        jobs, rest = _jobs_argument(args, kwargs)
        if not jobs:
            return await wrapped(*args, **kwargs)
        with _producer_span(tracer, jobs) as carrying:
            return _restore_arguments(await wrapped(jobs=carrying, **rest))

    return defer


def _traced_defer(tracer: Tracer) -> Callable[..., Any]:
    def defer(
        wrapped: Callable[..., list[Any]], _manager: Any, args: Any, kwargs: Any
    ) -> list[Any]:
        jobs, rest = _jobs_argument(args, kwargs)
        if not jobs:
            return wrapped(*args, **kwargs)
        with _producer_span(tracer, jobs) as carrying:
            return _restore_arguments(wrapped(jobs=carrying, **rest))

    return defer


def _traced_periodic_defer(tracer: Tracer) -> Callable[..., Any]:
    async def defer(
        wrapped: Callable[..., Awaitable[int | None]], _manager: Any, args: Any, kwargs: Any
    ) -> int | None:
        named = dict(zip(("job", "periodic_id", "defer_timestamp"), args, strict=False)) | kwargs
        job = named.pop("job")
        # Every worker tries, and all but one are answered that it was done. A span that is never
        # ended is never exported.
        flow = in_flow(Context())
        span = tracer.start_span(
            f"send {job.task_name}",
            context=flow,
            kind=SpanKind.PRODUCER,
            attributes=_attributes(job, "send", "send"),
        )
        carrier = attributes_of(flow)
        with trace.use_span(span):
            inject_own(carrier)
        with suppress_instrumentation():
            deferred = await wrapped(job=_carrying(job, carrier, scheduled=True), **named)
        if deferred is not None:
            span.end()
        return deferred

    return defer


def _jobs_argument(args: Any, kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    named = dict(zip(("jobs", "connection"), args, strict=False)) | kwargs
    return list(named.pop("jobs")), named


def _without_carrier(job: Any) -> Any:
    arguments = dict(job.task_kwargs)
    carrier = arguments.pop(CARRIER_KEY, None)
    if carrier is None:
        return job
    bare = job.evolve(task_kwargs=arguments)
    # Beside the fields: the class is frozen, and a copy made later need not carry it.
    object.__setattr__(bare, _CARRIER_ATTRIBUTE, carrier)
    return bare


async def _fetch_without_carrier(
    wrapped: Callable[..., Awaitable[Any]], _manager: Any, args: Any, kwargs: Any
) -> Any:
    with suppress_instrumentation():
        job = await wrapped(*args, **kwargs)
    return job if job is None else _without_carrier(job)


async def _unrecorded(
    wrapped: Callable[..., Awaitable[Any]], _manager: Any, args: Any, kwargs: Any
) -> Any:
    with suppress_instrumentation():
        return await wrapped(*args, **kwargs)


def _cause(carrier: dict[str, str]) -> tuple[Context, list[Link]]:
    """Return the context that a job runs in, and what its span links to."""
    # From an empty context: the worker itself may have been started inside of a span.
    extracted = propagate.extract(carrier, Context())
    if _SCHEDULED not in carrier:
        return extract_ids(carrier, extracted), []
    sent = trace.get_current_span(extracted).get_span_context()
    return extract_ids(carrier, Context()), [Link(sent)] if sent.is_valid else []


def _traced_job(tracer: Tracer) -> Callable[..., Any]:
    async def process(
        wrapped: Callable[..., Awaitable[None]], _worker: Any, args: Any, kwargs: Any
    ) -> None:
        job = (kwargs.get("context") or args[0]).job
        found = getattr(job, _CARRIER_ATTRIBUTE, None)
        carrier = cast("dict[str, str]", found) if isinstance(found, dict) else {}
        context, links = _cause(carrier)
        attributes = _attributes(job, "process", "process") | {
            "messaging.message.id": str(job.id),
            "procrastinate.job.attempt": job.attempts + 1,
        }
        token = otel_context.attach(context)
        try:
            with tracer.start_as_current_span(
                f"process {job.task_name}",
                kind=SpanKind.CONSUMER,
                attributes=attributes,
                links=links,
            ):
                await wrapped(*args, **kwargs)
        finally:
            otel_context.detach(token)

    return process


async def _record_error(
    call_next: Callable[[], Awaitable[Any]], _context: Any, _worker: Any
) -> Any:
    """Worker middleware: the only place that sees a job's exception pass by."""
    from procrastinate.exceptions import JobAborted, JobRetry

    try:
        return await call_next()
    except (JobAborted, JobRetry):
        # How a task says that it is to end, or to come again. Nothing went wrong.
        raise
    except Exception as error:
        span = trace.get_current_span()
        span.record_exception(error)
        span.set_attribute("error.type", type(error).__qualname__)
        # The type only: an exception's text may hold what it failed on.
        span.set_status(Status(StatusCode.ERROR, type(error).__qualname__))
        raise


def _with_error_recorder(
    wrapped: Callable[..., None], _worker: Any, args: Any, kwargs: dict[str, Any]
) -> None:
    middlewares: list[Any] = kwargs.get("worker_middleware") or []
    kwargs["worker_middleware"] = [_record_error, *middlewares]
    wrapped(*args, **kwargs)
