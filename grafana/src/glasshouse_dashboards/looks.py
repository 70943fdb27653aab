"""What all panels share, so that a dashboard's module says only what it shows."""

from collections.abc import Mapping

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import logs, loki, prometheus, stat, timeseries
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.dashboard import DataSourceRef

PROMETHEUS = DataSourceRef(type_val="prometheus", uid="prometheus")
LOKI = DataSourceRef(type_val="loki", uid="loki")
_HEIGHT = 8
_THIRD = 8
_FULL = 24


def lines(title: str, description: str, unit: str, queries: Mapping[str, str]) -> timeseries.Panel:
    """Return a graph. ``queries`` maps a legend (with label templates) to PromQL."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .min(0)
        .height(_HEIGHT)
        .span(_THIRD)
        .datasource(PROMETHEUS)
        .show_points(common.VisibilityMode.NEVER)
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    )
    for legend, query in queries.items():
        panel = panel.with_target(
            prometheus.Dataquery().expr(query).legend_format(legend).exemplar(True)
        )
    return panel


def number(title: str, description: str, unit: str, query: str) -> stat.Panel:
    """Return one big number."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .height(_HEIGHT // 2)
        .span(_THIRD)
        .datasource(PROMETHEUS)
        .with_target(prometheus.Dataquery().expr(query).instant())
    )


def log_lines(title: str, description: str, query: str) -> logs.Panel:
    """Return log lines that LogQL selects."""
    return (
        logs.Panel()
        .title(title)
        .description(description)
        .height(_HEIGHT)
        .span(_FULL)
        .datasource(LOKI)
        .show_time(True)
        .with_target(loki.Dataquery().expr(query))
    )
