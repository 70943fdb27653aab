"""What stands for the providers changes when one of them does."""

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import _internal as logs_module
from opentelemetry.metrics import _internal as metrics_module
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.util._once import Once

from glasshouse.instrumentors import providers

KINDS: list[tuple[Any, str, Callable[[Any], None], Callable[[], Any]]] = [
    (trace, "TRACER", trace.set_tracer_provider, lambda: TracerProvider(shutdown_on_exit=False)),
    (
        metrics_module,
        "METER",
        metrics.set_meter_provider,
        lambda: MeterProvider(shutdown_on_exit=False),
    ),
    (
        logs_module,
        "LOGGER",
        _logs.set_logger_provider,
        lambda: LoggerProvider(shutdown_on_exit=False),
    ),
]


@pytest.fixture(params=KINDS, ids=[name for _, name, _, _ in KINDS])
def unset(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return what sets a provider of which this process has none yet, and what makes one."""
    module, name, put, make = request.param
    monkeypatch.setattr(module, f"_{name}_PROVIDER", None)
    monkeypatch.setattr(module, f"_{name}_PROVIDER_SET_ONCE", Once())
    return put, make


def test_a_provider_that_is_set_is_noticed(unset: Any) -> None:
    put, make = unset
    before = providers.current()
    assert providers.current() == before
    put(make())
    after = providers.current()
    assert after != before
    assert after == providers.current()


@pytest.mark.parametrize(
    ("module", "name"),
    [
        (trace, "get_tracer_provider"),
        (metrics, "get_meter_provider"),
        (_logs, "get_logger_provider"),
    ],
)
def test_a_function_that_was_replaced_is_asked(
    module: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [object(), object()]
    monkeypatch.setattr(module, name, lambda: made[0])
    before = providers.current()
    made.reverse()
    assert providers.current() != before
