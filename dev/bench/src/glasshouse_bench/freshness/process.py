"""Starts and ends the service that is watched, instrumented as any service is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx

from glasshouse_bench import children
from glasshouse_bench.freshness.target import Target
from glasshouse_cli.errors import StackError

# Of those whose events are counted (`event_metrics` in collector/config.yaml).
SERVICE = "backend-worker"
STARTED_WITHIN_S = 120.0
ENDED_WITHIN_S = 60.0
# As docker-compose.yml has it for the stack's own services.
EXPORT_INTERVAL_MS = 2000
_INSTRUMENT = Path(sys.executable).with_name("opentelemetry-instrument")
# Of the process that measures, whose telemetry this is not.
_OTHERS = ("OTEL_", "GLASSHOUSE_")


@contextlib.asynccontextmanager
async def running(
    target: Target, run: str, changes: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """Run the service; yield its address.

    changes: variables of its own, over what the stack's services have.

    Raises:
        StackError: it does not start.
    """
    port = children.free_port()
    with tempfile.TemporaryDirectory(prefix="glasshouse-bench-") as folder:
        secret = Path(folder) / "hmac_key"
        secret.write_text("s" * 32, encoding="utf-8")
        log = Path(folder) / "console"
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(_OTHERS)}
        with log.open("wb") as console:
            process = await asyncio.create_subprocess_exec(
                _INSTRUMENT,
                *(sys.executable, "-m", "glasshouse_bench.freshness.service"),
                *("--port", str(port), "--run", run),
                env={
                    **inherited,
                    "OTEL_PYTHON_DISTRO": "glasshouse",
                    "OTEL_SERVICE_NAME": SERVICE,
                    "OTEL_EXPORTER_OTLP_ENDPOINT": target.otlp,
                    "OTEL_METRIC_EXPORT_INTERVAL": str(EXPORT_INTERVAL_MS),
                    "GLASSHOUSE_OTLP_TOKEN_FILE": str(target.token_file),
                    "GLASSHOUSE_HMAC_KEY_FILE": str(secret),
                    **(changes or {}),
                },
                cwd=folder,
                stdout=console,
                stderr=asyncio.subprocess.STDOUT,
            )
        try:
            await _answers(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            await children.end(process, ENDED_WITHIN_S)


async def _answers(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    end = time.monotonic() + STARTED_WITHIN_S
    async with httpx.AsyncClient(trust_env=False) as http:
        while process.returncode is None and time.monotonic() < end:
            with contextlib.suppress(httpx.HTTPError):
                answer = await http.get(f"http://127.0.0.1:{port}/work/0")
                if answer.is_success:
                    return
            await asyncio.sleep(0.1)
    raise StackError(f"the service that is watched does not start: {_last_line(log)}")


def _last_line(log: Path) -> str:
    written = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return written[-1] if written else "it wrote nothing"
