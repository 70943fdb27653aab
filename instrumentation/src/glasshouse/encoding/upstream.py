"""Lets OpenTelemetry's own exporters over HTTP send what is encoded already.

Only the step that encodes is replaced: address, headers, compression, certificates, time-out,
session and answers stay the exporter's.
"""

import importlib
from collections.abc import Callable
from typing import Any, Final

from wrapt import ObjectProxy, wrap_function_wrapper

from glasshouse.encoding.batches import Batch

# Where an exporter finds what makes a message of records, by the name of its module and its own.
_ENCODES: Final = {
    ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "OTLPSpanExporter"): "encode_spans",
    ("opentelemetry.exporter.otlp.proto.http._log_exporter", "OTLPLogExporter"): "encode_logs",
}


def takes_encoded(exporter: object) -> bool:
    """Return whether an exporter takes a `Batch` from now on. A class that derives may not."""
    kind = type(exporter)
    name = _ENCODES.get((kind.__module__, kind.__qualname__))
    if name is None:
        return False
    module = importlib.import_module(kind.__module__)
    found = getattr(module, name, None)
    if found is None:
        return False
    if not isinstance(found, ObjectProxy):
        wrap_function_wrapper(module, name, _unless_encoded)
    return True


def _unless_encoded(
    encode: Callable[..., Any], _: object, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if args and isinstance(args[0], Batch):
        return args[0]
    return encode(*args, **kwargs)
