"""One service, whoever wrote it, by the variables `service`, `environment` and `route`.

`objective` is the availability that is wished for and `fast` the share of answers within `limit`:
percent, percent and seconds.
"""

from typing import Final

from glasshouse_dashboards.queries import conventions
from glasshouse_dashboards.queries.conventions import (
    ROUTE,
    ROUTE_LEGEND,
    STATUS,
    STATUS_LEGEND,
)
from glasshouse_dashboards.queries.services import (
    ENVIRONMENT,
    SPANS_ENVIRONMENT,
    TENANT,
    calls_between,
)
from glasshouse_dashboards.queries.shared import RANGE, RATE

_STREAMS: Final = f'service_name="$service",{ENVIRONMENT}'
_SERVICE: Final = f"{_STREAMS},{TENANT}"
_ROUTED: Final = f'{_SERVICE},http_route=~"$route"'
ROUTES: Final = (
    'label_values({__name__=~"http_server_(request_duration_seconds(_count)?|'
    'duration_milliseconds_count)",service_name="$service"}, http_route)'
)
STARTS: Final = 'service_name="$service"'
_SERVED: Final = conventions.served(_ROUTED)
_MADE: Final = conventions.made(_SERVICE)
_DATABASE: Final = conventions.database(_SERVICE)
_BUDGET: Final = "(1 - $objective / 100)"
_SLOW_BUDGET: Final = "(1 - $fast / 100)"

REQUESTS: Final = f"{_SERVED.total(RANGE)} * $__range_s"
AVAILABILITY: Final = f"1 - {_SERVED.failed_share(RANGE)}"
FAST: Final = _SERVED.within("$limit", RANGE)
P95: Final = _SERVED.quantile(95, RANGE, ["service_name"])
BUDGET: Final = f"1 - ({_SERVED.failed_share(RANGE)}) / {_BUDGET}"
FAST_BUDGET: Final = f"1 - (1 - ({FAST})) / {_SLOW_BUDGET}"

RATES: Final = {ROUTE_LEGEND: _SERVED.rate(RATE, ROUTE)}
ERRORS: Final = {ROUTE_LEGEND: _SERVED.failed_share(RATE, ROUTE)}
DURATION: Final = {
    f"{percent}th percentile": _SERVED.quantile(percent, RATE, ["service_name"])
    for percent in (50, 95, 99)
}
BURN: Final = {
    "errors": f"({_SERVED.failed_share(RATE)}) / {_BUDGET}",
    "too slow": f"(1 - ({_SERVED.within('$limit', RATE)})) / {_SLOW_BUDGET}",
}
ROUTE_DURATION: Final = {ROUTE_LEGEND: _SERVED.quantile(95, RATE, ROUTE)}
STATUSES: Final = {STATUS_LEGEND: _SERVED.rate(RATE, STATUS)}
BY_ROUTE: Final = {
    "rate": _SERVED.rate(RANGE, ROUTE),
    "failed": _SERVED.failed_share(RANGE, ROUTE),
    "p95": _SERVED.quantile(95, RANGE, ROUTE),
}
CALLERS: Final = calls_between('server="$service"')
CALLED: Final = calls_between('client="$service"')
_PEER: Final = ["server_address"]
PEERS: Final = {"{{server_address}}": _MADE.rate(RATE, _PEER)}
PEER_ERRORS: Final = {"{{server_address}}": _MADE.failed_share(RATE, _PEER)}
PEER_DURATION: Final = {"{{server_address}}": _MADE.quantile(95, RATE, _PEER)}
_OPERATION: Final = ["db_system_name", "db_operation_name"]
_OPERATION_LEGEND: Final = "{{db_system_name}} {{db_operation_name}}"
STATEMENTS: Final = {_OPERATION_LEGEND: _DATABASE.rate(RATE, _OPERATION)}
STATEMENT_DURATION: Final = {_OPERATION_LEGEND: _DATABASE.quantile(95, RATE, _OPERATION)}
STATEMENT_ERRORS: Final = {
    "{{error_type}}": _DATABASE.rate(RATE, ["error_type"], errors=True),
}


def _rates(names: str, by: str = "") -> str:
    grouped = f"sum by ({by})" if by else "sum"
    return f'{grouped} (rate({{__name__=~"{names}",{_SERVICE}}}{RATE}))'


