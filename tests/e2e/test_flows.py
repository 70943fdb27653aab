"""One automation run and one notification per channel, through trace, logs and metrics."""

import re
from typing import Any

import httpx
import pytest

from support import backends
from support.backends import attribute
from support.following import Followed, follow
from support.stack import Stack
from support.waiting import until
from support.words import fresh

ADDRESS = {
    "email": "zoe.kessler@mail.example",
    "sms": "+4915112345678",
    "push": "device-token-7f3a9c",
}
CHANNELS = list(ADDRESS)


def request(
    http: httpx.Client, stack: Stack, path: str, body: dict[str, Any], key: str
) -> Followed:
    """Make a request, wait for the end of its work and for its whole trace."""
    request_id = fresh("flow-")
    headers = {**stack.caller, "X-Request-ID": request_id}
    answer = http.post(f"{stack.api}{path}", json=body, headers=headers)
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    identifier = answer.json()[key]

    def ended() -> tuple[str | None, object]:
        answer = http.get(f"{stack.api}{path}/{identifier}", headers=stack.caller)
        state = answer.json()["state"]
        return (state if state not in ("queued", "requested") else None), state

    assert until(ended, what=f"{path} has ended") in ("delivered", "completed")

    return follow(http, stack, path=path, identifier=identifier, request_id=request_id, job=".*")


def assert_one_chain(followed: Followed, path: str, job: str) -> None:
    """The request, the deferral in it, and the job after it."""
    [request] = followed.named("backend-api", f"POST {path}")
    [send] = followed.named("backend-api", f"send {job}")
    [process] = followed.named("backend-worker", f"process {job}")
    by_id = {span["spanId"]: span for span in followed.spans}
    above, climbed = send, []
    while above["spanId"] != request["spanId"]:
        above = by_id[above["parentSpanId"]]
        climbed.append(above["name"])
    assert process["parentSpanId"] == send["spanId"]
    assert {attribute(span, "request.id") for span in followed.spans} == {followed.request_id}


def events(
    http: httpx.Client, stack: Stack, followed: Followed, expected: set[str]
) -> list[dict[str, str]]:
    """Return the labels of the trace's events in Loki, once all are there."""
    query = f'{{service_name=~"backend-.+"}} | trace_id="{followed.trace_id}"'

    def probe() -> tuple[list[dict[str, str]] | None, object]:
        lines = backends.loki_lines(http, stack.url("loki"), query)
        labels = [line["labels"] for line in lines if line["labels"].get("event")]
        found = {one["event"] for one in labels}
        return (labels if expected <= found else None), found

    found = until(probe, what="the events in Loki")
    assert {one["event"] for one in found} == expected
    assert {one["request_id"] for one in found} == {followed.request_id}
    return found


def counted(http: httpx.Client, stack: Stack, query: str) -> float:
    series = backends.prometheus_query(http, stack.url("prometheus"), query)
    return sum(item["value"] for item in series)


def counted_after(http: httpx.Client, stack: Stack, query: str, before: float) -> None:
    def probe() -> tuple[bool | None, object]:
        now = counted(http, stack, query)
        return (True if now > before else None), now

    until(probe, what=f"{query} has risen")


