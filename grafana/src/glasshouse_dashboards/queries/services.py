"""All services that send anything, by the variables `environment` and `service`."""

from typing import Final

from glasshouse_dashboards.queries import conventions, history
from glasshouse_dashboards.queries.shared import COLLECTOR_JOBS, RANGE, RATE

# Of series alone: Loki and Tempo keep tenants apart by themselves.
TENANTS: Final = "label_values(target_info, glasshouse_tenant)"
TENANT: Final = 'glasshouse_tenant=~"$tenant"'
_NO_COLLECTOR: Final = f'job!~"{COLLECTOR_JOBS}"'
ENVIRONMENTS: Final = f"label_values(target_info{{{_NO_COLLECTOR}}}, deployment_environment_name)"
SERVICES: Final = (
    f'label_values(target_info{{{_NO_COLLECTOR},deployment_environment_name=~"$environment",'
    f"{TENANT}}}, service_name)"
)
ENVIRONMENT: Final = 'deployment_environment_name=~"$environment"'
# A span without the attribute matches no pattern, not even one for everything.
SPANS_ENVIRONMENT: Final = (
    '(resource.deployment.environment.name=~"$environment" || "$environment" = ".*")'
)
_STREAMS: Final = f'service_name=~"$service",{ENVIRONMENT}'
# What an edge pushes of itself looks like a service's, and what is recorded of it has no job.
_CHOSEN: Final = f'{_STREAMS},{TENANT},service_name!="glasshouse-edge"'
_SPANS: Final = f'resource.service.name=~"$service" && {SPANS_ENVIRONMENT}'
_SERVED: Final = conventions.served(_CHOSEN)
_MADE: Final = conventions.made(_CHOSEN)
_DATABASE: Final = conventions.database(_CHOSEN)
_BY: Final = ["service_name"]
STARTS: Final = f'service_name=~"$service",{_NO_COLLECTOR}'

_SENDERS: Final = f"last_over_time(target_info{{{_CHOSEN},{_NO_COLLECTOR}}}{RANGE})"
COUNT: Final = f"count(group by (service_name) ({_SENDERS}))"
REQUESTS: Final = f"sum({_SERVED.total(RANGE)})"
FAILED: Final = f"max({_SERVED.failed_share(RANGE)})"
SLOWEST: Final = f"max({_SERVED.quantile(95, RANGE, _BY)})"

RATE_NOW: Final = _SERVED.total(RANGE)
FAILED_NOW: Final = _SERVED.failed_share(RANGE)
P95_NOW: Final = _SERVED.quantile(95, RANGE, _BY)
RATES: Final = {"{{service_name}}": _SERVED.total(RATE)}
ERRORS: Final = {"{{service_name}}": _SERVED.failed_share(RATE)}
DURATION: Final = {"{{service_name}}": _SERVED.quantile(95, RATE, _BY)}

_CALLS: Final = "client, server, connection_type"


def calls_between(chosen: str) -> dict[str, str]:
    """Return how often, how badly and how slowly services call, as Tempo's service map has it."""
    total, failed = (
        f"sum by ({_CALLS}) ({history.rate(f'traces_service_graph_request{what}', chosen, RANGE)})"
        for what in ("_total", "_failed_total")
    )
    # As who calls sees it; a caller without spans sees nothing.
    ends = " or ".join(
        history.rate(
            f"traces_service_graph_request_{end}_seconds_bucket", f"{chosen},{which}", RANGE
        )
        for end, which in (("client", 'client!="user"'), ("server", 'client="user"'))
    )
    return {
        "rate": f"{total} > 0",
        "failed": f"(({failed}) or 0 * ({total})) / (({total}) > 0)",
        "p95": f"histogram_quantile(0.95, sum by (le, {_CALLS}) ({ends})) >= 0",
    }


_EITHER_END: Final = [calls_between(f'{end}=~"$service"') for end in ("client", "server")]
CALLS: Final = {
    name: " or ".join(f"({one[name]})" for one in _EITHER_END) for name in _EITHER_END[0]
}
PEERS: Final = {
    "{{service_name}} → {{server_address}}": _MADE.quantile(
        95, RATE, ["service_name", "server_address"]
    )
}
DATABASES: Final = {
    "{{service_name}} → {{db_system_name}}": _DATABASE.quantile(
        95, RATE, ["service_name", "db_system_name"]
    )
}
SPANS: Final = f"{{{_SPANS}}} | rate() by (resource.service.name)"
LINES: Final = f"topk(20, sum by (service_name) (rate({{{_STREAMS}}}[$__auto])))"
SENDERS: Final = (
    "group by (service_name, service_version, deployment_environment_name, "
    f"telemetry_sdk_language, telemetry_sdk_version) ({_SENDERS})"
)
OLD: Final = "count by (service_name, __name__) (" + (
    history.last("(http|rpc)_(server|client)_duration_milliseconds_count", _CHOSEN) + ")"
)
