"""Postgres, as its clients see it, by the variable `operation`."""

from typing import Final

from glasshouse_dashboards.queries.shared import quantile, rate

_CHOSEN: Final = 'db_system_name="postgresql",db_operation_name=~"$operation"'
_COUNT: Final = "db_client_operation_duration_seconds_count"
OPERATIONS: Final = f"label_values({_COUNT}, db_operation_name)"

HEALTH: Final = 'min(health_check_status{check="postgres"})'
RATE_NOW: Final = f"sum(rate({_COUNT}{{{_CHOSEN}}}[5m]))"
P95_NOW: Final = (
    "histogram_quantile(0.95, sum by (le) "
    f"(rate(db_client_operation_duration_seconds_bucket{{{_CHOSEN}}}[5m])))"
)
BUSY_NOW: Final = f"sum(rate(db_client_operation_duration_seconds_sum{{{_CHOSEN}}}[5m]))"
DURATION: Final = {
    "50th percentile": quantile(50, "db_client_operation_duration_seconds", _CHOSEN),
    "95th percentile": quantile(95, "db_client_operation_duration_seconds", _CHOSEN),
}
BY_OPERATION: Final = {"{{db_operation_name}}": rate(_COUNT, _CHOSEN, "db_operation_name")}
ERRORS: Final = {"{{error_type}}": rate(_COUNT, f'{_CHOSEN},error_type!=""', "error_type")}
DURATION_BY_OPERATION: Final = {
    "{{db_operation_name}}": quantile(
        95, "db_client_operation_duration_seconds", _CHOSEN, by="db_operation_name"
    )
}
BY_SERVICE: Final = {"{{service_name}}": rate(_COUNT, _CHOSEN, "service_name")}
BUSY: Final = {
    "{{service_name}}": rate("db_client_operation_duration_seconds_sum", _CHOSEN, "service_name")
}
ROWS: Final = {
    "95th percentile": quantile(95, "db_client_response_returned_rows", _CHOSEN),
}
BACKLOG: Final = {"{{job_name}}": "max by (job_name) (jobs_backlog)"}
