"""One API process of one variant, from its start to its end."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from glasshouse_bench import children
from glasshouse_bench.overhead import cpu, load
from glasshouse_bench.overhead.environments import Environment
from glasshouse_bench.overhead.variants import Server, Variant
from glasshouse_cli.errors import StackError

KEY = "key-of-the-bench-0123456789abcdef"
STARTED_WITHIN_S = 90.0
ENDED_WITHIN_S = 30.0
# Without Postgres the settings ask for an address, and nothing connects to it.
_NOWHERE = "postgresql://nobody:none@127.0.0.1:1/none"
_SCOPES = ("payments:write", "payments:read")


class Api(NamedTuple):
    """A process that answers. ``start_ns``: CPU time until its first answer."""

    pid: int
    port: int
    start_ns: int


@contextlib.asynccontextmanager
async def running(
    variant: Variant,
    server: Server,
    environment: Environment,
    folder: Path,
    *,
    sink: int,
    database: str | None,
) -> AsyncIterator[Api]:
    """Run the API with telemetry sent to the port ``sink``; with ``database``, payments, too.

    Raises:
        StackError: it does not start.
    """
    port = children.free_port()
    command = [*variant.launcher, "python", "-m", "glasshouse_bench.overhead.serving"]
    command += ["--http", server.http, "--loop", server.loop]
    command += ["--tracer", variant.tracer] if variant.tracer else []
    command += ["--payments"] if database else []
    variables = {
        name: value.replace("{sink}", str(sink)) for name, value in variant.variables.items()
    }
    log = folder / "stderr"
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            environment.programs / command[0],
            *command[1:],
            env={**_settings(folder, database, port, environment), **variables},
            cwd=folder,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        await _answers(process, port, variant, log)
        yield Api(process.pid, port, cpu.used_ns(process.pid))
    finally:
        await children.end(process, ENDED_WITHIN_S)


def _settings(
    folder: Path, database: str | None, port: int, environment: Environment
) -> dict[str, str]:
    secret = folder / "secret"
    secret.write_text("s" * 32, encoding="utf-8")
    # Without a limit that the load could reach.
    caller = {"name": "bench", "scopes": _SCOPES, "rate": 1_000_000, "burst": 1_000_000}
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    callers = folder / "callers"
    callers.write_text(json.dumps([{**caller, "keySha256": [digest]}]), encoding="utf-8")
    return {
        "PATH": f"{environment.programs}{os.pathsep}{os.environ.get('PATH', '')}",
        "DATABASE_URL": database or _NOWHERE,
        "INTERNAL_TOKEN_FILE": str(secret),
        "DATA_KEY_FILE": str(secret),
        "GLASSHOUSE_HMAC_KEY_FILE": str(secret),
        "API_CALLERS_FILE": str(callers),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        # Where the bench itself is measured, as its subprocesses are.
        **{name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")},
    }


async def _answers(
    process: asyncio.subprocess.Process, port: int, variant: Variant, log: Path
) -> None:
    end = time.monotonic() + STARTED_WITHIN_S
    asked = load.request("GET", "/bench/hello/first", KEY)
    while True:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            status, _ = await load.once(port, asked)
            if status == 200:
                return
        if process.returncode is not None or time.monotonic() > end:
            raise StackError(f"the API does not start with {variant.name}", log=_kept(log))
        await asyncio.sleep(0.05)


def _kept(log: Path) -> Path:
    """Return a copy of a log that outlives its folder, in the system's temporary one."""
    copy = Path(f"/tmp/glasshouse-bench-{os.getpid()}.log")  # noqa: S108 (for people to read)
    copy.write_bytes(log.read_bytes())
    return copy
