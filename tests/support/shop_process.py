"""Somebody else's service (shop.py) as a process, instrumented and sending somewhere."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from support import ports, shop, switches
from support.waiting import until

INSTRUMENT = Path(sys.executable).with_name("opentelemetry-instrument")


def environment(endpoint: str, *, distro: str = "glasshouse", **changes: str) -> dict[str, str]:
    """Return the variables that send a process's telemetry to ``endpoint`` by ``distro``.

    "distro" is the one that OpenTelemetry brings along.
    """
    made = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "GLASSHOUSE_"))},
        "OTEL_PYTHON_DISTRO": distro,
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
    }
    if distro != "glasshouse":
        made["OTEL_PYTHON_CONFIGURATOR"] = "configurator"
        made["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
    return {**made, **switches.variables(), **changes}


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A running shop. Its console lines are in a file."""

    url: str
    process: subprocess.Popen[bytes]
    console: Path

    def order(self, name: str) -> httpx.Response:
        return httpx.get(f"{self.url}/orders/{name}", timeout=120, trust_env=False)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.console.read_text(encoding="utf-8").splitlines()]

    def stop(self) -> float:
        """Send SIGTERM; return the seconds until the process has ended."""
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=240)
        return time.monotonic() - started


@contextlib.contextmanager
def running(variables: dict[str, str], console: Path) -> Iterator[Shop]:
    """Start a shop with these variables; yield it when it answers."""
    port = ports.free(["shop"])["shop"]
    with console.open("wb") as output:
        process = subprocess.Popen(
            [str(INSTRUMENT), sys.executable, shop.__file__, str(port)],
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    started = Shop(url=f"http://127.0.0.1:{port}", process=process, console=console)

    def answers() -> tuple[bool | None, object]:
        written = console.read_text(encoding="utf-8")[-1000:]
        assert process.poll() is None, written
        try:
            started.order("first")
        except httpx.TransportError as error:
            return None, (repr(error), written)
        return True, "answered"

    try:
        until(answers, what="the shop answers")
        yield started
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=60)
