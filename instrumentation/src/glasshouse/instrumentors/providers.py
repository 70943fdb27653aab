"""The providers of this process, asked for with each request.

The API's own functions see to it that there is one, and are two calls each. What they answer
stands in a name of their module, as long as it is that of an API that we know.
"""

# The API shows these names to nobody.
# pyright: reportPrivateUsage=false

from collections.abc import Callable
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


def _asked() -> tuple[Any, ...]:
    return trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()


def _read() -> tuple[Any, ...]:
    return _TRACES[_TRACER], _METRICS[_METER], _LOGS[_LOGGER]


# Return what changes when one of the providers does: the three, or what stands for them.
current: Final[Callable[[], tuple[Any, ...]]] = (
    _read if all(name in names for names, name in _PLACES) else _asked
)
