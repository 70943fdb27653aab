"""Request and correlation ids on every response, for all frameworks that upstream instruments.

Each server instrumentation hands the response to one global propagator; ours writes the two
headers.
"""

import contextlib
from typing import Any, cast

from opentelemetry.context import Context
from opentelemetry.instrumentation import propagators
from opentelemetry.instrumentation.propagators import ResponsePropagator, default_setter

from glasshouse.asgi import ANSWERS, with_id_headers
from glasshouse.context import CORRELATION_ID_HEADER, REQUEST_ID_HEADER, Ids, current_ids


class IdsResponsePropagator(ResponsePropagator):
    """Writes a request's ids into its response, in place of any that are there."""

    def __init__(self, inner: ResponsePropagator | None = None) -> None:
        self._inner = inner

    def inject(
        self,
        carrier: Any,
        context: Context | None = None,
        setter: Any = default_setter,
    ) -> None:
        """Write both headers into ``carrier``, a response as its framework has it."""
        if self._inner is not None:
            self._inner.inject(carrier, context, setter)  # pyright: ignore[reportUnknownMemberType]  # upstream is untyped
        # Some hand in a context with nothing but the span.
        ids = current_ids(context) or current_ids()
        if ids is None or not ids.request:
            return
        # The response is the application's: it leaves without ids rather than not at all.
        with contextlib.suppress(Exception):
            _set_ids(carrier, ids, setter)


def _set_ids(carrier: Any, ids: Ids, setter: Any) -> None:
    if isinstance(carrier, dict):
        message = cast("dict[str, Any]", carrier)
        # Of ASGI: upstream hands in each one, bodies and trailers, too.
        if isinstance(message.get("type"), str):
            if message["type"] in ANSWERS:
                message["headers"] = with_id_headers(message.get("headers") or (), ids)
            return
    for name, value in ((REQUEST_ID_HEADER, ids.request), (CORRELATION_ID_HEADER, ids.correlation)):
        _remove(carrier, name)
        setter.set(carrier, name, value)


def _remove(carrier: Any, name: str) -> None:
    """Delete a header, so that a setter that adds does not make it two."""
    if isinstance(carrier, list):
        pairs = cast("list[tuple[str, str]]", carrier)
        pairs[:] = [pair for pair in pairs if pair[0].lower() != name.lower()]
        return
    for method in ("clear_header", "delete_header", "__delitem__"):  # Tornado, Falcon, mappings
        delete = getattr(carrier, method, None)
        if delete is not None:
            with contextlib.suppress(KeyError):
                delete(name)
            return


def install_response_ids() -> None:
    """Write the ids from now on, beside whatever is written already."""
    present = cast("ResponsePropagator | None", propagators.get_global_response_propagator())
    if not isinstance(present, IdsResponsePropagator):
        propagators.set_global_response_propagator(IdsResponsePropagator(present))  # pyright: ignore[reportUnknownMemberType]  # upstream is untyped
