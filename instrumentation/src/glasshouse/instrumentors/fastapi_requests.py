"""Records a FastAPI application's requests as its own telemetry does, in one coroutine.

FastAPI's telemetry, `RequestContextMiddleware` and the propagator each read the headers, and each
enters a context of its own: a third of what a small request costs. Here the headers are read once,
one context is entered and one ``send`` is wrapped. Spans, metrics and events are the same, under
FastAPI's name and version: its routes, validation and operation spans work on the same object.

An application with an option that is not carried here is left to FastAPI, and so are websockets.
"""

import logging
from collections.abc import Awaitable, Callable
from time import perf_counter, time_ns
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, urlencode

from opentelemetry import _logs, metrics, propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, SpanKind, StatusCode, TraceFlags

from glasshouse.asgi import ANSWERS, Message, Receive, Scope, Send, with_id_headers
from glasshouse.context import (
    IDS,
    Ids,
    attributes_of,
    current_ids,
    ids_of_new_request,
    ids_of_request,
    with_ids,
)
from glasshouse.instrumentors import fastapi_known, providers
from glasshouse.light.instruments import Measurements
from glasshouse.light.spans import LightSpan, Plain, are_plain
from glasshouse.propagation import HostPropagator
from glasshouse.runtime_context import attach, detach, get_current, with_value

# What FastAPI's telemetry is configured by; a name that is not here has a meaning unknown here.
_OPTIONS: Final = frozenset(
    {
        "auto_configure",
        "exclude",
        "logger_provider",
        "logs",
        "meter_provider",
        "metrics",
        "operation_spans",
        "tracer_provider",
        "tracing",
    }
)
_STATE: Final = "_glasshouse_requests"
_TELEMETRY: Final = "fastapi.telemetry"
# Answers of `FastAPIRequests._why_left`: nothing is recorded, so nothing is said.
_OFF: Final = ""
# A stranger who invents names of hosts does not fill the memory.
_MOST_HOSTS: Final = 256
_MOST_SETS: Final = 1024
# The place of the flags in a span's context, without the property.
_FLAGS: Final = 3
_SAMPLED: Final = TraceFlags.SAMPLED
# The key under which a context holds its span.
[_SPAN] = trace.set_span_in_context(INVALID_SPAN, Context())

_logger = logging.getLogger("glasshouse")
Application = Callable[[Any, Scope, Receive, Send], Awaitable[None]]


class _Setting:
    """What an application is recorded by; with another of any of these it is decided anew."""

    def __init__(self, app: Any) -> None:
        self.stack = app.middleware_stack
        self.native = app._native_telemetry
        self.config: dict[str, Any] = self.native.config
        self.given = _given(self.config)
        tracers, meters, loggers = self.given
        self.tracers = tracers or trace.get_tracer_provider()
        self.meters = meters or metrics.get_meter_provider()
        self.loggers = loggers or _logs.get_logger_provider()
        self.around = providers.current()

    def holds(self, app: Any) -> bool:
        tracers, meters, loggers = self.given
        config = self.config
        return (
            self.stack is app.middleware_stack
            and self.native is app._native_telemetry
            and config["tracer_provider"] is tracers
            and config["meter_provider"] is meters
            and config["logger_provider"] is loggers
            and providers.current() == self.around
        )


def _given(config: dict[str, Any]) -> tuple[Any, Any, Any]:
    return config["tracer_provider"], config["meter_provider"], config["logger_provider"]


