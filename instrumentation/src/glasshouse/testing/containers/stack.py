"""All of it on one network: the Collector in front of Loki, Tempo and Prometheus."""

import contextlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Self

from opentelemetry.instrumentation.environment_variables import OTEL_PYTHON_DISTRO
from opentelemetry.sdk.environment_variables import (
    OTEL_EXPORTER_OTLP_ENDPOINT,
    OTEL_METRIC_EXPORT_INTERVAL,
)

from glasshouse.testing.containers.backends import (
    LokiContainer,
    PrometheusContainer,
    TempoContainer,
)
from glasshouse.testing.containers.base import Container, new_network
from glasshouse.testing.containers.collector import CollectorContainer

# By the names that the containers have in their network.
BACKENDS: Final = {
    "tempo": "http://tempo:4318",
    "loki": "http://loki:3100/otlp",
    "prometheus": "http://prometheus:9090/api/v1/otlp",
}


class StackContainers:
    """The Collector, Loki, Tempo and Prometheus; a context manager starts and deletes them.

    labels: as every container's. collector: more arguments for `CollectorContainer`. Images come
    from the variables of each class.
    """

    def __init__(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        collector: Mapping[str, Any] | None = None,
    ) -> None:
        self._network = new_network(labels)
        common: dict[str, Any] = {"network": self._network, "labels": labels}
        self.loki = LokiContainer(**common)
        self.tempo = TempoContainer(**common)
        self.prometheus = PrometheusContainer(**common)
        self.collector = CollectorContainer(backends=BACKENDS, **common, **(collector or {}))
        self._running = contextlib.ExitStack()

    @property
    def endpoint(self) -> str:
        """The value of OTEL_EXPORTER_OTLP_ENDPOINT with http/protobuf."""
        return self.collector.endpoint

    @property
    def grpc_endpoint(self) -> str:
        """The value of OTEL_EXPORTER_OTLP_ENDPOINT with grpc."""
        return self.collector.grpc_endpoint

    @property
    def environment(self) -> dict[str, str]:
        """Variables for a service that is to send here, soon enough for a test."""
        return {
            OTEL_PYTHON_DISTRO: "glasshouse",
            OTEL_EXPORTER_OTLP_ENDPOINT: self.endpoint,
            OTEL_METRIC_EXPORT_INTERVAL: "1000",
        }

    def start(self) -> Self:
        """Start all, the backends at the same time, and wait until each is ready."""
        backends: list[Container] = [self.loki, self.tempo, self.prometheus]
        with contextlib.ExitStack() as started:
            started.enter_context(self._network)
            for container in (*backends, self.collector):
                started.callback(container.stop)
            with ThreadPoolExecutor(len(backends)) as pool:
                list(pool.map(Container.start, backends))
            self.collector.start()
            self._running = started.pop_all()
        return self

    def stop(self) -> None:
        """Delete all, with what they hold."""
        self._running.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
