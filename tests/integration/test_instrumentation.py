"""Any service, one dependency, one variable: what it sends, and how it ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support import ports, shop_process, timing
from support.backends import attribute
from support.collector import Rig
from support.shop_process import Shop
from support.waiting import until
from support.words import fresh

# The deadline is 4 s; a dead Collector held the process for 13.
EXIT_WITHIN_S = 10.0
# Nothing leaves by the clock: what arrives is sent at the end of a process.
NEVER = {
    "OTEL_BSP_SCHEDULE_DELAY": "3600000",
    "OTEL_BLRP_SCHEDULE_DELAY": "3600000",
    "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
}


@contextlib.contextmanager
def running_shop(
    endpoint: str, console: Path, secrets_folder: Path, *, distro: str = "glasshouse"
) -> Iterator[Shop]:
    key = str(secrets_folder / "hmac_key")
    variables = shop_process.environment(
        endpoint, distro=distro, GLASSHOUSE_HMAC_KEY_FILE=key, **NEVER
    )
    with shop_process.running(variables, console) as started:
        yield started


def sent_about(rig: Rig, word: str) -> dict[str, bool]:
    """Return for each signal whether what only the last request made has arrived."""
    return {
        "log": any(attribute(record, "order") == word for record in rig.log_records()),
        "span": any(attribute(span, "url.path") == f"/orders/{word}" for span in rig.spans()),
        "metric": "http.server.request.duration" in json.dumps(rig.stored("metrics")),
    }


def test_the_tail_of_all_three_signals_survives_sigterm(
    redacting_rig: Rig, secrets_folder: Path, tmp_path: Path
) -> None:
    rig, word = redacting_rig, fresh("last")
    with running_shop(rig.endpoint, tmp_path / "console", secrets_folder) as running:
        answer = running.order(word)
        running.stop()
        # Ended by the signal, as without telemetry.
        assert running.process.returncode == -signal.SIGTERM

    def probe() -> tuple[bool | None, object]:
        arrived = sent_about(rig, word)
        return (True if all(arrived.values()) else None), arrived

    until(probe, what="log, span and metric of the last request")
    [span] = [s for s in rig.spans() if attribute(s, "url.path") == f"/orders/{word}"]
    assert span["name"] == "GET /orders/{order}"
    assert attribute(span, "request.id") == answer.headers["X-Request-ID"]
    [record] = [r for r in rig.log_records() if attribute(r, "order") == word]
    assert record["traceId"] == span["traceId"]
    assert attribute(record, "request.id") == answer.headers["X-Request-ID"]


def test_the_stock_distro_loses_that_tail(
    redacting_rig: Rig, secrets_folder: Path, tmp_path: Path
) -> None:
    """The control: were it not lost, the test above would prove nothing."""
    rig, word = redacting_rig, fresh("lost")
    with running_shop(
        rig.endpoint, tmp_path / "console", secrets_folder, distro="distro"
    ) as running:
        running.order(word)
        running.stop()
    # The sentinel: what is sent after the process has ended has arrived.
    sentinel = fresh("after")
    with running_shop(rig.endpoint, tmp_path / "console2", secrets_folder) as running:
        running.order(sentinel)
        running.stop()
    until(
        lambda: ((True if sent_about(rig, sentinel)["span"] else None), sent_about(rig, sentinel)),
        what="the sentinel",
    )
    assert not sent_about(rig, word)["span"]


def test_a_dead_collector_does_not_hold_the_process(secrets_folder: Path, tmp_path: Path) -> None:
    dead = f"http://127.0.0.1:{ports.free(['dead'])['dead']}"

    def seconds() -> float:
        with running_shop(dead, tmp_path / "console", secrets_folder) as running:
            assert running.order("any").status_code == httpx.codes.OK
            return running.stop()

    timing.assert_within(EXIT_WITHIN_S, seconds, what="the end")


def test_one_line_at_the_start_names_what_records_and_what_does_not(
    redacting_rig: Rig, secrets_folder: Path, tmp_path: Path
) -> None:
    with running_shop(redacting_rig.endpoint, tmp_path / "console", secrets_folder) as running:
        [line] = [line for line in running.lines() if line["message"] == "Telemetry started"]
    assert line["instrumentations.active"] == [
        "httpx",
        "procrastinate",
        "psycopg",
        "request_context",
        "threading",
    ]
    assert line["instrumentations.skipped"] == []
    # Tools of the tests bring it along.
    hint = "flask is here, its instrumentation is not: pip install glasshouse[flask]"
    assert hint in line["instrumentations.available"]


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("LOG_LEVEL", "LOUD", "'LOUD' is not one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
        ("GLASSHOUSE_HMAC_KEY_FILE", "/nowhere", "cannot read /nowhere: No such file or directory"),
        ("GLASSHOUSE_INSTRUMENTATIONS", "htpx", "no such instrumentation: htpx; installed are "),
    ],
)
def test_an_unusable_setting_stops_the_process_with_one_line(
    variable: str, value: str, line: str
) -> None:
    command = Path(sys.executable).parent / "opentelemetry-instrument"
    ended = subprocess.run(
        [str(command), sys.executable, "-c", "print('started')"],
        env={**os.environ, "OTEL_PYTHON_DISTRO": "glasshouse", variable: value},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    [only] = ended.stderr.splitlines()
    assert only.startswith(f"glasshouse: {variable}: {line}")
