"""The components of a stack that answer on a port of this machine."""

from __future__ import annotations

from dataclasses import dataclass, replace

from glasshouse_cli.project import Project


@dataclass(frozen=True, kw_only=True)
class Component:
    """One component. service: its name in the compose file; ready: the path that answers 2xx.

    behind_proxy: whether its port leads through the proxy, which asks for the operator's password.
    """

    name: str
    service: str
    variable: str
    ready: str
    profile: str | None = None
    behind_proxy: bool = False


COMPONENTS = (
    Component(
        name="Service", service="api", variable="SERVICE_PORT", ready="/healthz", profile="demo"
    ),
    Component(
        name="Sandbox", service="sandbox", variable="SANDBOX_PORT", ready="/healthz", profile="demo"
    ),
    Component(name="Collector", service="collector", variable="COLLECTOR_HEALTH_PORT", ready="/"),
    Component(
        name="Prometheus",
        service="prometheus",
        variable="PROMETHEUS_PORT",
        ready="/-/ready",
        behind_proxy=True,
    ),
    Component(name="Loki", service="loki", variable="LOKI_PORT", ready="/ready", behind_proxy=True),
    Component(
        name="Tempo", service="tempo", variable="TEMPO_PORT", ready="/ready", behind_proxy=True
    ),
    Component(
        name="Alertmanager",
        service="alertmanager",
        variable="ALERTMANAGER_PORT",
        ready="/-/ready",
        behind_proxy=True,
    ),
    Component(
        name="Grafana",
        service="grafana",
        variable="GRAFANA_PORT",
        ready="/api/health",
        profile="grafana",
    ),
)

# What answers on the same ports past one machine, behind the same proxy, by its service there.
_DISTRIBUTED = {
    "collector": ("Edge", "edge-1"),
    "prometheus": ("Thanos", "thanos-query"),
    "loki": ("Loki", "loki-1"),
    "tempo": ("Tempo", "tempo-query-frontend"),
}

# Every port the stack publishes; OTLP's two have no readiness path of their own.
PORT_VARIABLES = (
    *(component.variable for component in COMPONENTS),
    "OTLP_GRPC_PORT",
    "OTLP_HTTP_PORT",
)
# Past one machine there is a second Collector to send to.
DISTRIBUTED_PORT_VARIABLES = (*PORT_VARIABLES, "SECOND_EDGE_PORT")


def of(checkout: Project) -> tuple[Component, ...]:
    """The components of the checkout's stack, whichever shape it has."""
    if not checkout.is_distributed:
        return COMPONENTS
    return tuple(_there(one) for one in COMPONENTS)


def port_variables(checkout: Project) -> tuple[str, ...]:
    """The variables of the ports that the checkout's stack publishes."""
    return DISTRIBUTED_PORT_VARIABLES if checkout.is_distributed else PORT_VARIABLES


def _there(component: Component) -> Component:
    name, service = _DISTRIBUTED.get(component.service, (component.name, component.service))
    return replace(component, name=name, service=service)
