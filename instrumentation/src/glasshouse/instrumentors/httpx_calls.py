"""Spares upstream's instrumentation of httpx what comes to nothing.

It parses a URL again that is parsed, takes all headers apart though none is to be recorded, and
parses a URL twice more to hide in it what is not there. That is half of its own cost; what it
records stays as it is.
"""

import importlib
import logging
from collections.abc import Callable
from typing import Any, Final

from glasshouse.instrumentors.known import digest

# SHA-256 of `opentelemetry/instrumentation/httpx/__init__.py`, as 0.65b0 and 0.66b0 to 0.66b2 have
# it.
KNOWN: Final = frozenset(
    {
        "7b4010a61319027a567011f780e883234eca0c5ad1acd6e81c06cc1ae8589014",
        "1c37df2bd7602a60db56f4565c213b7c9d9bea0176f23e9e6522d57a0be8b933",
    }
)

_logger = logging.getLogger("glasshouse")


def spare() -> None:
    """Put shorter functions in the place of upstream's, unless its code is not the known one.

    They stay when calls are no longer recorded: nobody asks them then.
    """
    module: Any = importlib.import_module("opentelemetry.instrumentation.httpx")
    if hasattr(module._extract_parameters, "__wrapped__"):
        return
    if digest(module) not in KNOWN:
        _logger.info("httpx: upstream's instrumentation is not the known one and stays as it is")
        return
    for name, shorter in _SHORTER.items():
        original = getattr(module, name)
        replacement = shorter(original)
        replacement.__wrapped__ = original
        setattr(module, name, replacement)


def _parameters(original: Callable[..., Any]) -> Any:
    def extract(args: tuple[Any, ...], kwargs: dict[str, Any], module: Any) -> Any:
        request = args[0]
        if type(request) is not module.Request or type(request.url) is not module.URL:
            return original(args, kwargs, module)
        return (
            request.method.encode(),
            request.url,
            request.headers,
            request.stream,
            request.extensions,
        )

    return extract


def _request(original: Callable[..., None]) -> Any:
    def apply(
        span_attributes: Any,
        metric_attributes: Any,
        url: Any,
        method: str,
        semconv: Any,
        module: Any,
        headers: Any = None,
        captured: list[str] | None = None,
        sensitive: list[str] | None = None,
    ) -> None:
        original(
            span_attributes,
            metric_attributes,
            url,
            method,
            semconv,
            module,
            headers if captured else None,
            captured,
            sensitive,
        )

    return apply


def _response(original: Callable[..., None]) -> Any:
    def apply(
        span: Any,
        status: int,
        version: str,
        semconv: Any,
        module: Any,
        headers: Any = None,
        captured: list[str] | None = None,
        sensitive: list[str] | None = None,
    ) -> None:
        shown = headers if captured else None
        original(span, status, version, semconv, module, shown, captured, sensitive)

    return apply


def _url(original: Callable[[str], str]) -> Any:
    def redact(url: str) -> str:
        # Credentials stand before an "@", parameters behind a "?".
        return original(url) if "@" in url or "?" in url else url

    return redact


_SHORTER: Final[dict[str, Callable[[Any], Any]]] = {
    "_apply_request_client_attributes_to_span": _request,
    "_apply_response_client_attributes_to_span": _response,
    "_extract_parameters": _parameters,
    "redact_url": _url,
}
