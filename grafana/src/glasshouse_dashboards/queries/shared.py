"""Pieces that more than one dashboard asks with."""

from typing import Final

from glasshouse_dashboards.objectives import SELECTORS
from glasshouse_dashboards.queries import history

API: Final = SELECTORS["api"]
# Every Collector, and none of the services: that of one machine, edges and gateways.
COLLECTOR_JOBS: Final = "collector|glasshouse-(edge|gateway)"
COLLECTORS: Final = f'job=~"{COLLECTOR_JOBS}"'
QUEUES: Final = {
    "{{exporter}}": "max by (exporter) "
    "(otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)"
}
# A dead worker's last sample grows old.
HEARTBEAT_AGE: Final = (
    "worker_heartbeat_age_seconds + (time() - timestamp(worker_heartbeat_age_seconds))"
)
RATE: Final = history.RATE
RANGE: Final = history.RANGE


def rate(metric: str, selector: str = "", by: str = "", window: str = RATE) -> str:
    """Return events a second, by labels or of all together."""
    return f"{_sum(by)}({history.rate(metric, selector, window)})"


def increase(metric: str, selector: str = "", by: str = "") -> str:
    """Return events in the chosen time, by labels or of all together."""
    return f"{_sum(by)}({history.increase(metric, selector)})"


def quantile(share: int, histogram: str, selector: str, by: str = "") -> str:
    """Return a percentile of a histogram over the graph's own interval."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile(0.{share:02d}, {rate(f'{histogram}_bucket', selector, labels)})"


def quantiles(histogram: str, selector: str) -> dict[str, str]:
    """Return median and 95th percentile by their legends."""
    return {f"{share}th percentile": quantile(share, histogram, selector) for share in (50, 95)}


def share(part: str, whole: str) -> str:
    """Return part of whole as a ratio: 0 while nothing happened."""
    return f"(({part}) or vector(0)) / (({whole}) > 0) or vector(0)"


def _sum(by: str) -> str:
    return f"sum by ({by}) " if by else "sum"
