"""What surrounds the domain, in the running stack: health, internal endpoints, error reports."""

import json
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from support import backends
from support.stack import Stack
from support.waiting import PATIENCE_S, until
from support.words import fresh

CHECK_TIMEOUT_S = 2.0  # backend.operations.health
ALL_HEALTHY = {"postgres": "ok", "redis": "ok", "smtp": "ok", "worker": "ok"}
JOBS = {
    "confirm_payment",
    "deliver_notification",
    "run_automation",
    "run_scheduled_automation",
    "sweep_payments",
}
INTERNAL = pytest.mark.parametrize("path", ["/readyz", "/metrics", "/jobs/status"])


def health(http: httpx.Client, stack: Stack) -> tuple[int, dict[str, str]]:
    answer = http.get(f"{stack.api}/healthz")
    return answer.status_code, answer.json()["checks"]


def wait_for_health(
    http: httpx.Client,
    stack: Stack,
    status: int,
    checks: dict[str, str],
    deadline_s: float = PATIENCE_S,
) -> None:
    def probe() -> tuple[bool | None, object]:
        state = health(http, stack)
        return state == (status, checks) or None, state

    until(probe, what=f"/healthz answers {status} {checks}", deadline_s=deadline_s)


@INTERNAL
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer wrong-token-0123456789"}], ids=["none", "wrong"]
)
def test_internal_endpoints_refuse_without_the_right_token(
    http: httpx.Client, stack: Stack, path: str, headers: dict[str, str]
) -> None:
    answer = http.get(stack.api + path, headers=headers)
    assert answer.status_code == httpx.codes.UNAUTHORIZED
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="internal"')
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["requestId"] == answer.headers["X-Request-ID"]


def test_ready_with_every_migration_and_dependency(http: httpx.Client, stack: Stack) -> None:
    wait_for_health(http, stack, 200, ALL_HEALTHY)

    def ready() -> tuple[dict[str, Any] | None, object]:
        # A check may take too long on a busy machine, once.
        answer = http.get(f"{stack.api}/readyz", headers=stack.internal)
        return (answer.json() if answer.is_success else None), answer.text

    body = until(ready, what="/readyz answers 200")
    assert (body["status"], body["migrationsMissing"]) == ("ok", [])
    statuses = {name: check["status"] for name, check in body["checks"].items()}
    assert statuses == {"postgres": "ok", "redis": "ok", "smtp": "ok"}
    assert 0 < body["checks"]["redis"]["durationSeconds"] < CHECK_TIMEOUT_S
    # Of the image, which is built from this workspace.
    assert body["version"] == version("glasshouse-backend")


def test_details_of_health_need_the_token(http: httpx.Client, stack: Stack) -> None:
    def heartbeat() -> tuple[bool | None, object]:
        checks = http.get(f"{stack.api}/healthz", headers=stack.internal).json()["checks"]
        return (0 <= checks["worker"]["heartbeatAgeSeconds"] < 15) or None, checks

    until(heartbeat, what="a worker's heartbeat of less than 15 s ago")
    assert "heartbeatAgeSeconds" not in http.get(f"{stack.api}/healthz").text


def test_the_same_metrics_can_be_scraped_as_are_pushed(http: httpx.Client, stack: Stack) -> None:
    http.get(f"{stack.api}/payments/tx_{0:032x}", headers=stack.caller)

    def counted() -> tuple[set[str] | None, object]:
        # A request is counted after its answer, and a check may fail once on a busy machine.
        answer = http.get(f"{stack.api}/metrics", headers=stack.internal)
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        families = text_string_to_metric_families(answer.text)
        samples = [sample for family in families for sample in family.samples]
        names = {sample.name for sample in samples}
        [smtp] = [
            sample.value
            for sample in samples
            if sample.name == "health_check_status" and sample.labels == {"check": "smtp"}
        ]
        whole = smtp == 1 and "http_server_request_duration_seconds_count" in names
        return (names if whole else None), (smtp, names)

    scraped = until(counted, what="a good check and a counted request on the page")

    def probe() -> tuple[bool | None, object]:
        query = 'count by (__name__) ({service_name="backend-api"})'
        series = backends.prometheus_query(http, stack.url("prometheus"), query)
        pushed = {item["labels"]["__name__"] for item in series}
        return {"health_check_status", "jobs_backlog"} <= pushed & scraped or None, pushed

    until(probe, what="scraped and pushed names meet")


def test_jobs_and_workers_are_reported(http: httpx.Client, stack: Stack) -> None:
    def probe() -> tuple[dict[str, Any] | None, object]:
        body = http.get(f"{stack.api}/jobs/status", headers=stack.internal).json()
        jobs = {job["job"]: job for job in body["jobs"]}
        # The sweeper runs every minute.
        swept, states = jobs["sweep_payments"], {one["state"] for one in body["workers"]}
        whole = swept["lastSuccess"] and "alive" in states
        return (body if whole else None), (swept, states)

    body = until(probe, what="the sweeper has succeeded, by a worker that is alive")
    jobs = {job["job"]: job for job in body["jobs"]}
    assert jobs.keys() == JOBS
    assert jobs["sweep_payments"]["nextRun"] > jobs["sweep_payments"]["lastSuccess"]
    page = http.get(
        f"{stack.api}/jobs/status", headers={**stack.internal, "Accept": "text/html"}
    ).text
    assert all(f"<bdi>{job}</bdi>" in page for job in JOBS)
    assert f'href="{stack.url("grafana")}/d/jobs"' in page


