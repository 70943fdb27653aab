"""The API's rate, errors and duration, by the variable `route`."""

from typing import Final

from glasshouse_dashboards.objectives import BUCKET
from glasshouse_dashboards.queries.shared import API, increase, quantile, rate, share

_CHOSEN: Final = f'{API},http_route=~"$route"'
_FAILED: Final = f'{_CHOSEN},http_response_status_code=~"5.."'
_ANSWERED: Final = f'{_CHOSEN},http_response_status_code!~"5.."'
_FAST: Final = f"{_ANSWERED},{BUCKET['api-latency']}"
ROUTES: Final = (
    'label_values(http_server_request_duration_seconds_count{service_name="backend-api"},'
    " http_route)"
)
_COUNT: Final = "http_server_request_duration_seconds_count"


REQUESTS: Final = increase(_COUNT, _CHOSEN)
AVAILABILITY: Final = (
    f"1 - ({increase(_COUNT, _FAILED)} or vector(0)) / ({increase(_COUNT, _CHOSEN)} > 0)"
)
FAST: Final = (
    f"{increase('http_server_request_duration_seconds_bucket', _FAST)}"
    f" / ({increase(_COUNT, _ANSWERED)} > 0)"
)
IN_FLIGHT: Final = 'sum(http_server_active_requests{service_name="backend-api"})'
RATE_BY_ROUTE: Final = {
    "{{http_request_method}} {{http_route}}": rate(
        _COUNT, _CHOSEN, "http_request_method, http_route"
    )
}
ERRORS: Final = {"server errors": share(rate(_COUNT, _FAILED), rate(_COUNT, _CHOSEN))}
DURATION: Final = {
    "50th percentile": quantile(50, "http_server_request_duration_seconds", _CHOSEN),
    "95th percentile": quantile(95, "http_server_request_duration_seconds", _CHOSEN),
}
DURATION_BY_ROUTE: Final = {
    "{{http_route}}": quantile(95, "http_server_request_duration_seconds", _CHOSEN, by="http_route")
}
STATUS: Final = {
    "{{http_response_status_code}}": rate(_COUNT, _CHOSEN, "http_response_status_code")
}
DATABASE: Final = {
    "{{db_operation_name}}": quantile(
        95,
        "db_client_operation_duration_seconds",
        'service_name="backend-api"',
        by="db_operation_name",
    )
}
BY_ROUTE: Final = (
    f"{increase(_COUNT, _CHOSEN, 'http_request_method, http_route, http_response_status_code')} > 0"
)
REFUSED: Final = {
    "{{http_route}} {{http_response_status_code}}": rate(
        _COUNT,
        f'{_CHOSEN},http_response_status_code=~"4.."',
        "http_route, http_response_status_code",
    )
}
