"""Jobs and workers: does somebody work, does work wait, and which job fails?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from glasshouse_dashboards.frame import frame
from glasshouse_dashboards.looks import HALF, Limits, lines, log_lines, number, row, rows
from glasshouse_dashboards.queries import jobs as q


def build() -> Dashboard:
    """Return the dashboard. Rows go from symptom over cause to detail."""
    return (
        frame(
            "jobs",
            "Does a worker work, does work wait, and which job fails?",
            areas=["jobs", "automation"],
            down=["postgres", "logs"],
            runbooks=["WorkerHeartbeatLost", "JobBacklog", "JobOverdue"],
            variables={"job": q.NAMES},
        )
        .with_row(row("Symptom: does work get done?"))
        .with_panel(
            number(
                "Worker heartbeat",
                "Age of the freshest heartbeat. At 30 s no worker is alive.",
                "s",
                q.HEARTBEAT,
                limits=Limits(15, 30),
            )
        )
        .with_panel(
            number(
                "Oldest waiting job",
                "How long it has been due. 300 s wakes somebody.",
                "s",
                q.OLDEST_NOW,
                limits=Limits(60, 300),
            )
        )
        .with_panel(number("Waiting jobs", "Jobs that are due now.", "short", q.BACKLOG_NOW))
        .with_panel(
            number(
                "Failed or aborted",
                "Executions in the chosen time that will not be tried again.",
                "short",
                q.FAILED,
                limits=Limits(1, 5),
            )
        )
        .with_panel(
            lines(
                "Executions by outcome",
                "Succeeded should stand out.",
                "ops",
                q.OUTCOMES,
                span=HALF,
            )
        )
        .with_panel(
            lines(
                "Oldest waiting job",
                "A rising line is a job that nobody takes.",
                "s",
                q.AGE,
                limits=Limits(60, 300),
                span=HALF,
            )
        )
        .with_row(row("Cause: too few, too slow, or failing?"))
        .with_panel(lines("Waiting jobs", "Due jobs by name.", "short", q.BACKLOG, stacked=True))
        .with_panel(
            lines(
                "Duration, 95th percentile",
                "One execution, by job.",
                "s",
                q.DURATION,
            )
        )
        .with_panel(
            lines(
                "Retries and failures",
                "Executions that did not succeed, by job.",
                "ops",
                q.RETRIES,
            )
        )
        .with_row(row("Detail: schedules, workers, executions"))
        .with_panel(
            rows(
                "Last success",
                "Time since each job last succeeded. Twice its schedule's interval is too long.",
                "s",
                q.LAST_SUCCESS,
                {"job_name": "Job", "Value": "Ago"},
                span=6,
            )
        )
        .with_panel(
            rows(
                "Schedules",
                "How often each scheduled job should run.",
                "s",
                q.SCHEDULED,
                {"job_name": "Job", "Value": "Every"},
                span=6,
            )
        )
        .with_panel(lines("Executions by job", "What the workers do.", "ops", q.BY_JOB, span=6))
        .with_panel(
            lines(
                "Heartbeats by process",
                "Who reports the age. A new line is a process that started.",
                "s",
                q.HEARTBEATS,
                limits=Limits(15, 30),
                span=6,
            )
        )
        .with_panel(
            log_lines(
                "Finished executions",
                "One line each, with outcome, duration and attempt.",
                q.FINISHED,
            )
        )
    )
