"""What all panels share, so that a dashboard's module says only what it shows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from grafana_foundation_sdk.builders import bargauge, loki, prometheus, tempo, timeseries
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.builders import logs as logs_builders
from grafana_foundation_sdk.builders import stat as stat_builders
from grafana_foundation_sdk.builders import table as table_builders
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.common import DataSourceRef as AnyDataSourceRef
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.tempo import MetricsQueryType, SearchTableType

from glasshouse_dashboards.queries import history

PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
LOKI: Final = DataSourceRef(type_val="loki", uid="loki")
TEMPO: Final = DataSourceRef(type_val="tempo", uid="tempo")

# Widths in columns of Grafana's 24, heights in its rows.
FULL: Final = 24
HALF: Final = 12
THIRD: Final = 8
QUARTER: Final = 6
_GRAPH_HEIGHT: Final = 8
_STAT_HEIGHT: Final = 4
_TRACES: Final = 20

GOOD: Final = "green"
WARNING: Final = "orange"
BAD: Final = "red"
NEUTRAL: Final = "blue"
# The colour of a state, wherever a line or an area stands for it: by the name in the legend. What
# stands on one graph has different ones.
STATES: Final = {
    BAD: "failed|errors?|server errors|ERROR|error|5[0-9]{2}",
    WARNING: "retried|waited|too slow|refused|set aside|WARN|warn|4[0-9]{2}",
    GOOD: "confirmed|completed|delivered|succeeded|2[0-9]{2}",
    NEUTRAL: "submitted|requested|queued|INFO|info|3[0-9]{2}",
    "light-blue": "created|DEBUG|debug",
    "purple": "aborted|FATAL|fatal",
}
# Without it Grafana writes 100.0% for 99.95%, which is not the same promise.
_SHARE_DECIMALS: Final = 2
# Whole numbers with their last digit: as "short" Grafana writes 1 K for 1164.
_COUNTED: Final = {"short": "locale"}
# Legends whose lines are states: these labels, or one of the names above.
_STATEFUL: Final = re.compile(
    r"\{\{(state|status|outcome|severity_text|\w*status_code)\}\}|"
    + "|".join(rf"(?:{names})$" for names in STATES.values())
)


class Thresholds(NamedTuple):
    """Where a value turns from good to worth a look and to bad, in the panel's unit.

    With `falling` small values are the bad ones.
    """

    warning: float
    bad: float
    falling: bool = False

    def steps(self) -> list[Threshold]:
        if self.falling:
            return [
                Threshold(value=None, color=BAD),
                Threshold(value=self.bad, color=WARNING),
                Threshold(value=self.warning, color=GOOD),
            ]
        return [
            Threshold(value=None, color=GOOD),
            Threshold(value=self.warning, color=WARNING),
            Threshold(value=self.bad, color=BAD),
        ]


def _thresholds(thresholds: Thresholds | None) -> dashboards.ThresholdsConfig:
    steps = thresholds.steps() if thresholds else [Threshold(value=None, color=GOOD)]
    return dashboards.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps)


def time_series(
    title: str,
    description: str,
    unit: str,
    queries: Mapping[str, str],
    *,
    thresholds: Thresholds | None = None,
    stacked: bool = False,
    span: int = THIRD,
) -> timeseries.Panel:
    """Return a graph. ``queries`` maps a legend (with label templates) to PromQL.

    Its points carry exemplars, so that a slow request opens as a trace.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .min(0)
        .height(_GRAPH_HEIGHT)
        .span(span)
        .datasource(PROMETHEUS)
        .max_data_points(history.POINTS)
        .line_width(2)
        .fill_opacity(30 if stacked else 10)
        .show_points(common.VisibilityMode.NEVER)
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
        .legend(
            common_builders.VizLegendOptions()
            .show_legend(True)
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
        )
        .thresholds(_thresholds(thresholds))
    )
    if thresholds:
        style = common_builders.GraphThresholdsStyleConfig()
        panel = panel.thresholds_style(style.mode(common.GraphThresholdsStyleMode.DASHED))
    if stacked:
        normal = common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A")
        panel = panel.stacking(normal)
    for reference, (legend, query) in zip("ABCDEF", queries.items(), strict=False):
        panel = panel.with_target(
            prometheus.Dataquery()
            .ref_id(reference)
            .expr(query)
            .legend_format(legend)
            .range()
            .exemplar("_bucket" in query)
        )
    if unit == "percentunit":
        # While all is 0 Grafana's axis would end at 10000%.
        end = 1 if thresholds is None or thresholds.falling else thresholds.bad
        panel = panel.decimals(_SHARE_DECIMALS).axis_soft_max(end)
    return _with_state_colors(panel, queries)


