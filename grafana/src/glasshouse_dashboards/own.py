"""The first dashboard of a user's own domain: `glasshouse init` writes it, and it is theirs."""

from grafana_foundation_sdk.builders import dashboard as dashboards
from grafana_foundation_sdk.cog.encoder import JSONEncoder

from glasshouse_dashboards.__main__ import finalize
from glasshouse_dashboards.layout import PROMETHEUS_URL
from glasshouse_dashboards.panels import (
    HALF,
    Thresholds,
    annotation,
    link,
    logs,
    row,
    stat,
    time_series,
)
from glasshouse_dashboards.queries.shared import RANGE, RATE

_ENDED = 'state=~"completed|failed"'


def render(
    *, domain: str, service: str, title: str, counter: str, slo: str, runbooks: list[str]
) -> str:
    """Return the JSON of the dashboard whose uid is the domain.

    title: as people read it, in the plural. counter: the metric by state and channel, as Prometheus
    calls it. service: who sends the events. slo: the objective. runbooks: alerts whose pages help.
    """
    # Of samples alone: no rule records these.
    duration = {
        f"{share}th percentile": f"histogram_quantile(0.{share}, "
        f"sum by (le) (rate({domain}_duration_seconds_bucket{RATE})))"
        for share in (50, 95)
    }
    made = (
        dashboards.Dashboard(title)
        .uid(domain)
        .description(f"Do {title.lower()} complete, how fast, and why do they not?")
        .tags(["own"])
        .refresh("10s")
        .time("now-1h", "now")
        .timezone("browser")
        .annotation(
            annotation(
                "Alerts",
                "red",
                f'ALERTS{{alertstate="firing",area="{domain}"}}',
                "{{alertname}}",
                ["severity", "slo", "channel"],
            )
        )
        .with_variable(
            dashboards.ConstantVariable("prometheus")
            .label("Prometheus in your browser")
            .value(PROMETHEUS_URL)
        )
        .link(link("SLOs", "/d/slos", "The next dashboard"))
        .link(link("Logs and errors", "/d/logs", "The next dashboard"))
    )
    for alert in runbooks:
        url = f"${{prometheus}}/user/{alert}.md"
        made = made.link(link(f"Runbook: {alert}", url, "What to do"))
    made = made.with_row(row("Symptom: do they complete?"))
    for state in ("requested", "completed", "failed"):
        made = made.with_panel(
            stat(
                state.capitalize(),
                f"{title} that were {state} in the chosen time."
                if state != "failed"
                else f"{title} that failed in the chosen time.",
                "short",
                f'sum(increase({counter}{{state="{state}"}}{RANGE}))',
                thresholds=Thresholds(1, 3) if state == "failed" else None,
            )
        )
    made = (
        made.with_panel(
            stat(
                "Completed of ended",
                "99 % is promised.",
                "percentunit",
                f'sum(increase({counter}{{state="completed"}}{RANGE})) / '
                f"(sum(increase({counter}{{{_ENDED}}}{RANGE})) > 0)",
                thresholds=Thresholds(0.995, 0.99, falling=True),
            )
        )
        .with_panel(
            time_series(
                "By state",
                f"{title} a second, by the state that they reached.",
                "ops",
                {"{{state}}": f"sum by (state) (rate({counter}{RATE}))"},
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Budget left",
                "What is left of the error budget of 30 days; below 0 the promise is broken.",
                "percentunit",
                {"{{slo}}": f'slo:budget_remaining:ratio{{slo="{slo}"}}'},
                span=HALF,
            ).min(-1)
        )
        .with_row(row("Cause: which, and how fast?"))
        .with_panel(
            time_series(
                "Failed by channel",
                "A second, by the way by which they came.",
                "ops",
                {"{{channel}}": f'sum by (channel) (rate({counter}{{state="failed"}}{RATE}))'},
                span=HALF,
            )
        )
        .with_panel(time_series("Duration", f"Of ended {title.lower()}.", "s", duration, span=HALF))
        .with_row(row("Detail: what do they say?"))
        .with_panel(
            logs(
                "Events",
                "Each leads to the trace of its request.",
                f'{{service_name="{service}"}} | event=~"{domain}[.].+"',
            )
        )
    )
    return JSONEncoder(sort_keys=True, indent=2).encode(finalize(made.build())) + "\n"
