"""The providers of this process, asked for with each request.

The API's own functions see to it that there is one, and are two calls each. What they answer
stands in a name of their module, as long as it is that of an API that we know.
"""

# The API shows these names to nobody.
# pyright: reportPrivateUsage=false

from typing import Any, Final

from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import _internal as logs_module
from opentelemetry.metrics import _internal as metrics_module

_PLACES: Final = (
    (vars(trace), "_TRACER_PROVIDER"),
    (vars(metrics_module), "_METER_PROVIDER"),
    (vars(logs_module), "_LOGGER_PROVIDER"),
)
[(_TRACES, _TRACER), (_METRICS, _METER), (_LOGS, _LOGGER)] = _PLACES


_get_tracer_provider: Final = trace.get_tracer_provider
_get_meter_provider: Final = metrics.get_meter_provider
_get_logger_provider: Final = _logs.get_logger_provider
_are_known: Final = all(name in names for names, name in _PLACES)


def current() -> tuple[Any, ...]:
    """Return what changes when one of the providers does: the three, or what stands for them."""
    if (
        _are_known
        and trace.get_tracer_provider is _get_tracer_provider
        and metrics.get_meter_provider is _get_meter_provider
        and _logs.get_logger_provider is _get_logger_provider
    ):
        return _TRACES[_TRACER], _METRICS[_METER], _LOGS[_LOGGER]
    return trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()
