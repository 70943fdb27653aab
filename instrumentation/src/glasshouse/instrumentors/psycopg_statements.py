"""Records psycopg's statements as upstream's instrumentation does, at a third of its own cost.

Upstream's wraps connections and cursors; what it does around each statement is replaced here:
what a connection's statements have in common is found out once, a statement is not split into all
of its words, and the span is entered without generators. Spans and metrics are the same.

A connection with an option that is not carried here is left to upstream's.
"""

import importlib
import logging
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode

from glasshouse.instrumentors.known import digest, is_own
from glasshouse.light.instruments import Measurements
from glasshouse.light.spans import LightSpan, Plain, are_plain
from glasshouse.runtime_context import attach, detach, get_current

# SHA-256 of `opentelemetry/instrumentation/dbapi/__init__.py` and `…/psycopg/__init__.py`, as
# 0.66b0 to 0.66b2 have them.
KNOWN_DBAPI: Final = frozenset({"e3b939200f65e617ab03d63f84a124ca4f41672228d646f2f24b94f2ea9196f9"})
KNOWN_PSYCOPG: Final = frozenset(
    {"3f29388a42b0de198fe1791a06cfe9e5288fdda7077fcca52828c3777524a8f5"}
)
_PACKAGE: Final = "opentelemetry.instrumentation"
_PLAN: Final = "_glasshouse_statements"
# The key under which a context holds its span.
[_SPAN] = trace.set_span_in_context(INVALID_SPAN, Context())
# First words of statements: a word that is a secret of its own, say, does not fill the memory.
_MOST_OPERATIONS: Final = 64
# Statements whose attributes are kept, and characters of one.
_MOST_TEXTS: Final = 128
_LONGEST_TEXT: Final = 2048

_logger = logging.getLogger("glasshouse")


class _Connection:
    """What the statements of one connection have in common."""

    def __init__(self, integration: Any, semconv: Any) -> None:
        mode = integration._sem_conv_opt_in_mode_db
        self.tracer: trace.Tracer = integration._tracer
        self.fallback: str = integration.database or integration.name
        self._attributes: dict[str, Any] = {}
        semconv._set_db_system(self._attributes, integration.database_system, mode)
        semconv._set_db_name(self._attributes, integration.database, mode)
        named: dict[str, Any] = {}
        semconv._set_db_statement(named, "any", mode)
        self._texts = tuple(named)
        self._last: dict[str, Any] = integration.span_attributes
        self._said: dict[str, Any] = {}
        self._described: dict[str, dict[str, Any]] = {}
        self._duration: Any = None
        self._rows: Any = None
        if semconv._report_new(mode):
            self._duration = integration._duration_histogram
            self._rows = integration._returned_rows_histogram
        self._measured: dict[str, tuple[Measurements, Measurements]] = {}

    def describe(self, span: Span, text: str) -> None:
        # Where several connections share this, the last one that was made says more.
        if self._last != self._said:
            self._said, self._described = self._last.copy(), {}
        attributes = self._described.get(text)
        if attributes is None:
            attributes = self._attributes.copy()
            for name in self._texts:
                attributes[name] = text
            attributes.update(self._last)
            if are_plain(attributes, None):
                attributes = Plain(attributes)
            if len(self._described) < _MOST_TEXTS and len(text) <= _LONGEST_TEXT:
                self._described[text] = attributes
        if type(span) is LightSpan and type(attributes) is Plain:
            span.put(attributes)
        else:
            span.set_attributes(dict(attributes))

    def measure(
        self, cursor: Any, tracer: Any, operation: str, started: float, error: Exception | None
    ) -> None:
        if self._duration is None:
            return
        elapsed = perf_counter() - started
        if error is not None:
            attributes = tracer._get_metric_attributes(operation, error)
            self._duration.record(elapsed, attributes=attributes)
            return
        measured = self._measured.get(operation)
        if measured is None:
            attributes = tracer._get_metric_attributes(operation, None)
            measured = (
                Measurements(self._duration, attributes),
                Measurements(self._rows, attributes),
            )
            if len(self._measured) < _MOST_OPERATIONS:
                self._measured[operation] = measured
        duration, rows = measured
        duration.add(elapsed)
        count = getattr(cursor, "rowcount", None)
        if isinstance(count, int) and count >= 0:
            rows.add(count)


