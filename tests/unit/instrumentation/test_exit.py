"""A process that is asked to end sends what it has recorded first."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import otlp_sink, shop_process
from support.backends import attribute
from support.otlp_sink import Sink

# Records one span and one log, then waits until it is ended.
SCRIPT = """
import logging, sys
from opentelemetry import trace
with trace.get_tracer("script").start_as_current_span("last step"):
    logging.getLogger("script").warning("Last step done")
print("ready", flush=True)
sys.stdin.read()
"""
# Nothing leaves by the clock while these tests run.
NEVER = {
    "OTEL_BSP_SCHEDULE_DELAY": "3600000",
    "OTEL_BLRP_SCHEDULE_DELAY": "3600000",
    "OTEL_METRIC_EXPORT_INTERVAL": "3600000",
}


@pytest.fixture
def sink() -> Iterator[Sink]:
    with otlp_sink.running() as sink:
        yield sink


def end_script(sink: Sink, distro: str) -> None:
    """Run the script until it has recorded; end it by SIGTERM."""
    process = subprocess.Popen(
        [str(shop_process.INSTRUMENT), sys.executable, "-c", SCRIPT],
        env=shop_process.environment(sink.url, distro=distro, **NEVER),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stdout
        assert "ready\n" in iter(process.stdout.readline, "")
        process.terminate()
        # Ended by the signal, as without telemetry.
        assert process.wait(30) == -signal.SIGTERM


def test_a_server_sends_all_three_signals_at_sigterm(sink: Sink, tmp_path: Path) -> None:
    variables = shop_process.environment(sink.url, **NEVER)
    with shop_process.running(variables, tmp_path / "console") as shop:
        shop.order("last-order")
        shop.stop()
    assert shop.process.returncode == -signal.SIGTERM
    # Nothing to wait for: the process has ended.
    assert "last-order" in [attribute(record, "order") for record in sink.log_records()]
    assert "/orders/last-order" in [attribute(span, "url.path") for span in sink.spans()]
    assert "http.server.request.duration" in [metric["name"] for metric in sink.metrics()]


def test_a_script_sends_its_tail_at_sigterm(sink: Sink) -> None:
    end_script(sink, "glasshouse")
    assert [span["name"] for span in sink.spans()] == ["last step"]
    bodies = [record["body"]["stringValue"] for record in sink.log_records()]
    assert "Last step done" in bodies


def test_the_stock_distro_loses_that_tail(sink: Sink) -> None:
    """The control: were it not lost, the tests above would prove nothing."""
    end_script(sink, "distro")
    assert sink.requests == []
