"""Telemetry pipeline: does what services send arrive, redacted, and in time?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.layout import base_dashboard
from glasshouse_dashboards.panels import HALF, QUARTER, Thresholds, row, stat, table, time_series
from glasshouse_dashboards.queries import pipeline as q
from glasshouse_dashboards.queries.shared import QUEUES


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        base_dashboard(
            "pipeline",
            "Does what services send arrive, redacted and in time? Can other panels be trusted?",
            areas=["pipeline", "edge"],
            down=["collectors", "logs"],
            runbooks=[
                "CollectorDown",
                "CollectorQueueFilling",
                "ExporterFailing",
                "DataRefused",
                "TelemetryLost",
                "ServiceLosesTelemetry",
                "RecordsRefused",
                "RecordsSetAside",
                "DeadLettersFilling",
                "QueueFileDamaged",
                "ServiceThrottled",
                "SeriesOverBound",
                "PrometheusSeriesHigh",
                "EventsNotBelieved",
                "BackendDiscarding",
                "RepairsSurge",
                "EventCountingStalled",
                "EventValuesOutOfRange",
                "RedactionDropping",
                "RedactionRuleSurge",
                "TargetDown",
            ],
        )
        .with_row(row("Symptom: is anything lost?"))
        .with_panel(
            stat(
                "Parts that do not answer",
                "Prometheus asks each part of the stack for its metrics.",
                "short",
                q.UP,
                thresholds=Thresholds(1, 1),
            )
        )
        .with_panel(
            stat(
                "Fullest queue",
                "Of the Collector's queues on disk. When full it slows its senders down.",
                "percentunit",
                q.QUEUE_NOW,
                thresholds=Thresholds(0.3, 0.5),
            )
        )
        .with_panel(
            stat(
                "Given up",
                "Items that a backend left out, or that did not fit, in the chosen time.",
                "short",
                q.LOST,
                thresholds=Thresholds(1, 1),
            )
        )
        .with_panel(
            stat(
                "Not checked",
                "Records that redaction could not check and did not pass on, in the chosen time.",
                "short",
                q.UNSCANNED,
                thresholds=Thresholds(1, 1),
            )
        )
        .with_panel(
            stat(
                "Dropped",
                "Records that no backend could have taken, or over a bound, in the chosen time.",
                "short",
                q.DROPPED,
                thresholds=Thresholds(1, 1),
            )
        )
        .with_panel(
            stat(
                "Set aside",
                "Records that went to the dead letters in the chosen time. They can be replayed.",
                "short",
                q.SET_ASIDE,
                thresholds=Thresholds(1, 1),
            )
        )
        .with_panel(
            stat(
                "Dead letters",
                "How full they are. When they are full, what would go there is lost.",
                "percentunit",
                q.LETTERS,
                thresholds=Thresholds(0.5, 0.8),
            )
        )
        .with_panel(
            stat(
                "Dropped by backends",
                "What Loki, Tempo and Prometheus dropped by themselves, in the chosen time.",
                "short",
                q.DISCARDED,
                thresholds=Thresholds(1, 1),
            )
        )
        .with_panel(
            time_series(
                "Freshness",
                "Age of the newest sample. Everything older than a minute is history.",
                "s",
                q.FRESHNESS,
                thresholds=Thresholds(30, 60),
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Queues",
                "How full the Collector's queues on disk are, by backend.",
                "percentunit",
                QUEUES,
                thresholds=Thresholds(0.3, 0.5),
                span=HALF,
            )
        )
        .with_row(row("Cause: where does it stick?"))
        .with_panel(
            time_series(
                "Received", "What the Collector took, by signal.", "cps", q.ACCEPTED, span=QUARTER
            )
        )
        .with_panel(
            time_series(
                "Sent on",
                "What backends took. Follows what is received.",
                "cps",
                q.SENT,
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Refused",
                "What the Collector did not take, for want of memory. Senders try again.",
                "cps",
                q.REFUSED,
                thresholds=Thresholds(0.1, 1),
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Backends, 95th percentile",
                "How long backends take to accept a batch.",
                "s",
                q.EXPORTS,
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Dropped: why",
                "Records in 10 minutes, by reason and service. Others of their request are stored.",
                "short",
                q.DROPPED_WHY,
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Set aside: why",
                "Records in 10 minutes that went to the dead letters, by signal and reason.",
                "short",
                q.SET_ASIDE_WHY,
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Over their bound",
                "Records of services that send more than they may: they wait, or are shed.",
                "cps",
                q.THROTTLED,
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Halved batches",
                "A backend refuses a record: its batch is halved until that one is alone.",
                "ops",
                q.HALVED,
                span=QUARTER,
            )
        )
        .with_panel(
            time_series(
                "Waiting in services",
                "Spans, logs and points that services keep because they cannot be delivered yet.",
                "short",
                q.WAITING,
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Given up by services: why",
                "Items in 10 minutes that never reached the Collector, by service and reason.",
                "short",
                q.GIVEN_UP_WHY,
                span=HALF,
            )
        )
        .with_row(row("Detail: repairs, counts, redaction and cost"))
        .with_panel(
            time_series(
                "Repaired by reason",
                "Repairs in 10 minutes. A backend would have refused these records as they came.",
                "short",
                q.REPAIRED_WHY,
                span=HALF,
            )
        )
        .with_panel(
            table(
                "Not as sent: where",
                "Records in the chosen time that were repaired, set aside or dropped.",
                "short",
                q.NOT_AS_SENT,
                {
                    "service": "Service",
                    "signal": "Signal",
                    "reason": "Reason",
                    "outcome": "Outcome",
                    "Value": "Records",
                },
            )
        )
        .with_panel(
            time_series(
                "Dropped by backends",
                "Records in 10 minutes that backends dropped by themselves, by their own reasons.",
                "short",
                q.DISCARDED_WHY,
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Event counts behind",
                "How long the oldest change has waited to be shown. Usually a fifth of a second.",
                "s",
                q.BEHIND,
                thresholds=Thresholds(5, 30),
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Series by service",
                "Those with the most. Who is at its bound gets no new ones.",
                "short",
                q.SERIES_BY_SERVICE,
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Events not believed",
                "Of services that are not named: stored, and not counted.",
                "cps",
                q.NOT_BELIEVED,
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Redacted by rule",
                "A rule that suddenly hits is a new leak at its source. Nothing of it is stored.",
                "ops",
                q.REDACTED,
                span=HALF,
            )
        )
        .with_panel(
            table(
                "Redacted: where",
                "Hits in the chosen time, by rule, signal and surface.",
                "short",
                q.REDACTED_WHERE,
                {"rule": "Rule", "signal": "Signal", "surface": "Surface", "Value": "Hits"},
            )
        )
        .with_panel(time_series("Memory", "Of each part.", "bytes", q.MEMORY, span=QUARTER))
        .with_panel(time_series("CPU", "Of each part, in cores.", "short", q.CPU, span=QUARTER))
        .with_panel(
            time_series("Stored", "Bytes that Loki and Tempo take.", "Bps", q.STORED, span=QUARTER)
        )
        .with_panel(
            time_series(
                "Series",
                "Prometheus's active series. A steady rise is a label out of bounds.",
                "short",
                q.SERIES,
                span=QUARTER,
            )
        )
    )