def _with_state_colors(panel: timeseries.Panel, legends: Iterable[str]) -> timeseries.Panel:
    found = [legend for legend in legends if _STATEFUL.match(legend)]
    # 200 and 202 are two lines of one class.
    mode = "shades" if any("status_code" in legend for legend in found) else "fixed"
    for color, names in STATES.items() if found else ():
        value = DynamicConfigValue(id_val="color", value={"mode": mode, "fixedColor": color})
        panel = panel.override_by_regexp(f"/^({names})$/", [value])
    return panel


def stat(
    title: str,
    description: str,
    unit: str,
    query: str,
    *,
    thresholds: Thresholds | None = None,
    legend: str = "",
    decimals: int | None = None,
    span: int = QUARTER,
) -> stat_builders.Panel:
    """Return one big number, or one a series when ``legend`` names them.

    Counts are whole numbers, though increase() makes fractions of them.
    """
    if decimals is None:
        decimals = {"short": 0, "percentunit": _SHARE_DECIMALS}.get(unit)
    unit = _COUNTED.get(unit, unit)
    panel = (
        stat_builders.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .height(_STAT_HEIGHT)
        .span(span)
        .datasource(PROMETHEUS)
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(
            common.BigValueColorMode.BACKGROUND if thresholds else common.BigValueColorMode.NONE
        )
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(thresholds))
        .with_target(prometheus.Dataquery().ref_id("A").expr(query).legend_format(legend).instant())
    )
    return panel if decimals is None else panel.decimals(decimals)


def bar_gauge(
    title: str,
    description: str,
    unit: str,
    query: str,
    *,
    legend: str,
    thresholds: Thresholds | None = None,
    max_value: float | None = None,
    span: int = THIRD,
) -> bargauge.Panel:
    """Return one horizontal bar a series; ``max_value`` is the value of a full one."""
    panel = (
        bargauge.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .min(0)
        .height(_GRAPH_HEIGHT)
        .span(span)
        .datasource(PROMETHEUS)
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .thresholds(_thresholds(thresholds))
        .with_target(prometheus.Dataquery().ref_id("A").expr(query).legend_format(legend).instant())
    )
    if unit == "percentunit":
        panel = panel.decimals(_SHARE_DECIMALS)
    return panel if max_value is None else panel.max(max_value)


def table(
    title: str,
    description: str,
    unit: str,
    query: str,
    columns: Mapping[str, str],
    *,
    span: int = HALF,
) -> table_builders.Panel:
    """Return a table. ``columns`` maps a label to its heading, in order; "Value" is the value."""
    decimals = 0 if unit == "short" else 1
    unit = _COUNTED.get(unit, unit)
    return (
        table_builders.Panel()
        .title(title)
        .decimals(decimals)
        .description(description)
        .unit(unit)
        .height(_GRAPH_HEIGHT)
        .span(span)
        .datasource(PROMETHEUS)
        .with_target(
            prometheus.Dataquery().ref_id("A").expr(query).instant().format(PromQueryFormat.TABLE)
        )
        .transformations(_columns(columns))
        .override_by_name(
            columns.get("Value", "Value"), [DynamicConfigValue(id_val="unit", value=unit)]
        )
    )


def _columns(headings: Mapping[str, str]) -> list[DataTransformerConfig]:
    """Show these fields alone, in this order, under their headings."""
    return [
        DataTransformerConfig(
            id_val="filterFieldsByName", options={"include": {"names": list(headings)}}
        ),
        DataTransformerConfig(
            id_val="organize",
            options={
                "excludeByName": {},
                "indexByName": {name: index for index, name in enumerate(headings)},
                "renameByName": dict(headings),
            },
        ),
    ]


class Column(NamedTuple):
    """A column of numbers: its heading, what it asks, its unit, where its values turn bad."""

    heading: str
    query: str
    unit: str
    thresholds: Thresholds | None = None


