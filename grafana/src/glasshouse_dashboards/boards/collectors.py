"""Collectors: each host's, and each gateway. Does one of them stay behind?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.layout import base_dashboard, variable
from glasshouse_dashboards.panels import (
    FULL,
    HALF,
    QUARTER,
    Column,
    Thresholds,
    merged_table,
    row,
    stat,
    time_series,
)
from glasshouse_dashboards.queries import collectors as q


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        base_dashboard(
            "collectors",
            "Which host or gateway is silent, behind, or cannot deliver?",
            areas=["pipeline", "edge"],
            down=["pipeline", "logs"],
            runbooks=[
                "EdgeSilent",
                "GatewayDown",
                "ClientsRefused",
                "KafkaLag",
                "CollectorDown",
                "CollectorQueueFilling",
                "ExporterFailing",
                "DataRefused",
                "TelemetryLost",
                "DeadLettersFilling",
                "EventCountingStalled",
            ],
            counts=False,
        )
        .with_variable(variable("instance", q.INSTANCES))
        .with_row(row("Symptom: is one of them silent?"))
        .with_panel(
            stat(
                "Silent edges",
                "That reported in the last day, and have not for two minutes.",
                "short",
                q.SILENT,
                thresholds=Thresholds(1, 1),
            )
        )
        .with_panel(
            stat(
                "Gateways that do not answer",
                "Prometheus asks each gateway for its metrics.",
                "short",
                q.GATEWAYS_DOWN,
                thresholds=Thresholds(1, 1),
            )
        )
        .with_panel(
            stat(
                "Waiting in Kafka",
                "Records that no gateway has read. 0 where there is no Kafka.",
                "short",
                q.WAITING,
            )
        )
        .with_panel(
            stat(
                "Clients turned down",
                "Requests to gateways by clients without a tenant, in the chosen time.",
                "short",
                q.CLIENTS_REFUSED,
                thresholds=Thresholds(1, 1),
            )
        )
        .with_panel(
            merged_table(
                "Each Collector",
                "Rates are averages of the chosen time. What an edge sent, a gateway received.",
                {"instance": "Collector", "job": "Kind", "glasshouse_tenant": "Tenant"},
                [
                    Column("Received", q.RECEIVED_NOW, "cps"),
                    Column("Sent on", q.SENT_NOW, "cps"),
                    Column("Fullest queue", q.QUEUE_NOW, "percentunit", Thresholds(0.3, 0.5)),
                    Column("Memory", q.MEMORY_NOW, "bytes"),
                    Column("Age of its report", q.AGE_NOW, "s", Thresholds(30, 60)),
                ],
            )
        )
        .with_panel(
            time_series(
                "Age of the newest report",
                "What is over a minute is history. An edge pushes, a gateway is scraped.",
                "s",
                q.FRESHNESS,
                thresholds=Thresholds(30, 60),
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Queues",
                "How full each queue on disk is.",
                "percentunit",
                q.QUEUES,
                thresholds=Thresholds(0.3, 0.5),
                span=HALF,
            )
        )
        .with_row(row("Cause: where does it stick?"))
        .with_panel(
            time_series("Received", "By Collector and signal.", "cps", q.RECEIVED, span=HALF)
        )
        .with_panel(
            time_series(
                "Sent on",
                "By Collector and signal. Follows what it received.",
                "cps",
                q.SENT,
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Refused",
                "Items in 5 minutes that a receiver did not take. Senders try again.",
                "short",
                q.REFUSED,
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Requests that failed",
                "Share of what each sends to a backend or a gateway.",
                "percentunit",
                q.FAILING,
                thresholds=Thresholds(0.1, 0.5),
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Given up",
                "Items in 10 minutes that were not taken, or did not fit.",
                "short",
                q.LOST,
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Waiting in Kafka, by topic",
                "A topic's name ends with its tenant.",
                "short",
                q.LAG,
                span=QUARTER,
            )
        )
        .with_row(row("Detail: what does each one need?"))
        .with_panel(time_series("Memory", "Resident.", "bytes", q.MEMORY, span=QUARTER))
        .with_panel(time_series("CPU", "In cores.", "short", q.CPU, span=QUARTER))
        .with_panel(
            time_series(
                "Dead letters",
                "How full they are, on each one's disk.",
                "percentunit",
                q.LETTERS,
                thresholds=Thresholds(0.5, 0.8),
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Event counts behind",
                "How long the oldest change has waited to be shown.",
                "s",
                q.BEHIND,
                thresholds=Thresholds(5, 30),
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Series of services",
                "That it has let through in three hours. Each Collector has a bound of its own.",
                "short",
                q.SERIES,
                span=FULL,
            )
        )
    )
