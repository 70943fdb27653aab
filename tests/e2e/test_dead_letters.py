"""What the Collector sets aside is listed, and sent again, in the running stack."""

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from glasshouse_cli.letters import places
from glasshouse_cli.project import Project
from support import backends, otlp
from support.stack import Stack
from support.waiting import until
from support.words import fresh

COMMAND = [sys.executable, "-c", "from glasshouse_cli.cli import main; main()", "dead-letters"]
DAYS_3 = 3 * 86400 * 10**9
SERVICE = "dead-letters"
APPEND = "import sys; open(sys.argv[1], 'ab').write(sys.stdin.buffer.read())"


def letters(project: Project, *arguments: str) -> Any:
    """Run `glasshouse dead-letters --json` on the stack of this run."""
    ran = subprocess.run(
        [*COMMAND, "--json", *arguments],
        cwd=project.root,
        env=dict(os.environ),  # which names the stack and its ports
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def late_points(project: Project) -> list[dict[str, Any]]:
    found = letters(project, "--signal=metrics", "--reason=late")
    assert found["unreadable"]["lines"] == 0
    return found["letters"]


def wait_for_point(project: Project, since: datetime) -> dict[str, Any]:
    def probe() -> tuple[dict[str, Any] | None, object]:
        found = late_points(project)
        new = found and datetime.fromisoformat(found[0]["oldest"]) >= since
        return found[0] if new else None, found

    return until(probe, what="one late point is set aside")


@pytest.fixture
def no_letters(project: Project, stack: Stack) -> None:
    letters(project, "--discard", "--yes")


@pytest.mark.usefixtures("no_letters")
def test_a_late_point_is_kept_and_comes_back(project: Project, stack: Stack):
    point = otlp.gauge("dead_letters_test", 1)
    point["gauge"]["dataPoints"][0]["timeUnixNano"] = str(time.time_ns() - DAYS_3)
    with otlp.Sender(stack.otlp, SERVICE, stack.sender) as sender:
        start = datetime.now(tz=UTC)
        sender.metrics([point, otlp.gauge("dead_letters_in_time", 1)])

    first = wait_for_point(project, start)
    assert (first["source"], first["items"], first["lines"]) == ("admission", 1, 1)

    replayed = datetime.now(tz=UTC)
    outcome = letters(project, "--replay", "--signal=metrics")
    assert outcome["items"] == {"logs": 0, "traces": 0, "metrics": 1}
    assert outcome["refused"] == 0
    # Prometheus still does not take it, so it is set aside anew, and only there.
    again = wait_for_point(project, replayed)
    assert (again["items"], again["lines"], again["files"]) == (1, 1, ["metrics.jsonl"])


@pytest.mark.usefixtures("no_letters")
def test_a_log_record_is_replayed_into_loki(project: Project, stack: Stack, http: httpx.Client):
    word = fresh("sentinel")
    resource = {"attributes": otlp.attributes({"service.name": SERVICE})}
    scopes = [{"scope": {"name": "tests"}, "logRecords": [otlp.log(f"{word} kept")]}]
    line = {
        "time": datetime.now(tz=UTC).isoformat(),
        "reason": "by_hand",
        "source": "tests",
        "signal": "logs",
        "items": 1,
        "otlp": {"resourceLogs": [{"resource": resource, "scopeLogs": scopes}]},
    }
    place = places.in_stack(project, running=True)
    subprocess.run(
        [*place.take[:-1], APPEND, f"{place.folder}/logs.jsonl"],
        input=json.dumps(line).encode() + b"\n",
        check=True,
        timeout=240,
    )
    [listed] = letters(project, "--signal=logs")["letters"]
    assert (listed["reason"], listed["source"], listed["items"]) == ("by_hand", "tests", 1)

    outcome = letters(project, "--replay", "--reason=by_hand")
    assert (outcome["lines"], outcome["refused"]) == (1, 0)

    def probe() -> tuple[list[dict[str, Any]] | None, object]:
        query = f'{{service_name="{SERVICE}"}} |= "{word}"'
        found = backends.loki_lines(http, stack.url("loki"), query)
        return found or None, found

    [entry] = until(probe, what="the replayed line in Loki")
    assert entry["labels"]["dead_letter_reason"] == "by_hand"
    assert letters(project, "--signal=logs")["letters"] == []
