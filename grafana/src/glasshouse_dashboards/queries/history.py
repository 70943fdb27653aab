"""What a panel reads of a counter: its samples over hours, over days what a rule made of them.

Services push every two seconds: a month of one series is 1.3 million samples, and a panel reads
hundreds of series. So Prometheus records, each five minutes, by how much each counter rose, with
the labels that panels use. A dashboard's hidden variable `resolution` follows from the chosen time,
and decides by a label which of the two a query selects; what it does not select costs nothing.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

RATE: Final = "[$__rate_interval]"
RANGE: Final = "[$__range]"
EVERY_S: Final = 300
EVERY: Final = "5m"
# Of a graph, on any screen. Grafana rounds a step of 210 s up to 300: beyond this time a step is
# never shorter than what is recorded.
POINTS: Final = 200
SAMPLES_UP_TO_S: Final = 210 * POINTS
# The value for samples: as a pattern it also matches where there is no such label.
SAMPLES: Final = "samples|"
VARIABLE: Final = "resolution"
# How many seconds an evaluation stands for: less than the time, where Prometheus was down.
COVERED: Final = "history:covered:seconds"
_SUFFIX: Final = f":increase{EVERY}"
_CHOSEN: Final = f'{VARIABLE}=~"${VARIABLE}"'

# The tenant is a label where Prometheus promotes it, on one machine there is none.
_SERVICE: Final = ("service_name", "deployment_environment_name", "glasshouse_tenant")
_SERVER: Final = {
    "http_server_request_duration_seconds": (
        *_SERVICE,
        "http_request_method",
        "http_route",
        "http_response_status_code",
        "error_type",
    ),
    "rpc_server_call_duration_seconds": (
        *_SERVICE,
        "rpc_service",
        "rpc_method",
        "rpc_response_status_code",
        "error_type",
    ),
}
_CLIENT: Final = {
    "http_client_request_duration_seconds": (
        "job",
        *_SERVICE,
        "server_address",
        "http_response_status_code",
        "error_type",
    ),
    "rpc_client_call_duration_seconds": (
        *_SERVICE,
        "server_address",
        "rpc_response_status_code",
        "error_type",
    ),
}
# Names from before the stable conventions: never exponential.
_OLD: Final = {
    "http_server_duration_milliseconds": (
        *_SERVICE,
        "http_method",
        "http_route",
        "http_status_code",
    ),
    "rpc_server_duration_milliseconds": (
        *_SERVICE,
        "rpc_service",
        "rpc_method",
        "rpc_grpc_status_code",
    ),
    "http_client_duration_milliseconds": (*_SERVICE, "net_peer_name", "http_status_code"),
    "rpc_client_duration_milliseconds": (*_SERVICE, "net_peer_name", "rpc_grpc_status_code"),
}
_DATABASE: Final = {
    "db_client_operation_duration_seconds": (
        *_SERVICE,
        "db_system_name",
        "db_system",
        "db_operation_name",
        "db_operation",
        "error_type",
    ),
}
_CALLS: Final = ("client", "server", "connection_type")


def _histograms(all_of: Mapping[str, Sequence[str]], *, native: bool) -> dict[str, tuple[str, ...]]:
    made: dict[str, tuple[str, ...]] = {}
    for metric, labels in all_of.items():
        made[f"{metric}_bucket"] = (*labels, "le")
        made[f"{metric}_count"] = tuple(labels)
        if native:
            made[metric] = tuple(labels)
    return made


# By metric, the labels that a panel asks for. A sum over all others: processes and libraries.
RECORDED: Final[Mapping[str, Sequence[str]]] = MappingProxyType(
    {
        **_histograms({**_SERVER, **_CLIENT, **_DATABASE}, native=True),
        **_histograms(_OLD, native=False),
        "db_client_operation_duration_seconds_sum": _DATABASE[
            "db_client_operation_duration_seconds"
        ],
        "db_client_response_returned_rows_bucket": ("db_system_name", "db_operation_name", "le"),
        "traces_service_graph_request_total": _CALLS,
        "traces_service_graph_request_failed_total": _CALLS,
        "traces_service_graph_request_client_seconds_bucket": (*_CALLS, "le"),
        "traces_service_graph_request_server_seconds_bucket": (*_CALLS, "le"),
        "payments_total": ("currency", "state"),
        "payments_amount_total": ("currency", "state"),
        "payment_confirmation_delay_seconds_bucket": ("currency", "le"),
        "automation_runs_total": ("strategy", "state"),
        "automation_runs_sla_total": ("strategy", "within_sla"),
        "automation_run_duration_seconds_bucket": ("strategy", "le"),
        "notifications_total": ("channel", "status"),
        "jobs_total": ("job_name", "outcome"),
        "job_duration_seconds_bucket": ("job_name", "le"),
        "otelcol_processor_pii_redacted_total": ("rule", "signal", "surface"),
    }
)


def rate(metric: str, selector: str, window: str = RATE) -> str:
    """Return by how much each series rose a second, for an aggregation to take.

    ``metric``: its name, or a pattern with a group. ``selector``: labels as in PromQL, without
    braces. ``window``: RATE or RANGE.
    """
    # Of the chosen time, a part without data counts, too, as rate() has it.
    seconds = "$__range_s" if window == RANGE else f"scalar(sum_over_time({COVERED}[$__interval]))"
    over = RANGE if window == RANGE else "[$__interval]"
    return (
        f"rate({_of(metric, selector)}{window})"
        f" or sum_over_time({_of(recorded(metric), selector)}{over}) / {seconds}"
    )


def increase(metric: str, selector: str) -> str:
    """Return by how much each series rose in the chosen time, for an aggregation to take."""
    return (
        f"increase({_of(metric, selector)}{RANGE})"
        f" or sum_over_time({_of(recorded(metric), selector)}{RANGE})"
    )


def present(metric: str, selector: str, window: str = RATE) -> str:
    """Return what was there in the window, as present_over_time() has it."""
    over = RANGE if window == RANGE else "[$__interval]"
    return (
        f"present_over_time({_of(metric, selector)}{window})"
        f" or present_over_time({_of(recorded(metric), selector)}{over})"
    )


def last(metric: str, selector: str) -> str:
    """Return what was there in the chosen time, by its own name."""
    of_records = f"last_over_time({_of(recorded(metric), selector)}{RANGE})"
    return (
        f"last_over_time({_of(metric, selector)}{RANGE}) or "
        f'label_replace({of_records}, "__name__", "$1", "__name__", "(.+):.+")'
    )


def recorded(metric: str) -> str:
    """Return the name under which a counter's rise is recorded."""
    return f"{metric}{_SUFFIX}"


def _of(metric: str, selector: str) -> str:
    labels = ",".join(one for one in (selector, _CHOSEN) if one)
    if "(" in metric:
        return f'{{__name__=~"{metric}",{labels}}}'
    return f"{metric}{{{labels}}}"


def asked() -> str:
    """Return what the hidden variable asks: PromQL that yields one series with one label."""
    values = ((f"<= {SAMPLES_UP_TO_S}", SAMPLES), (f"> {SAMPLES_UP_TO_S}", EVERY))
    either = " or ".join(
        f'label_replace(vector($__range_s) {compared}, "{VARIABLE}", "{value}", "", "")'
        for compared, value in values
    )
    return f"query_result({either})"


def resolution(range_s: float) -> str:
    """Return what the hidden variable is for a range of time, as Prometheus answers it."""
    return SAMPLES if range_s <= SAMPLES_UP_TO_S else EVERY
