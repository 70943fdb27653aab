"""The edge of trust: whose trace context is taken over.

A traceparent decides whether a request is traced and in which trace. Somebody who is not trusted
decides neither: his request is the root of a trace of its own, sampled as every other, with a link
to the span that he named. Baggage of his is not taken over at all.

Who is trusted is said by `EdgeMiddleware` for each request, else by one variable for all.
"""

import os
from collections.abc import Mapping
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context, create_key
from opentelemetry.sdk.trace import Span
from opentelemetry.trace import SpanContext

from glasshouse.errors import ConfigurationError
from glasshouse.runtime_context import get_current, with_value

VARIABLE: Final = "GLASSHOUSE_TRUST_CALLERS"
# Under this key, whether the caller is trusted.
TRUSTED: Final = create_key("glasshouse.caller-is-trusted")
# Under this key, the span that a stranger named.
NAMED: Final = create_key("glasshouse.span-named-by-stranger")


def trust_from(environ: Mapping[str, str] = os.environ) -> bool:
    """Read ``GLASSHOUSE_TRUST_CALLERS``: whether trace context of any caller is taken over.

    Raises:
        ConfigurationError: it is neither true nor false.
    """
    text = environ.get(VARIABLE, "").strip().lower() or "true"
    if text not in ("true", "false"):
        raise ConfigurationError(f"{VARIABLE}: {text!r} is neither true nor false")
    return text == "true"


def with_trust(trusted: bool, context: Context) -> Context:
    """Return ``context``, in which it is known whether the caller is trusted."""
    return with_value(TRUSTED, trusted, context)


def trust_in(context: Context | None) -> bool | None:
    """Return what is known of the caller; ``None``: nothing."""
    value = (get_current() if context is None else context).get(TRUSTED)
    return value if isinstance(value, bool) else None


def settled(context: Context) -> Context:
    """Return ``context`` without what is known of the caller: the request has been read.

    An empty one stays empty: by that Celery's instrumentation knows that nothing came in.
    """
    if trust_in(context) is None:
        return context
    return with_value(TRUSTED, None, context)


def naming(named: SpanContext, context: Context) -> Context:
    """Return ``context``, in which a new root is linked to the span that a stranger named."""
    return with_value(NAMED, named, context) if named.is_valid else context


def link_root(span: Span, context: Context | None) -> None:
    """Link a span that has just begun to what a stranger named, if it is a root."""
    named = (get_current() if context is None else context).get(NAMED)
    if isinstance(named, SpanContext) and span.parent is None:
        span.add_link(named)


def span_context_of(context: Context) -> SpanContext:
    """Return the context of the span that ``context`` has as its current one."""
    return trace.get_current_span(context).get_span_context()
