"""Errors on their way to Sentry: one a failure, and nothing in it that a person typed."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import callers, http_server, sandbox

TESTS = Path(__file__).parents[2]
PERSON = "zoe.kessler@mail.example"
TEXT = f"cannot pay {PERSON}"


@pytest.fixture(scope="module")
def outside() -> Iterator[str]:
    with sandbox.running() as url:
        yield url


@pytest.fixture(scope="module")
def upstream() -> Iterator[str]:
    """Somebody else's service, which answers with the headers it got."""
    with http_server.echoing() as url:
        yield f"{url}/"


def dsn(outside: str) -> str:
    return outside.replace("://", "://publickey@") + "/7"


def run(*arguments: str, code: int = 0) -> dict[str, Any]:
    ended = subprocess.run(
        [sys.executable, "-m", "support.failures", *arguments],
        cwd=TESTS,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == code, ended.stderr
    lines = ended.stdout.splitlines()
    return json.loads(lines[-1]) if lines and not code else {}


def received(outside: str) -> list[dict[str, Any]]:
    """Return the events that arrived, and forget them."""
    with httpx.Client(base_url=outside, timeout=240, trust_env=False) as client:
        envelopes = client.get("/received/sentry").json()
        client.delete("/received")
    assert {envelope["project"] for envelope in envelopes} <= {"7"}
    items = [item for envelope in envelopes for item in envelope["items"]]
    assert {item["header"]["type"] for item in items} <= {"event"}
    return [item["payload"] for item in items]


@pytest.mark.parametrize("redaction", ["masked", "bare"])
@pytest.mark.parametrize("what", ["request", "job", "crash"])
def test_a_failure_is_one_event_without_what_people_typed(
    outside: str, upstream: str, what: str, redaction: str
):
    seen = run(dsn(outside), redaction, what, TEXT, upstream, code=what == "crash")
    [event] = received(outside)
    [exception] = event["exception"]["values"]
    assert exception["type"] == "RuntimeError"
    assert exception["stacktrace"]["frames"][-1]["function"] == "fail"
    assert event["tags"]["service"] == "backend-test"
    assert event["release"] == f"glasshouse-backend@{version('glasshouse-backend')}"
    # The positive control: without redaction the same way carries the person's address.
    assert (PERSON in json.dumps(event)) is (redaction == "bare")
    # Only in the message, whether redacted or not.
    masked = re.sub(re.escape(PERSON), "[email:0123456789abcdef]", TEXT)
    shown = re.sub(r":[0-9a-f]{16}\]", ":0123456789abcdef]", exception.pop("value"))
    assert shown == (TEXT if redaction == "bare" else masked)
    assert PERSON not in json.dumps(event)
    assert {"request", "user", "breadcrumbs", "extra"}.isdisjoint(event)
    assert "vars" not in json.dumps(exception["stacktrace"])
    if what != "crash":
        assert event["contexts"]["trace"]["trace_id"] == seen["trace"]
    if what == "request":
        assert seen["status"] == 500
        assert event["tags"]["requestId"] == "request-0001"
    if what == "job":
        assert seen["runs"] == 2


def test_outgoing_requests_carry_w3c_headers_and_none_of_sentrys(outside: str, upstream: str):
    seen = run(dsn(outside), "masked", "request", TEXT, upstream)
    received(outside)
    names = seen["upstream"]
    assert names["traceparent"].split("-")[1] == seen["trace"]
    assert {"sentry-trace", "baggage"}.isdisjoint(names)


def test_without_a_dsn_nothing_is_sent(outside: str, upstream: str):
    run("", "bare", "request", TEXT, upstream)
    run("", "bare", "crash", TEXT, upstream, code=1)
    assert received(outside) == []


def test_bad_dsn_stops_the_start_with_one_line(tmp_path: Path):
    token = tmp_path / "token"
    token.write_text("0123456789abcdef" * 2)
    ended = subprocess.run(
        [sys.executable, "-m", "backend", "api"],
        env={
            "DATABASE_URL": "postgresql://backend:hunter2@127.0.0.1:1/backend",
            "INTERNAL_TOKEN_FILE": str(token),
            "API_CALLERS_FILE": str(callers.write(tmp_path / "callers")),
            "DATA_KEY_FILE": str(token),
            "SENTRY_DSN": "https://hunter2.example",
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith("backend: SENTRY_DSN is invalid: set it to https://key@host/project")
    assert "hunter2" not in line