class _Statements:
    """Puts our methods in the place of upstream's, and back."""

    def __init__(self) -> None:
        self._tracer: Any = None
        self._semconv: Any = None
        self._said = False

    def install(self) -> None:
        """Record statements here, unless upstream's code is not the known one."""
        dbapi: Any = importlib.import_module(f"{_PACKAGE}.dbapi")
        psycopg: Any = importlib.import_module(f"{_PACKAGE}.psycopg")
        if self._tracer is not None:
            return
        known = (
            digest(dbapi) in KNOWN_DBAPI
            and digest(psycopg) in KNOWN_PSYCOPG
            and is_own(psycopg.CursorTracer.traced_execution, dbapi.__name__)
            and is_own(psycopg.CursorTracer.traced_execution_async, dbapi.__name__)
        )
        if not known:
            self._say(f"{_PACKAGE}.psycopg is not the known one")
            return
        self._semconv = importlib.import_module(f"{_PACKAGE}._semconv")
        self._tracer = psycopg.CursorTracer
        self._tracer.traced_execution = _sync(self, dbapi.CursorTracer.traced_execution)
        self._tracer.traced_execution_async = _async(
            self, dbapi.CursorTracer.traced_execution_async
        )

    def uninstall(self) -> None:
        """Leave statements to upstream's."""
        if self._tracer is not None:
            del self._tracer.traced_execution, self._tracer.traced_execution_async
            self._tracer = None

    def connection_of(self, tracer: Any) -> _Connection | None:
        """Return what is known of a cursor's connection; ``None``: upstream records it."""
        found: _Connection | None = tracer.__dict__.get(_PLAN)
        if found is not None:
            return found
        integration = tracer._db_api_integration
        if tracer._commenter_enabled or integration.capture_parameters:
            self._say("it writes comments into statements, or records their parameters")
            return None
        if type(tracer) is not self._tracer:
            return None
        found = _Connection(integration, self._semconv)
        if integration.name:
            # Otherwise it is not connected yet, and will know more.
            tracer.__dict__[_PLAN] = found
        return found

    def _say(self, reason: str) -> None:
        if not self._said:
            self._said = True
            _logger.info("psycopg: statements are recorded by upstream itself: %s", reason)


def _read(tracer: Any, cursor: Any, args: tuple[Any, ...]) -> tuple[str, str | None]:
    """Return the first word of a statement, and its text if it is known already."""
    query = args[0] if args else None
    if type(query) is not str:
        return tracer.get_operation_name(cursor, args), None
    text = query
    if text.startswith("/*"):
        text = tracer._leading_comment_remover.sub("", text)
    words = text.split(None, 1)
    return words[0] if words else "", query


def _begin(
    connection: _Connection, tracer: Any, cursor: Any, args: tuple[Any, ...]
) -> tuple[str, str | None, Span]:
    operation, text = _read(tracer, cursor, args)
    name = operation or connection.fallback
    return operation, text, connection.tracer.start_span(name, kind=SpanKind.CLIENT)


def _describe(
    connection: _Connection, tracer: Any, cursor: Any, args: tuple[Any, ...], call: Any
) -> None:
    _, text, span = call
    if span.is_recording():
        connection.describe(span, tracer.get_statement(cursor, args) if text is None else text)


def _fail(span: Span, error: Exception) -> None:
    if span.is_recording():
        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))


def _sync(statements: _Statements, upstream: Callable[..., Any]) -> Callable[..., Any]:
    def traced_execution(
        self: Any, cursor: Any, query_method: Callable[..., Any], *args: Any, **kwargs: Any
    ) -> Any:
        connection = statements.connection_of(self)
        if connection is None:
            return upstream(self, cursor, query_method, *args, **kwargs)
        if not is_instrumentation_enabled():
            return query_method(*args, **kwargs)
        call = operation, _, span = _begin(connection, self, cursor, args)
        try:
            token = attach(Context({**get_current(), _SPAN: span}))
            try:
                _describe(connection, self, cursor, args, call)
                started = perf_counter()
                error: Exception | None = None
                try:
                    return query_method(*args, **kwargs)
                except Exception as raised:
                    error = raised
                    raise
                finally:
                    connection.measure(cursor, self, operation, started, error)
            finally:
                detach(token)
        except Exception as raised:
            _fail(span, raised)
            raise
        finally:
            span.end()

    return traced_execution


def _async(
    statements: _Statements, upstream: Callable[..., Awaitable[Any]]
) -> Callable[..., Awaitable[Any]]:
    async def traced_execution_async(
        self: Any,
        cursor: Any,
        query_method: Callable[..., Awaitable[Any]],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        connection = statements.connection_of(self)
        if connection is None:
            return await upstream(self, cursor, query_method, *args, **kwargs)
        if not is_instrumentation_enabled():
            return await query_method(*args, **kwargs)
        call = operation, _, span = _begin(connection, self, cursor, args)
        try:
            token = attach(Context({**get_current(), _SPAN: span}))
            try:
                _describe(connection, self, cursor, args, call)
                started = perf_counter()
                error: Exception | None = None
                try:
                    return await query_method(*args, **kwargs)
                except Exception as raised:
                    error = raised
                    raise
                finally:
                    connection.measure(cursor, self, operation, started, error)
            finally:
                detach(token)
        except Exception as raised:
            _fail(span, raised)
            raise
        finally:
            span.end()

    return traced_execution_async


statements: Final = _Statements()
