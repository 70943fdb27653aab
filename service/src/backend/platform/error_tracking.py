"""Reports errors to Sentry, or to what speaks its protocol. Off without ``SENTRY_DSN``.

What is reported is chosen here: an error that nothing handled, once. No integration guesses:
each of Sentry's would add its own copy of a failure, and the request's data with it.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

import procrastinate.exceptions
import sentry_sdk
from procrastinate.job_context import JobContext
from procrastinate.worker import Worker
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.integrations.excepthook import ExcepthookIntegration
from sentry_sdk.integrations.otlp import OTLPIntegration
from sentry_sdk.integrations.threading import ThreadingIntegration
from sentry_sdk.types import Event, Hint

from backend.platform.settings import ErrorTrackingSettings
from backend.platform.version import PACKAGE, VERSION
from glasshouse import correlation_id, request_id

FLUSH_TIMEOUT_S: Final = 2.0
# Written out: an empty dictionary collects everything but what is named (sentry-sdk 2.75).
_COLLECT_NOTHING: Final = {
    "user_info": False,
    "cookies": {"mode": "off"},
    "http_headers": {"request": {"mode": "off"}},
    "http_bodies": [],
    "url_query_params": {"mode": "off"},
    "graphql": {"document": False, "variables": False},
    "gen_ai": {"inputs": False, "outputs": False},
    "database_query_data": False,
    "queues": False,
    "stack_frame_variables": False,
}
# Nothing of ours fills these; should something, it stays here.
_NEVER_SENT: Final = ("request", "user", "breadcrumbs", "extra", "modules")
# Ids and times that Sentry needs as they are. They hold nothing that anybody typed.
_KEPT: Final = ("event_id", "timestamp", "platform", "level", "sdk", "release", "environment")

_logger = logging.getLogger(__name__)

Redact = Callable[[Any], Any]


def start(settings: ErrorTrackingSettings, *, service: str, redact: Redact) -> None:
    """Report this process's unhandled errors from now on; do nothing without a DSN.

    Args:
        service: becomes the tag ``service``.
        redact: returns a copy of a JSON-like value without personal data, or another value if
            it could not be checked. It does not raise.
    """
    if settings.sentry_dsn is None:
        return

    def before_send(event: Event, hint: Hint) -> Event | None:
        cleaned = clean(cast(dict[str, Any], event), service=service, redact=redact)
        return cast(Event | None, cleaned)

    sentry_sdk.init(
        dsn=settings.sentry_dsn.get_secret_value(),
        release=f"{PACKAGE}@{VERSION}",
        data_collection=cast(Any, _COLLECT_NOTHING),
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[
            # The trace id of OpenTelemetry; our exporter and propagator stay.
            OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False),
            DedupeIntegration(),
            ExcepthookIntegration(),
            ThreadingIntegration(propagate_scope=False),
            AtexitIntegration(callback=lambda pending, timeout: None),
        ],
        before_send=before_send,
        auto_session_tracking=False,
        send_client_reports=False,
        max_breadcrumbs=0,
        propagate_traces=False,
        shutdown_timeout=FLUSH_TIMEOUT_S,
    )


def clean(event: dict[str, Any], *, service: str, redact: Redact) -> dict[str, Any] | None:
    """Return the event as it may leave: redacted, with the flow's ids as tags.

    An event that cannot be redacted is not sent.
    """
    kept: dict[str, Any] = {name: event[name] for name in _KEPT if name in event}
    rest = {k: v for k, v in event.items() if k not in _NEVER_SENT and k not in kept}
    trace = rest.get("contexts", {}).get("trace")
    for exception in rest.get("exception", {}).get("values", ()):
        for frame in (exception.get("stacktrace") or {}).get("frames", ()):
            frame.pop("vars", None)
    redacted = redact(rest)
    if not isinstance(redacted, dict):
        # A marker in its place: it could not be checked, and sending it is what must not happen.
        _logger.warning("An error report could not be redacted and was dropped")
        return None
    redacted = cast(dict[str, Any], redacted)
    if trace is not None:
        redacted.setdefault("contexts", {})["trace"] = trace
    ids = {"requestId": request_id(), "correlationId": correlation_id(), "service": service}
    tags = {name: value for name, value in ids.items() if value is not None}
    redacted["tags"] = {**redacted.get("tags", {}), **tags}
    return {**redacted, **kept}


def capture(error: BaseException) -> None:
    """Report one error. Does nothing, and costs next to nothing, while reporting is off."""
    sentry_sdk.capture_exception(error)


def flush() -> None:
    """Wait until reports are sent, at most `FLUSH_TIMEOUT_S` seconds."""
    sentry_sdk.flush(timeout=FLUSH_TIMEOUT_S)


async def report_failed_job(
    call_next: Callable[[], Awaitable[Any]], context: JobContext, worker: Worker
) -> Any:
    """Worker middleware: report the error that ends a job; one that is retried may pass."""
    try:
        return await call_next()
    except procrastinate.exceptions.JobAborted:
        raise
    except Exception as error:
        if context.task.get_retry_exception(exception=error, job=context.job) is None:
            capture(error)
        raise