def merged_table(
    title: str,
    description: str,
    labels: Mapping[str, str],
    columns: Sequence[Column],
    *,
    links: Mapping[str, str] = MappingProxyType({}),
    span: int = FULL,
) -> table_builders.Panel:
    """Return a table with a row for each set of labels, and several numbers in it.

    ``labels`` maps a label to its heading, in order; ``links`` a heading to where its cells lead.
    The queries of all ``columns`` must have the same labels.
    """
    values = {
        f"Value #{reference}": column for reference, column in zip("ABCDEF", columns, strict=False)
    }
    headings = {**labels, **{name: column.heading for name, column in values.items()}}
    panel = (
        table_builders.Panel()
        .title(title)
        .description(description)
        .unit("short")
        .height(_GRAPH_HEIGHT)
        .span(span)
        .datasource(PROMETHEUS)
        .transformations([DataTransformerConfig(id_val="merge", options={}), *_columns(headings)])
    )
    for name, column in values.items():
        panel = panel.with_target(
            prometheus.Dataquery()
            .ref_id(name[-1])
            .expr(column.query)
            .instant()
            .format(PromQueryFormat.TABLE)
        )
        properties = [DynamicConfigValue(id_val="unit", value=column.unit)]
        if column.thresholds:
            steps = [
                {"value": step.value, "color": step.color} for step in column.thresholds.steps()
            ]
            properties += [
                DynamicConfigValue(id_val="thresholds", value={"mode": "absolute", "steps": steps}),
                DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-text"}),
            ]
        panel = panel.override_by_name(column.heading, properties)
    for heading, url in links.items():
        panel = panel.override_by_name(heading, [_link_property(heading, url)])
    return panel


def _link_property(title: str, url: str) -> DynamicConfigValue:
    return DynamicConfigValue(id_val="links", value=[{"title": title, "url": url}])


def linked(panel: timeseries.Panel | bargauge.Panel, title: str, url: str):
    """Let a click on a series of ``panel`` lead to ``url``."""
    return panel.data_links([dashboards.DashboardLink(title).type(DashboardLinkType.LINK).url(url)])


def span_rate(
    title: str, description: str, unit: str, query: str, *, span: int = HALF
) -> timeseries.Panel:
    """Return a graph of a number that TraceQL computes from spans, by at most one attribute.

    By one attribute its values are the names of the lines; by more Grafana would list them all.
    """
    panel = time_series(title, description, unit, {}, span=span)
    return panel.datasource(TEMPO).with_target(
        tempo.Dataquery()
        .ref_id("A")
        .query_type("traceql")
        .query(query)
        .metrics_query_type(MetricsQueryType.RANGE)
    )


def traces(title: str, description: str, query: str, *, span: int = HALF) -> table_builders.Panel:
    """Return the traces that TraceQL selects. A click opens one."""
    return (
        table_builders.Panel()
        .title(title)
        .description(description)
        .unit("short")
        .height(_GRAPH_HEIGHT)
        .span(span)
        .datasource(TEMPO)
        .with_target(
            tempo.Dataquery()
            .ref_id("A")
            .query_type("traceql")
            .query(query)
            .table_type(SearchTableType.TRACES)
            .limit(_TRACES)
        )
    )


def logs(title: str, description: str, query: str, *, span: int = FULL) -> logs_builders.Panel:
    """Return log lines that LogQL selects. An opened line links to its trace."""
    return (
        logs_builders.Panel()
        .title(title)
        .description(description)
        .height(_GRAPH_HEIGHT + 2)
        .span(span)
        .datasource(LOKI)
        .show_time(True)
        .wrap_log_message(True)
        .enable_log_details(True)
        .sort_order(common.LogsSortOrder.DESCENDING)
        .with_target(loki.Dataquery().ref_id("A").expr(query).query_type("range").max_lines(200))
    )


def log_rate(
    title: str, description: str, unit: str, queries: Mapping[str, str]
) -> timeseries.Panel:
    """Return a graph of numbers that LogQL computes from logs, by legends as in `time_series`."""
    panel = time_series(title, description, unit, {}, stacked=True, span=HALF).datasource(LOKI)
    for reference, (legend, query) in zip("ABCDEF", queries.items(), strict=False):
        panel = panel.with_target(
            loki.Dataquery().ref_id(reference).expr(query).legend_format(legend).query_type("range")
        )
    return _with_state_colors(panel, queries)


def row(title: str) -> dashboards.Row:
    """Return the heading of the panels after it."""
    return dashboards.Row(title)


def link(title: str, url: str, tooltip: str) -> dashboards.DashboardLink:
    """Return a link at the dashboard's top that keeps the chosen time."""
    return (
        dashboards.DashboardLink(title)
        .type(DashboardLinkType.LINK)
        .url(url)
        .tooltip(tooltip)
        .keep_time(url.startswith("/d/"))
        .target_blank(not url.startswith("/d/"))
    )


def annotation(name: str, color: str, query: str, title: str, tags: Sequence[str] = ()):
    """Return marks on all graphs, while ``query`` has a series."""
    return (
        dashboards.AnnotationQuery()
        .name(name)
        .datasource(AnyDataSourceRef(type_val="prometheus", uid="prometheus"))
        .enable(True)
        .icon_color(color)
        .expr(query)
        .step("15s")
        .title_format(title)
        .tag_keys(",".join(tags))
    )