@pytest.fixture
def broken(http: httpx.Client, stack: Stack) -> Iterator[None]:
    """Redis stopped, the mail server down, the worker killed."""
    wait_for_health(http, stack, 200, ALL_HEALTHY)
    stack.docker("stop", "valkey")
    stack.docker("kill", "worker")
    http.put(f"{stack.url('sandbox')}/faults/smtp", json={"mode": "down"}).raise_for_status()
    try:
        yield
    finally:
        http.delete(f"{stack.url('sandbox')}/faults").raise_for_status()
        stack.docker("start", "valkey")
        stack.docker("start", "worker")


@pytest.mark.usefixtures("broken")
def test_health_names_what_is_unavailable_and_the_gauge_follows(
    http: httpx.Client, stack: Stack
) -> None:
    checks = {"postgres": "ok", "redis": "failed", "smtp": "failed", "worker": "failed"}
    wait_for_health(http, stack, 503, checks)
    assert http.get(f"{stack.api}/livez").json() == {"status": "ok"}
    # Limits do without Valkey.
    body = {"userId": "user-1", "amount": "5.00", "currency": "EUR"}
    answer = http.post(f"{stack.api}/payments", json=body, headers=stack.caller)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    ready = http.get(f"{stack.api}/readyz", headers=stack.internal)
    assert ready.status_code == httpx.codes.SERVICE_UNAVAILABLE
    assert ready.json()["checks"].keys() == {"postgres", "redis", "smtp"}

    def gauge() -> tuple[bool | None, object]:
        series = backends.prometheus_query(http, stack.url("prometheus"), "health_check_status")
        seen = {item["labels"]["check"]: item["value"] for item in series}
        return seen == {
            name: float(status == "ok") for name, status in checks.items()
        } or None, seen

    until(gauge, what="the gauge shows the same")


def test_health_is_healthy_again_after_that(http: httpx.Client, stack: Stack) -> None:
    wait_for_health(http, stack, 200, ALL_HEALTHY)


def test_a_failed_job_is_one_report_without_what_it_failed_on(
    http: httpx.Client, stack: Stack
) -> None:
    canary = f"zoe.{fresh()}@mail.example"
    # An argument that the task does not know: Python's own message repeats its name.
    arguments = json.dumps({"payment_id": "tx_none", canary: 1})
    into = "INSERT INTO procrastinate_jobs (queue_name, task_name, args)"
    statement = f"{into} VALUES ('default', 'confirm_payment', '{arguments}') RETURNING id"
    command = ["psql", "-U", "backend", "-d", "backend", "-qAt", "-c", statement]
    job_id, _, code = stack.compose.exec_in_container(command, "postgres")
    assert code == 0, job_id

    def status() -> tuple[str | None, object]:
        command[-1] = f"SELECT status FROM procrastinate_jobs WHERE id = {int(job_id)}"  # noqa: S608 (a number)
        answer, _, _ = stack.compose.exec_in_container(command, "postgres")
        return (answer if answer.strip() == "failed" else None), answer

    until(status, what="the job has failed")

    def reports() -> tuple[list[dict[str, Any]] | None, object]:
        envelopes = http.get(f"{stack.url('sandbox')}/received/sentry").json()
        payloads = [item["payload"] for envelope in envelopes for item in envelope["items"]]
        found = [one for one in payloads if _last_error(one) == "TypeError"]
        return found or None, payloads

    [event] = until(reports, what="the report")
    assert canary not in json.dumps(event)
    assert event["tags"]["service"] == "backend-worker"
    trace_id = event["contexts"]["trace"]["trace_id"]

    def trace() -> tuple[list[str] | None, object]:
        names = [span["name"] for span in backends.tempo_spans(http, stack.url("tempo"), trace_id)]
        return (names if "process confirm_payment" in names else None), names

    until(trace, what="the report's trace in Tempo")

    def logged() -> tuple[str | None, object]:
        query = f'{{service_name="backend-worker"}} | trace_id="{trace_id}"'
        lines = json.dumps(backends.loki_lines(http, stack.url("loki"), query))
        return (lines if "unexpected keyword argument" in lines else None), lines

    # The sentinel: the same message has arrived in Loki, and on the console.
    assert canary not in until(logged, what="the failure in Loki")
    console = "".join(stack.compose.get_logs("worker"))
    assert "unexpected keyword argument" in console
    assert canary not in console


def _last_error(event: dict[str, Any]) -> str:
    values = event.get("exception", {}).get("values", [])
    return values[-1]["type"] if values else ""
