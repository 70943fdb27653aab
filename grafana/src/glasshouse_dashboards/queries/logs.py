"""Logs, by the variables `service`, `search` and `correlation`."""

from typing import Final

_CHOSEN: Final = 'service_name=~"$service"'
SERVICES: Final = 'label_values(target_info{job!="glasshouse-edge"}, service_name)'

ERRORS_NOW: Final = (
    "sum(increase(errors:increase5m[$__range])) or sum(errors:increase5m) or vector(0)"
)
BY_LEVEL: Final = f"sum by (severity_text) (count_over_time({{{_CHOSEN}}}[$__auto]))"
# Anybody can make up names of services: more than these are not to be read in one graph.
BY_SERVICE: Final = f"topk(20, sum by (service_name) (count_over_time({{{_CHOSEN}}}[$__auto])))"
ERRORS: Final = f"{{{_CHOSEN}}} | severity_number >= 17"
WARNINGS: Final = f"{{{_CHOSEN}}} | severity_number >= 13 | severity_number < 17"
ALL: Final = f"{{{_CHOSEN}}} |~ `(?i)$search` | correlation_id=~`$correlation`"