def _gauge(names: str, by: str = "") -> str:
    grouped = f"sum by ({by})" if by else "sum"
    return f'{grouped} ({{__name__=~"{names}",{_SERVICE}}})'


def _counts(histogram: str, by: str) -> str:
    native = f"sum by ({by}) (rate({histogram}{{{_SERVICE}}}{RATE}))"
    return f"{_rates(f'{histogram}_count', by)} or histogram_count({native})"


def _pauses(metric: str) -> str:
    classic = f"sum by (le) (rate({metric}_bucket{{{_SERVICE}}}{RATE}))"
    native = f"sum(rate({metric}{{{_SERVICE}}}{RATE}))"
    return f"(histogram_quantile(0.95, {classic}) or histogram_quantile(0.95, {native})) >= 0"


CPU: Final = {
    "process": _rates("(dotnet_)?process_cpu_time_seconds_total"),
    "JVM": _rates("jvm_cpu_time_seconds_total"),
    "event loop": f"max(nodejs_eventloop_utilization_ratio{{{_SERVICE}}})",
}
# Some senders name no unit.
MEMORY: Final = {
    "process": _gauge("process_memory_usage(_bytes)?|dotnet_process_memory_working_set_bytes"),
    "JVM {{jvm_memory_type}}": _gauge("jvm_memory_used_bytes", "jvm_memory_type"),
    "V8 heap": _gauge("v8js_memory_heap_used_bytes"),
    "Go {{go_memory_type}}": _gauge("go_memory_used_bytes", "go_memory_type"),
}
COLLECTIONS: Final = {
    "CPython {{cpython_gc_generation}}": _rates(
        "cpython_gc_collections_total", "cpython_gc_generation"
    ),
    "JVM {{jvm_gc_name}}": _counts("jvm_gc_duration_seconds", "jvm_gc_name"),
    "V8 {{v8js_gc_type}}": _counts("v8js_gc_duration_seconds", "v8js_gc_type"),
    ".NET {{dotnet_gc_heap_generation}}": _rates(
        "dotnet_gc_collections_total", "dotnet_gc_heap_generation"
    ),
}
PAUSES: Final = {
    "JVM collections": _pauses("jvm_gc_duration_seconds"),
    "V8 collections": _pauses("v8js_gc_duration_seconds"),
    "event loop": f"max(nodejs_eventloop_delay_p99_seconds{{{_SERVICE}}})",
}
THREADS: Final = {
    "threads": _gauge("process_thread_count|jvm_thread_count"),
    "goroutines": _gauge("go_goroutine_count"),
    "open files": _gauge("process_(open|unix)_file_descriptor_count"),
}

_SPANS: Final = f'resource.service.name="$service" && {SPANS_ENVIRONMENT}'
_ANSWERED: Final = "(kind=server || kind=consumer)"
SPANS: Final = f"{{{_SPANS} && {_ANSWERED}}} | rate() by (name)"
SPANS_OUT: Final = f"{{{_SPANS} && kind=client}} | rate() by (span.server.address)"
FAILED_SPANS: Final = f"{{{_SPANS} && status=error}} | rate() by (name)"
# Without spans it would be 0.
SPANS_DURATION: Final = f"{{{_SPANS} && {_ANSWERED}}} | quantile_over_time(duration, 0.5, 0.95) > 0"
FAILED_TRACES: Final = f"{{{_SPANS} && status=error}}"
SLOW_TRACES: Final = f"{{{_SPANS} && {_ANSWERED} && duration > ${{limit}}s}}"

_LINES: Final = f"{{{_STREAMS}}}"


def _lines(condition: str) -> str:
    return f"sum(count_over_time({_LINES} | {condition} [$__auto]))"


SEVERITIES: Final = {
    "error": _lines("severity_number >= 17"),
    "warn": _lines("severity_number >= 13 | severity_number < 17"),
    "info": _lines("severity_number >= 9 | severity_number < 13"),
    "debug": _lines("severity_number >= 1 | severity_number < 9"),
    "none": _lines('severity_number=""'),
}
ERROR_LINES: Final = f"{_LINES} | severity_number >= 13"
ALL_LINES: Final = f"{_LINES} |~ `(?i)$search`"
