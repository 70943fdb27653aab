"""The API's rate, errors and duration, by the variable `route`."""

from typing import Final

from glasshouse_dashboards.objectives import LE
from glasshouse_dashboards.queries.shared import API, RANGE, RATE, quantile, share

_CHOSEN: Final = f'{API},http_route=~"$route"'
ROUTES: Final = (
    'label_values(http_server_request_duration_seconds_count{service_name="backend-api"},'
    " http_route)"
)
_COUNT: Final = "http_server_request_duration_seconds_count"


def _rate(selector: str, by: str = "") -> str:
    return f"sum{f' by ({by})' if by else ''} (rate({_COUNT}{{{selector}}}{RATE}))"


REQUESTS: Final = f"sum(increase({_COUNT}{{{_CHOSEN}}}{RANGE}))"
AVAILABILITY: Final = (
    f"1 - (sum(increase({_COUNT}"
    f'{{{_CHOSEN},http_response_status_code=~"5.."}}{RANGE})) or vector(0))'
    f" / (sum(increase({_COUNT}{{{_CHOSEN}}}{RANGE})) > 0)"
)
FAST: Final = (
    "sum(increase(http_server_request_duration_seconds_bucket"
    f'{{{_CHOSEN},http_response_status_code!~"5..",le="{LE["api-latency"]}"}}{RANGE}))'
    f' / (sum(increase({_COUNT}{{{_CHOSEN},http_response_status_code!~"5.."}}{RANGE})) > 0)'
)
IN_FLIGHT: Final = 'sum(http_server_active_requests{service_name="backend-api"})'
RATE_BY_ROUTE: Final = {
    "{{http_request_method}} {{http_route}}": _rate(_CHOSEN, "http_request_method, http_route")
}
ERRORS: Final = {
    "server errors": share(_rate(f'{_CHOSEN},http_response_status_code=~"5.."'), _rate(_CHOSEN))
}
DURATION: Final = {
    "50th percentile": quantile(50, "http_server_request_duration_seconds", _CHOSEN),
    "95th percentile": quantile(95, "http_server_request_duration_seconds", _CHOSEN),
}
DURATION_BY_ROUTE: Final = {
    "{{http_route}}": quantile(95, "http_server_request_duration_seconds", _CHOSEN, by="http_route")
}
STATUS: Final = {"{{http_response_status_code}}": _rate(_CHOSEN, "http_response_status_code")}
DATABASE: Final = {
    "{{db_operation_name}}": quantile(
        95,
        "db_client_operation_duration_seconds",
        'service_name="backend-api"',
        by="db_operation_name",
    )
}
BY_ROUTE: Final = (
    "sum by (http_request_method, http_route, http_response_status_code) "
    f"(increase({_COUNT}{{{_CHOSEN}}}{RANGE})) > 0"
)
REFUSED: Final = {
    "{{http_route}} {{http_response_status_code}}": _rate(
        f'{_CHOSEN},http_response_status_code=~"4.."', "http_route, http_response_status_code"
    )
}