def test_an_automation_run_is_followed(http: httpx.Client, stack: Stack) -> None:
    query = 'automation_runs_total{strategy="rebalance",state="completed"}'
    before = counted(http, stack, query)
    body = {"userId": "flow", "strategy": "rebalance"}
    followed = request(http, stack, "/automation/runs", body, "runId")
    assert_one_chain(followed, "/automation/runs", "run_automation")
    for step in ("holdings", "quote", "plan"):
        [span] = followed.named("backend-worker", f"step {step}")
        assert attribute(span, "automation.strategy") == "rebalance"
    emitted = events(
        http,
        stack,
        followed,
        {"automation.run.requested", "automation.run.completed", "job.finished"},
    )
    [completed] = [one for one in emitted if one["event"] == "automation.run.completed"]
    assert completed["automation_run_id"] == followed.identifier
    assert completed["automation_within_sla"] == "true"
    # No name says its domain twice.
    assert re.fullmatch("as_[0-9a-f]{32}", completed["automation_session_id"])
    assert not any(re.match(r"([a-z]+)_\1", name) for name in completed)
    assert re.fullmatch(r"\[user:[0-9a-f]{16}\]", completed["automation_user_id"])
    counted_after(http, stack, query, before)


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_notification_is_followed(http: httpx.Client, stack: Stack, channel: str) -> None:
    query = f'notifications_total{{channel="{channel}",status="delivered"}}'
    before = counted(http, stack, query)
    name = fresh("Zoe ")
    body = {
        "userId": "flow",
        "channel": channel,
        "template": "welcome",
        "to": ADDRESS[channel],
        "data": {"name": name},
    }
    followed = request(http, stack, "/notifications", body, "notificationId")
    assert_one_chain(followed, "/notifications", "deliver_notification")
    [call] = [
        span
        for span in followed.spans
        if span["service"] == "backend-worker" and attribute(span, "server.address") == "sandbox"
    ]
    assert call["kind"] == "SPAN_KIND_CLIENT"
    emitted = events(
        http,
        stack,
        followed,
        {"notification.queued", "notification.delivered", "job.finished"},
    )
    [delivered] = [one for one in emitted if one["event"] == "notification.delivered"]
    assert delivered["notification_id"] == followed.identifier
    assert delivered["notification_channel"] == channel
    assert re.fullmatch(r"\[user:[0-9a-f]{16}\]", delivered["notification_user_id"])
    counted_after(http, stack, query, before)
    # The message got there, and nothing of it is where people look.
    part = "smtp" if channel == "email" else channel
    [sent] = [
        str(one)
        for one in http.get(f"{stack.url('sandbox')}/received/{part}").json()
        if name in str(one)
    ]
    assert ADDRESS[channel] in sent
    seen = str(followed.spans) + str(emitted)
    assert followed.request_id in seen
    for word in (name, ADDRESS[channel]):
        assert word not in seen


def test_a_scheduled_job_is_linked_to_its_deferral(http: httpx.Client, stack: Stack) -> None:
    """The sweeper runs every minute, in a trace of its own."""

    def probe() -> tuple[dict[str, Any] | None, object]:
        query = '{name="process sweep_payments"}'
        for trace in backends.tempo_search(http, stack.url("tempo"), query):
            spans = backends.tempo_spans(http, stack.url("tempo"), trace)
            for span in spans:
                if span["name"] == "process sweep_payments":
                    return span, None
        return None, "no sweep yet"

    span = until(probe, what="a sweep")
    assert not span.get("parentSpanId")
    [link] = span["links"]
    assert link["traceId"] != span["traceId"]


def test_what_the_clock_sets_off_is_followed_by_its_correlation_id(
    http: httpx.Client, stack: Stack
) -> None:
    query = '{service_name="backend-worker"} | event="job.finished" | job_name="sweep_payments"'

    def probe() -> tuple[dict[str, str] | None, object]:
        found = [line["labels"] for line in backends.loki_lines(http, stack.url("loki"), query)]
        return (found[-1] if found else None), found

    # It runs each minute.
    finished = until(probe, what="a job of the clock has ended")
    correlation = finished["correlation_id"]
    assert re.fullmatch("[0-9a-f]{32}", correlation)
    assert "request_id" not in finished
    spans = f'{{ span.correlation.id = "{correlation}" }}'

    def traced() -> tuple[set[str] | None, object]:
        found = backends.tempo_search(http, stack.url("tempo"), spans)
        names = {
            span["name"]
            for trace_id in found
            for span in backends.tempo_spans(http, stack.url("tempo"), trace_id)
        }
        wanted = {"send sweep_payments", "process sweep_payments"}
        return (names if wanted <= names else None), names

    until(traced, what="its deferral and its run are found by the id")
