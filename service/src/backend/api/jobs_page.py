"""The job status as a page: text from the server, no script, nothing from elsewhere.

It is opened on a bad day, on whatever screen is at hand: each state is a word and a colour, each
time is relative with the exact one behind it, and what is wrong stands first, with its runbook.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from importlib import resources
from typing import Final
from urllib.parse import quote

from backend.jobs.queue import RUN_AUTOMATION, RUN_SCHEDULED_AUTOMATION
from backend.jobs.status import JobStatus, WorkerStatus

# The limit of the alerts JobBacklog and AutomationBacklog.
LATE_AFTER_S: Final = 300
RELOAD_EVERY_S: Final = 10
# Spans of a run that retries for long, and what led to it.
_AROUND_A_FAILURE: Final = timedelta(hours=1)
_RUNBOOKS: Final = ("WorkerHeartbeatLost", "JobOverdue", "JobBacklog", "AutomationBacklog")
_STYLE: Final = resources.files("backend.api").joinpath("jobs_page.css").read_text(encoding="utf-8")
_DIGEST: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# The page's own style and nothing else; a browser that looks for an icon asks for none.
POLICY: Final = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# An outcome's word on the page, and the class of its colour. A retry is part of the usual course.
_OUTCOMES: Final = {
    "succeeded": ("succeeded", "good"),
    "retried": ("retrying", "busy"),
    "failed": ("failed", "bad"),
    "aborted": ("aborted", "warn"),
    None: ("never ran", "quiet"),
}
# One that is lost was likely replaced; that none is left stands in the banner.
_WORKERS: Final = {"alive": "good", "lost": "warn", "stopped": "quiet"}
_STEPS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_JOB_COLUMNS: Final = (
    "Job",
    "Last run",
    "Last success",
    "Next run",
    "Running",
    "Waiting",
    "Failed, 24 h",
    "Last failure",
)
_WORKER_COLUMNS: Final = ("Worker", "State", "Last heartbeat", "Started")
_NUMBERS: Final = frozenset({"Running", "Waiting", "Failed, 24 h"})
_NONE: Final = '<span class="none">none</span>'


@dataclass(frozen=True, kw_only=True)
class Links:
    """Where people read on, as addresses for their browsers without a slash at the end.

    ``grafana`` has the dashboard and the traces, ``runbooks`` a page ``<alert>.md`` for each alert.
    ``None``: there is none, and what would be a link is text.
    """

    grafana: str | None = None
    runbooks: str | None = None


def render(
    jobs: Sequence[JobStatus],
    workers: Sequence[WorkerStatus],
    links: Links | None = None,
    *,
    now: datetime | None = None,
    reload: bool = True,
) -> str:
    """Return the page. Times are relative to ``now``, by default this moment."""
    page = _Page(links or Links(), now or datetime.now(UTC))
    return page.render(jobs, workers, reload=reload)


class _Page:
    def __init__(self, links: Links, now: datetime) -> None:
        self._links = links
        self._now = now

    def render(
        self, jobs: Sequence[JobStatus], workers: Sequence[WorkerStatus], *, reload: bool
    ) -> str:
        wrong = [*self._wrong_jobs(jobs), *self._wrong_workers(workers)]
        title = f"{len(wrong)} to check: jobs" if wrong else "Jobs"
        every = f'<meta http-equiv="refresh" content="{RELOAD_EVERY_S}">\n' if reload else ""
        return (
            f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n{every}'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
            f"{self._header(reload=reload)}\n{_banner(wrong, jobs, workers)}\n"
            f"{self._jobs(jobs)}\n{self._workers(workers)}\n</main>\n</body>\n</html>\n"
        )

    def _header(self, *, reload: bool) -> str:
        stamp = f"{_exact(self._now)} UTC"
        how = (
            f'Reloads every {RELOAD_EVERY_S} s. <a href="?reload=off">Stop</a>'
            if reload
            else f'<a href="?reload=on">Reload every {RELOAD_EVERY_S} s</a>'
        )
        items: list[str] = []
        if self._links.grafana:
            items.append(_link(f"{self._links.grafana}/d/jobs", "Dashboard"))
        if self._links.runbooks:
            pages = " ".join(_link(self._runbook(name), name) for name in _RUNBOOKS)
            items.append(f"<b>Runbooks:</b> {pages}")
        listed = "".join(f"<li>{item}</li>" for item in items)
        nav = f'\n<nav aria-label="Read on"><ul>{listed}</ul></nav>' if items else ""
        moment = f'<time datetime="{_machine(self._now)}">{stamp}</time>'
        return f"<header><h1>Jobs and workers</h1><p>As of {moment}. {how}</p></header>{nav}"

    def _runbook(self, alert: str) -> str:
        return f"{self._links.runbooks}/{alert}.md"

    def _wrong_jobs(self, jobs: Sequence[JobStatus]) -> Iterable[str]:
        for index, job in enumerate(jobs):
            words = [word for word, _, _ in _states(job) if word in {"failed", "overdue", "late"}]
            if words:
                what = f"{_text(job.job)}: {', '.join(words)}"
                yield f'<a href="#job-{index}">{what}</a>'

    def _wrong_workers(self, workers: Sequence[WorkerStatus]) -> Iterable[str]:
        if not any(one.state == "alive" for one in workers):
            what = "no worker is alive: no job runs"
            runbook = self._links.runbooks and self._runbook("WorkerHeartbeatLost")
            yield _link(runbook, what) if runbook else what

    def _jobs(self, jobs: Sequence[JobStatus]) -> str:
        rows = [self._job(index, job) for index, job in enumerate(jobs)]
        return _table(
            "Jobs",
            "Point at a time for the exact one.",
            _JOB_COLUMNS,
            rows,
            "No job is known.",
        )

    def _job(self, index: int, job: JobStatus) -> str:
        schedule = _detail(f"<code>{_text(job.schedule)}</code> UTC") if job.schedule else ""
        cells = [
            self._last_run(job),
            self._past(job.last_success),
            self._next(job.next_run),
            _count(job.running),
            _count(job.pending)
            + (_detail(f"oldest {_span(job.oldest_pending_age)}") if job.pending else ""),
            _count(job.failed, bad=True),
            self._last_failure(job),
        ]
        return _row(f"job-{index}", f"{_text(job.job)}{schedule}", _JOB_COLUMNS, cells)

    def _last_run(self, job: JobStatus) -> str:
        badges = [self._badge(*state) for state in _states(job)]
        when = _detail(self._past(job.last_finished)) if job.last_finished else ""
        error = _detail(_text(job.last_error)) if job.last_error else ""
        return f"{' '.join(badges)}{when}{error}"

    def _badge(self, word: str, color: str, alert: str | None = None) -> str:
        if alert and self._links.runbooks:
            address = escape(self._runbook(alert))
            return f'<a class="state {color}" href="{address}" title="Runbook {alert}">{word}</a>'
        return f'<span class="state {color}">{word}</span>'

    def _last_failure(self, job: JobStatus) -> str:
        if job.last_failure is None:
            return _NONE
        error = _detail(_text(job.last_failure_error)) if job.last_failure_error else ""
        trace = _detail(self._trace(job.last_failure_trace, job)) if job.last_failure_trace else ""
        return f"{self._past(job.last_failure)}{error}{trace}"

    def _trace(self, trace_id: str, job: JobStatus) -> str:
        if self._links.grafana is None or job.last_failure is None:
            return f"trace <code>{escape(trace_id)}</code>"
        address = escape(_explore(self._links.grafana, trace_id, job.last_failure))
        label = escape(f"Trace of the last failed run of {job.job}")
        return (
            f'<a href="{address}" title="{escape(trace_id)}" aria-label="{label}">'
            f"trace <code>{escape(trace_id[:8])}</code></a>"
        )

    def _workers(self, workers: Sequence[WorkerStatus]) -> str:
        rows = [self._worker(index, one) for index, one in enumerate(workers)]
        return _table(
            "Workers",
            "Of the last day, the freshest first.",
            _WORKER_COLUMNS,
            rows,
            "No worker has been seen. No job runs before one starts.",
        )

    def _worker(self, index: int, worker: WorkerStatus) -> str:
        alert = "WorkerHeartbeatLost" if worker.state == "lost" else None
        beat = self._now - timedelta(seconds=worker.heartbeat_age)
        cells = [
            self._badge(worker.state, _WORKERS[worker.state], alert),
            self._past(beat),
            self._past(worker.started),
        ]
        return _row(f"worker-{index}", _text(worker.worker), _WORKER_COLUMNS, cells)

    def _past(self, moment: datetime | None) -> str:
        # The database's clock may be ahead of ours.
        return self._time(moment, "{} ago", "just now", -1)

    def _next(self, moment: datetime | None) -> str:
        return self._time(moment, "in {}", "now", 1)

    def _time(self, moment: datetime | None, pattern: str, close: str, sign: int) -> str:
        if moment is None:
            return _NONE
        seconds = sign * (moment - self._now).total_seconds()
        text = pattern.format(_span(seconds)) if seconds >= 1 else close
        exact = f'datetime="{_machine(moment)}" title="{_exact(moment)} UTC"'
        return f"<time {exact}>{text}</time>"


def _states(job: JobStatus) -> list[tuple[str, str, str | None]]:
    """Return what there is to say of a job, as words with their colours and runbooks."""
    word, color = _OUTCOMES.get(job.last_outcome, (_text(job.last_outcome or ""), "quiet"))
    found: list[tuple[str, str, str | None]] = [(word, color, None)]
    if job.overdue:
        found.append(("overdue", "bad", "JobOverdue"))
    if job.pending and job.oldest_pending_age > LATE_AFTER_S:
        automation = job.job in {RUN_AUTOMATION, RUN_SCHEDULED_AUTOMATION}
        found.append(("late", "warn", "AutomationBacklog" if automation else "JobBacklog"))
    return found


def _banner(
    wrong: Sequence[str], jobs: Sequence[JobStatus], workers: Sequence[WorkerStatus]
) -> str:
    if not wrong:
        running = sum(job.running for job in jobs)
        waiting = sum(job.pending for job in jobs)
        alive = sum(one.state == "alive" for one in workers)
        counts = f"Running: {running}. Waiting: {waiting}. Workers alive: {alive}."
        return f'<p class="banner good"><b>All healthy.</b> {counts}</p>'
    items = "".join(f"<li>{one}</li>" for one in wrong)
    return f'<div class="banner bad"><b>Needs attention</b><ul>{items}</ul></div>'


def _explore(grafana: str, trace_id: str, around: datetime) -> str:
    """Return the address that opens a trace in Grafana Explore."""
    query = {
        "refId": "A",
        "datasource": {"type": "tempo", "uid": "tempo"},
        "queryType": "traceql",
        "query": trace_id,
    }
    moments = (around - _AROUND_A_FAILURE, around + _AROUND_A_FAILURE)
    start, end = (str(int(moment.timestamp() * 1000)) for moment in moments)
    pane = {"datasource": "tempo", "queries": [query], "range": {"from": start, "to": end}}
    panes = quote(json.dumps({"a": pane}, separators=(",", ":")), safe="")
    return f"{grafana}/explore?schemaVersion=1&orgId=1&panes={panes}"


def _span(seconds: float) -> str:
    """Return a length of time in its largest unit: 90 s are 1 min."""
    for size, name in _STEPS:
        if seconds >= size:
            return f"{seconds // size:.0f} {name}"
    return "0 s"


def _exact(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _machine(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(text: str) -> str:
    # Isolated: a text that runs from right to left turns nothing around it.
    return f"<bdi>{escape(text)}</bdi>"


def _detail(content: str) -> str:
    return f'<span class="detail">{content}</span>'


def _link(address: str, text: str) -> str:
    return f'<a href="{escape(address)}">{escape(text)}</a>'


def _row(name: str, head: str, columns: Sequence[str], cells: Sequence[str]) -> str:
    # The roles stay when a narrow screen shows a row as a card.
    shown = "".join(
        f'<td role="cell" data-label="{column}"{_class(column, cell)}><div>{cell}</div></td>'
        for column, cell in zip(columns[1:], cells, strict=True)
    )
    return f'<tr role="row" id="{name}"><th role="rowheader" scope="row">{head}</th>{shown}</tr>\n'


def _class(column: str, cell: str = "") -> str:
    if cell == _NONE:
        return ' class="blank"'
    return ' class="number"' if column in _NUMBERS else ""


def _count(number: int, *, bad: bool = False) -> str:
    shown = "none" if number == 0 else "some" if bad else ""
    return f'<span class="{shown}">{number}</span>' if shown else str(number)


def _table(title: str, note: str, columns: Sequence[str], rows: Sequence[str], empty: str) -> str:
    head = "".join(
        f'<th role="columnheader" scope="col"{_class(column)}>{column}</th>' for column in columns
    )
    body = "".join(rows) or (
        f'<tr role="row"><td role="cell" colspan="{len(columns)}" class="empty">{empty}</td></tr>\n'
    )
    return (
        f'<table role="table">\n<caption>{title}<small>{note}</small></caption>\n'
        f'<thead role="rowgroup"><tr role="row">{head}</tr></thead>\n'
        f'<tbody role="rowgroup">\n{body}</tbody>\n</table>'
    )
