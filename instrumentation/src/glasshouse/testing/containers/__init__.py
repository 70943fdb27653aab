"""Containers for tests: our Collector, Loki, Tempo, Prometheus, or all of them.

Extra ``glasshouse[containers]``; needs a Docker engine.

    with StackContainers() as stack:
        run_my_service(**stack.environment)
        [line] = stack.loki.query('{service_name="shop"} |= "paid"')

Containers run without root and publish their ports on loopback only. All have the label
``dev.glasshouse.part=testing``, by which what a killed run left behind is found.
"""

from glasshouse.testing.containers.backends import (
    LokiContainer,
    PrometheusContainer,
    TempoContainer,
)
from glasshouse.testing.containers.base import ContainerError
from glasshouse.testing.containers.collector import CollectorContainer, SinkContainer
from glasshouse.testing.containers.stack import StackContainers

__all__ = [
    "CollectorContainer",
    "ContainerError",
    "LokiContainer",
    "PrometheusContainer",
    "SinkContainer",
    "StackContainers",
    "TempoContainer",
]
