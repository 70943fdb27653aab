"""Any service, one dependency, one variable: what it sends, and how it ends."""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import ports, shop
from support.backends import attribute
from support.collector import Rig
from support.waiting import until

EXIT_WITHIN_S = 5.0


@dataclass(frozen=True, kw_only=True)
class Shop:
    url: str
    process: subprocess.Popen[bytes]
    console: Path

    def order(self, name: str) -> httpx.Response:
        return httpx.get(f"{self.url}/orders/{name}", timeout=10)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.console.read_text(encoding="utf-8").splitlines()]

    def stop(self) -> float:
        """Send SIGTERM; return the seconds until the process has ended."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        return time.monotonic() - started


@contextlib.contextmanager
def running_shop(
    endpoint: str, console: Path, secrets_folder: Path, *, distro: str = "glasshouse"
) -> Iterator[Shop]:
    port = ports.free(["shop"])["shop"]
    command = [str(Path(sys.executable).parent / "opentelemetry-instrument"), sys.executable]
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "GLASSHOUSE_"))},
        "OTEL_PYTHON_DISTRO": distro,
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "GLASSHOUSE_HMAC_KEY_FILE": str(secrets_folder / "hmac_key"),
    }
    if distro != "glasshouse":
        environment["OTEL_PYTHON_CONFIGURATOR"] = "configurator"
        environment["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
    with console.open("wb") as output:
        process = subprocess.Popen(
            [*command, shop.__file__, str(port)],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        started = Shop(url=f"http://127.0.0.1:{port}", process=process, console=console)
        try:
            until(lambda: _answers(started), what="the shop answers")
            yield started
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(timeout=10)


def _answers(started: Shop) -> tuple[bool | None, object]:
    try:
        started.order("first")
    except httpx.TransportError as error:
        return None, (repr(error), started.console.read_text(encoding="utf-8")[-1000:])
    return True, "answered"


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
    rig, word = redacting_rig, "last" + secrets.token_hex(6)
    with running_shop(rig.endpoint, tmp_path / "console", secrets_folder) as running:
        answer = running.order(word)
        running.stop()
        # Ended by the signal, as without telemetry.
        assert running.process.returncode == -signal.SIGTERM

    def probe() -> tuple[bool | None, object]:
        arrived = sent_about(rig, word)
        return (True if all(arrived.values()) else None), arrived

    until(probe, what="log, span and metric of the last request", deadline_s=10)
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
    rig, word = redacting_rig, "lost" + secrets.token_hex(6)
    with running_shop(
        rig.endpoint, tmp_path / "console", secrets_folder, distro="distro"
    ) as running:
        running.order(word)
        running.stop()
    # The sentinel: what is sent after the process has ended has arrived.
    sentinel = "after" + secrets.token_hex(6)
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
    with running_shop(dead, tmp_path / "console", secrets_folder) as running:
        assert running.order("any").status_code == httpx.codes.OK
        seconds = running.stop()
    assert seconds < EXIT_WITHIN_S


def test_one_line_at_the_start_names_what_records_and_what_does_not(
    redacting_rig: Rig, secrets_folder: Path, tmp_path: Path
) -> None:
    with running_shop(redacting_rig.endpoint, tmp_path / "console", secrets_folder) as running:
        [line] = [line for line in running.lines() if line["message"] == "Telemetry started"]
    assert line["instrumentations.active"] == [
        "httpx",
        "logging",
        "procrastinate",
        "psycopg",
        "request_context",
    ]
    assert line["instrumentations.skipped"] == ["httpx2 (not on the allow-list)"]


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
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    [only] = ended.stderr.splitlines()
    assert only.startswith(f"glasshouse: {variable}: {line}")