class FastAPIRequests:
    """Finds the recorder of each application.

    telemetry: FastAPI's module that records requests.
    starlette: the class whose ``__call__`` FastAPI's is around; run: that method.
    """

    def __init__(self, telemetry: Any, starlette: type, run: Application) -> None:
        self._telemetry = telemetry
        self._starlette = starlette
        self._run = run
        self._said: set[str] = set()

    def recorder_of(self, app: Any, scope: Scope) -> "Recorder | None":
        """Return what records the HTTP requests of ``app``; ``None``: FastAPI does, if anybody."""
        if app.middleware_stack is None or _TELEMETRY in scope:
            # FastAPI builds its stack within the first request, and records no request twice.
            return None
        own: dict[str, Any] = app.__dict__
        found: tuple[_Setting, Recorder | None] | None = own.get(_STATE)
        if found is None or not found[0].holds(app):
            setting = _Setting(app)
            found = own[_STATE] = setting, self._new(app, setting)
        return found[1]

    def _new(self, app: Any, setting: _Setting) -> "Recorder | None":
        reason = self._why_left(app, setting)
        if reason is None:
            return Recorder(self._telemetry, self._run, setting)
        line = f"{type(app).__qualname__}: requests are recorded by FastAPI itself: {reason}"
        if reason != _OFF and line not in self._said:
            self._said.add(line)
            _logger.info(line)
        return None

    def _why_left(self, app: Any, setting: _Setting) -> str | None:
        config = setting.config
        if type(setting.native) is not self._telemetry.NativeTelemetry:
            return "its telemetry was replaced"
        order = type(app).__mro__
        own = next(cls for cls in order if cls.__module__ == "fastapi.applications")
        below = order[order.index(own) + 1 :]
        if next(cls for cls in below if "__call__" in vars(cls)) is not self._starlette:
            return "a class between FastAPI and Starlette has a __call__ of its own"
        if unknown := set(config) - _OPTIONS:
            return f"telemetry has {', '.join(sorted(unknown))}"
        if not config["tracing"]:
            return "telemetry has tracing off"
        if self._telemetry._legacy_otel(setting.stack):
            return "opentelemetry-instrumentation-asgi is among its middleware"
        if not is_on(self._telemetry, setting.tracers, trace.NoOpTracerProvider):
            return _OFF
        return None


def is_on(telemetry: Any, provider: Any, off: type) -> bool:
    """Return whether FastAPI takes a provider for one that records."""
    return not telemetry._unconfigured(provider) and not isinstance(provider, off)


class _Ended(NamedTuple):
    """What is recorded of requests that ended alike: attributes, and what measures their time."""

    attributes: dict[str, Any]
    duration: Measurements | None


