"""Where records come from: a resource and a scope, encoded once each."""

from typing import Any, Final, NamedTuple

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from glasshouse.encoding.attributes import Attributes, Texts
from glasshouse.encoding.wire import sized
from glasshouse.redaction.telemetry import TelemetryRedactor

# They are few and live as long as the process.
_MOST: Final = 64
_SCHEMA: Final = b"\x1a"


class Origin(NamedTuple):
    """Fields of a request that records share.

    resource: of a `ResourceSpans` or `ResourceLogs`. scope: of a `ScopeSpans` or `ScopeLogs`.
    """

    resource: bytes
    scope: bytes


class Origins:
    """Encodes resources and scopes.

    redactor: None for those that have been redacted already.
    """

    def __init__(self, redactor: TelemetryRedactor | None, signal: str) -> None:
        self._redactor = redactor
        self._signal = signal
        self._of_resource = Attributes(b"\x0a", None)
        self._of_scope = Attributes(b"\x1a", None)
        self._texts = Texts(None)
        self._known: dict[tuple[int, int], tuple[Any, Any, Origin]] = {}

    def origin(self, resource: Resource, scope: InstrumentationScope | None) -> Origin:
        """Return what says where a record comes from.

        Raises:
            TypeError, ValueError: what was not redacted does not fit.
        """
        place = (id(resource), id(scope))
        known = self._known.get(place)
        if known is not None and known[0] is resource and known[1] is scope:
            return known[2]
        made = Origin(self._resource(resource), self._scope(scope))
        if len(self._known) >= _MOST:
            self._known = {}
        self._known[place] = (resource, scope, made)
        return made

    def _resource(self, resource: Resource) -> bytes:
        if self._redactor is not None:
            resource = self._redactor.resource(resource, self._signal)
        out: list[bytes] = []
        self._of_resource.extend(out, resource.attributes)
        return b"\x0a" + sized(b"".join(out)) + self._schema(resource.schema_url)

    def _scope(self, scope: InstrumentationScope | None) -> bytes:
        if self._redactor is not None:
            scope = self._redactor.scope(scope, self._signal)
        if scope is None:
            return b"\x0a\x00"
        out: list[bytes] = []
        for tag, text in ((b"\x0a", scope.name), (b"\x12", scope.version)):
            if text:
                out.append(tag + self._texts.sized(text))
        self._of_scope.extend(out, scope.attributes)
        return b"\x0a" + sized(b"".join(out)) + self._schema(scope.schema_url)

    def _schema(self, url: str | None) -> bytes:
        return _SCHEMA + self._texts.sized(url) if url else b""
