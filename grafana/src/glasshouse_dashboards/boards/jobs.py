"""Jobs and workers: does somebody work, does work wait, and which job fails?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.layout import base_dashboard
from glasshouse_dashboards.panels import HALF, Thresholds, logs, row, stat, table, time_series
from glasshouse_dashboards.queries import jobs as q


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        base_dashboard(
            "jobs",
            "Does a worker work, does work wait, and which job fails?",
            areas=["jobs", "automation"],
            down=["postgres", "logs"],
            runbooks=["WorkerHeartbeatLost", "JobBacklog", "JobOverdue", "EventsNotSent"],
            variables={"job": q.NAMES},
        )
        .with_row(row("Symptom: does work get done?"))
        .with_panel(
            stat(
                "Worker heartbeat",
                "Age of the freshest heartbeat. At 30 s no worker is alive.",
                "s",
                q.HEARTBEAT,
                thresholds=Thresholds(15, 30),
            )
        )
        .with_panel(
            stat(
                "Oldest waiting job",
                "How long it has been due. 300 s pages somebody.",
                "s",
                q.OLDEST_NOW,
                thresholds=Thresholds(60, 300),
            )
        )
        .with_panel(stat("Waiting jobs", "Jobs that are due now.", "short", q.BACKLOG_NOW))
        .with_panel(
            stat(
                "Failed or aborted",
                "Executions in the chosen time that will not be tried again.",
                "short",
                q.FAILED,
                thresholds=Thresholds(1, 5),
            )
        )
        .with_panel(
            time_series(
                "Executions by outcome",
                "Succeeded should stand out.",
                "ops",
                q.OUTCOMES,
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Oldest waiting job",
                "A rising line is a job that nobody takes.",
                "s",
                q.AGE,
                thresholds=Thresholds(60, 300),
                span=HALF,
            )
        )
        .with_row(row("Cause: too few, too slow, or failing?"))
        .with_panel(
            time_series("Waiting jobs", "Due jobs by name.", "short", q.BACKLOG, stacked=True)
        )
        .with_panel(
            time_series(
                "Duration, 95th percentile",
                "One execution, by job.",
                "s",
                q.DURATION,
            )
        )
        .with_panel(
            time_series(
                "Retries and failures",
                "Executions that did not succeed, by job.",
                "ops",
                q.RETRIES,
            )
        )
        .with_row(row("Detail: schedules, workers, executions"))
        .with_panel(
            table(
                "Last success",
                "Time since each job last succeeded. Twice its schedule's interval is too long.",
                "s",
                q.LAST_SUCCESS,
                {"job_name": "Job", "Value": "Ago"},
                span=6,
            )
        )
        .with_panel(
            table(
                "Schedules",
                "How often each scheduled job should run.",
                "s",
                q.SCHEDULED,
                {"job_name": "Job", "Value": "Every"},
                span=6,
            )
        )
        .with_panel(
            time_series("Executions by job", "What the workers do.", "ops", q.BY_JOB, span=6)
        )
        .with_panel(
            time_series(
                "Heartbeats by process",
                "Who reports the age. A new line is a process that started.",
                "s",
                q.HEARTBEATS,
                thresholds=Thresholds(15, 30),
                span=6,
            )
        )
        .with_panel(
            time_series(
                "Events not sent yet",
                "In the database. Those set aside were refused by the Collector.",
                "short",
                q.EVENTS_WAITING,
                span=HALF,
            )
        )
        .with_panel(
            time_series(
                "Oldest event not sent yet",
                "Under a second is usual. 120 s raises a ticket.",
                "s",
                q.EVENTS_AGE,
                thresholds=Thresholds(10, 120),
                span=HALF,
            )
        )
        .with_panel(
            logs(
                "Finished executions",
                "One line each, with outcome, duration and attempt.",
                q.FINISHED,
            )
        )
    )