class Recorder:
    """Records the requests of one application."""

    def __init__(self, telemetry: Any, run: Application, setting: _Setting) -> None:
        native, config = setting.native, setting.config
        self._telemetry = telemetry
        self._record = fastapi_known.record_maker(telemetry)
        self._run = run
        self._request_key: str = telemetry._REQUEST_TELEMETRY_KEY
        self._methods: frozenset[str] = native._known_methods
        self._exclude: Callable[[Scope], object] | None = config["exclude"]
        self._tracer: Any = native._get_tracer(provider=setting.tracers)
        self._operations: Any = self._tracer if config["operation_spans"] else None
        self._logger: Any = None
        if config["logs"] and is_on(telemetry, setting.loggers, _logs.NoOpLoggerProvider):
            self._logger = _logs.get_logger(
                "fastapi",
                telemetry.__version__,
                config["logger_provider"],
                schema_url=telemetry._SCHEMA_URL,
            )
        self._duration: Any = None
        self._active: Any = None
        if config["metrics"] and is_on(telemetry, setting.meters, metrics.NoOpMeterProvider):
            self._duration, self._active = native._instruments()
        self._actives: dict[tuple[str, str], Measurements] = {}
        self._begun: dict[tuple[Any, ...], dict[str, Any]] = {}
        self._ended: dict[tuple[Any, ...], _Ended] = {}

    async def serve(self, app: Any, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one HTTP request of ``app`` as FastAPI does, and record it."""
        if app.root_path:
            scope["root_path"] = app.root_path
        scope["app"] = app
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        if type(headers) is not list:
            headers = scope["headers"] = list(headers)
        host, request, correlation, carries = _read(headers)
        around = get_current()
        if request or correlation:
            ids = ids_of_request(request, correlation, current_ids(around))
        else:
            ids = ids_of_new_request(around.get(IDS))
        if _SPAN in around and (outer := trace.get_current_span()).is_recording():
            # Somebody records around this application, and has not read the headers.
            outer.set_attributes(attributes_of(with_ids(ids, Context())))
        if self._exclude is not None:
            token = attach(with_ids(ids))
            try:
                if self._exclude(scope):
                    await self._pass(app, scope, receive, send, ids)
                    return
            finally:
                detach(token)

        original = scope.get("method", "")
        method = original if original in self._methods else "_OTHER"
        span_method = "HTTP" if method == "_OTHER" else method
        scheme = scope.get("scheme", "http")
        version = scope.get("http_version")
        active = None
        if self._active is not None:
            active = self._actives.get((scheme, method))
            if active is None:
                active = self._new_active(scheme, method)
            if _SPAN in around or (streams := active.unseen()) is None:
                active.add(1)
            else:
                for add in streams:
                    add(1, None)
        started = perf_counter()
        parent = self._parent(scope, ids, carries)
        began = self._beginning(scope, scheme, method, version, host)
        if scope.get("query_string"):
            began["url.query"] = self._query(scope["query_string"])
        if original != method:
            began["http.request.method_original"] = original
        # Processors and samplers may read the current context, too.
        token = attach(parent)
        try:
            span = self._tracer.start_span(
                span_method, context=parent, kind=SpanKind.SERVER, attributes=began
            )
        except BaseException:
            detach(token)
            raise
        record = self._record(
            span,
            span_method,
            self._operations,
            self._logger,
            scope.get("app_root_path", scope.get("root_path", "")).rstrip("/"),
        )
        scope[_TELEMETRY] = record
        finished = trailers = disconnected = False

        def finish(error: BaseException | None = None) -> None:
            nonlocal finished
            if finished:
                return
            finished = True
            status, route = record.status_code, record.route
            if error is not None or type(status) is not int or status >= 500:
                self._fail(record, error, started, _attributes(scheme, method, version))
            else:
                place = scheme, method, version, route, status
                ended = self._ended.get(place) or self._new_ended(place)
                attributes, duration = ended
                if type(span) is LightSpan and type(attributes) is Plain:
                    span.put(attributes)
                else:
                    span.set_attributes(attributes.copy())
                # While the span is current, for the exemplar.
                if duration is not None:
                    elapsed = max(0, perf_counter() - started)
                    if (
                        type(span) is LightSpan
                        and (spanned := span.get_span_context())[_FLAGS] & _SAMPLED
                        and get_current().get(_SPAN) is span
                    ):
                        moment = time_ns()
                        duration.add_in(elapsed, spanned, moment)
                        if active is not None:
                            active.add_in(-1, spanned, moment)
                        span.end()
                        return
                    duration.add(elapsed)
            if active is not None:
                active.add(-1)
            span.end()

        async def wrapped_send(message: Message) -> None:
            nonlocal trailers
            kind = message["type"]
            if kind == "http.response.start":
                record.status_code = message["status"]
                trailers = message.get("trailers", False)
                message["headers"] = with_id_headers(message.get("headers") or (), ids)
            await send(message)
            if (
                (
                    kind == "http.response.body"
                    and not trailers
                    and not message.get("more_body", False)
                )
                or (kind == "http.response.trailers" and not message.get("more_trailers", False))
                or kind == "http.response.pathsend"
            ):
                finish()

        async def wrapped_receive() -> Message:
            nonlocal disconnected
            message = await receive()
            if message["type"] == "http.disconnect":
                disconnected = True
            return message

        # Left together with `parent`.
        attach(Context({**parent, self._request_key: record, _SPAN: span}))
        try:
            await self._run(app, scope, wrapped_receive, wrapped_send)
        except BaseException as error:
            self._telemetry._exception(scope=scope, exc=error)
            finish(error)
            raise
        finally:
            if not finished:
                finish(
                    ConnectionError("Client disconnected")
                    if disconnected
                    else RuntimeError("Incomplete ASGI response")
                )
            record.data = None
            record._exceptions.clear()
            detach(token)
            scope.pop(_TELEMETRY, None)

    def _new_active(self, scheme: str, method: str) -> Measurements:
        attributes = {"url.scheme": scheme, "http.request.method": method}
        made = Measurements(self._active, attributes)
        _keep(self._actives, (scheme, method), made, _MOST_SETS)
        return made

    def _beginning(
        self, scope: Scope, scheme: str, method: str, version: Any, host: bytes | None
    ) -> dict[str, Any]:
        """Return attributes for the beginning, for the caller alone."""
        place = scheme, method, version, host
        known = None if host is None else self._begun.get(place)
        if known is None:
            server = self._telemetry._server_attributes(scope)
            known = _as_plain({**_attributes(scheme, method, version), **server})
            if host is not None:
                _keep(self._begun, place, known, _MOST_HOSTS)
        path = scope["path"]
        if type(known) is not Plain or type(path) is not str:
            return {**known, "url.path": path}
        began = Plain(known)
        began["url.path"] = path
        return began

    def _new_ended(self, place: tuple[Any, ...]) -> _Ended:
        scheme, method, version, route, status = place
        attributes = _attributes(scheme, method, version)
        if route is not None:
            attributes["http.route"] = route
        attributes["http.response.status_code"] = status
        duration = None
        if self._duration is not None:
            duration = Measurements(self._duration, attributes)
        made = _Ended(_as_plain(attributes), duration)
        _keep(self._ended, place, made, _MOST_SETS)
        return made

    def _fail(
        self, record: Any, error: BaseException | None, started: float, attributes: dict[str, Any]
    ) -> None:
        """Record a request that failed, or whose status is no plain number."""
        status, span = record.status_code, record.span
        if record.route is not None:
            attributes["http.route"] = record.route
        if status is not None:
            attributes["http.response.status_code"] = status
        failed = error is not None or status is None or status >= 500
        if failed:
            seen = record._exceptions
            failure = error or (seen[-1] if seen else None)
            attributes["error.type"] = (
                self._telemetry._exception_type(failure)
                if failure
                else str(status or "incomplete_response")
            )
        span.set_attributes(attributes)
        if failed:
            span.set_status(StatusCode.ERROR)
        if self._duration is not None:
            self._duration.record(max(0, perf_counter() - started), attributes)

    async def _pass(self, app: Any, scope: Scope, receive: Receive, send: Send, ids: Ids) -> None:
        """Run a request that the application excludes."""

        async def send_with_ids(message: Message) -> None:
            if message["type"] in ANSWERS:
                message["headers"] = with_id_headers(message.get("headers") or (), ids)
            await send(message)

        # As FastAPI does: applications that are mounted in this one do not record it, either.
        scope[_TELEMETRY] = None
        token = attach(with_value(self._request_key, None))
        try:
            await self._run(app, scope, receive, send_with_ids)
        finally:
            detach(token)
            scope.pop(_TELEMETRY, None)

    def _parent(self, scope: Scope, ids: Ids, carries: bool) -> Context:
        propagator = propagate.get_global_textmap()
        if not carries and type(propagator) is HostPropagator:
            known = propagator.context_of_ids(ids)
            if known is not None:
                return known
        token = attach(with_ids(ids))
        try:
            return propagate.extract(
                self._telemetry.Headers(scope=scope), getter=self._telemetry._HEADERS_GETTER
            )
        finally:
            detach(token)

    def _query(self, query: bytes) -> str:
        hidden = self._telemetry._SENSITIVE_QUERY_PARAMETERS
        pairs = parse_qsl(query.decode("latin-1"), keep_blank_values=True)
        return urlencode([(key, "REDACTED" if key in hidden else value) for key, value in pairs])


def _attributes(scheme: str, method: str, version: Any) -> dict[str, Any]:
    found = {"url.scheme": scheme, "http.request.method": method}
    if version:
        found["network.protocol.version"] = version
    return found


def _as_plain(attributes: dict[str, Any]) -> dict[str, Any]:
    return Plain(attributes) if are_plain(attributes, None) else attributes


def _keep(known: dict[Any, Any], key: Any, made: Any, most: int) -> None:
    if len(known) >= most:
        known.clear()
    known[key] = made


def _read(headers: list[tuple[bytes, bytes]]) -> tuple[bytes | None, str, str, bool]:
    """Return the host, the request and the correlation id, and whether a context came in."""
    host = None
    request = correlation = None
    carries = False
    for name, value in headers:
        if name == b"host":
            host = value if host is None else host
        elif name == b"traceparent" or name == b"baggage":
            carries = True
        elif len(name) == 12 and request is None and name.lower() == b"x-request-id":
            request = value.decode("latin-1")
        elif len(name) == 16 and correlation is None and name.lower() == b"x-correlation-id":
            correlation = value.decode("latin-1")
    return host, request or "", correlation or "", carries
