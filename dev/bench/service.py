"""Requests a second of the API, with telemetry off and on, in one run on one machine.

    make bench-service        # a minute; BENCH_SECONDS=10 for longer rounds

One API process on a fresh Postgres; 32 connections that each send the next request when the last
is answered; rounds of off and on in turn. With telemetry on all three signals go over OTLP to a
sink that throws them away. The load, Postgres and the sink run on the same machine and take their
share, so requests a second say as much about them. CPU time is the API process's own, all its
threads, the exporters' too: one over it is what one process on one core can do.
"""

import asyncio
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

from backend.platform.migrate import migrate
from backend.platform.settings import DatabaseSettings
from glasshouse_cli import images
from glasshouse_cli.project import load
from support import callers, postgres
from support.ports import free

CONNECTIONS = 32
ROUNDS = 3
SECONDS = float(os.environ.get("BENCH_SECONDS") or 4)
WARM_UP_S = 1.0
STARTED_WITHIN_S = 60
BODY = json.dumps({"userId": "bench", "amount": "12.34", "currency": "EUR"}).encode()

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Figures(NamedTuple):
    """``per_second``: answers. ``cpu_ms``: of the API process, for each of them."""

    per_second: float
    cpu_ms: float


# Of each figure: how it is called, and written.
UNITS = (("requests/s", "8.0f"), ("CPU ms/request", "8.3f"))


class Api(NamedTuple):
    port: int
    pid: int

    def cpu_s(self) -> float:
        """Return the CPU seconds that the process has used, user's and system's."""
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="utf-8")
        # After the name, which may have blanks, the fields start with the third.
        fields = stat.rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def request(method: str, path: str, body: bytes = b"") -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    head += f"Authorization: Bearer {callers.KEY}\r\n"
    return head.encode() + f"Content-Length: {len(body)}\r\n\r\n".encode() + body


async def ask(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes
) -> tuple[int, bytes]:
    """Send one request; return status and body."""
    writer.write(sent)
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return status, await reader.readexactly(length)


async def load_with(api: Api, sent: bytes, expected: int, seconds: float) -> Figures:
    """Keep all connections busy. Any other answer ends the run."""
    end = time.monotonic() + seconds
    answered = 0

    async def one() -> None:
        nonlocal answered
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        while time.monotonic() < end:
            status, body = await ask(reader, writer, sent)
            if status != expected:
                raise RuntimeError(f"{status} instead of {expected}: {body[:200]!r}")
            answered += 1
        writer.close()

    started, used = time.monotonic(), api.cpu_s()
    await asyncio.gather(*(one() for _ in range(CONNECTIONS)))
    cpu = api.cpu_s() - used
    return Figures(answered / (time.monotonic() - started), cpu / answered * 1000)


async def throw_away(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer OTLP requests and keep nothing."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(head.split(b"content-length: ")[1].split(b"\r\n")[0]))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    writer.close()


@contextlib.asynccontextmanager
async def run_api(database: DatabaseSettings, folder: Path, sink: int | None) -> AsyncIterator[Api]:
    """Run the API. With a ``sink`` it sends telemetry there."""
    port = free(["api"])["api"]
    secret = folder / "secret"
    secret.write_text("s" * 32, encoding="utf-8")
    # Without a limit that the load could reach.
    fast = callers.entry(callers.CALLER, callers.KEY, rate=1_000_000, burst=1_000_000)
    known = callers.write(folder / "callers", fast)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "DATABASE_URL": database.conninfo(),
        "INTERNAL_TOKEN_FILE": str(secret),
        "DATA_KEY_FILE": str(secret),
        "GLASSHOUSE_HMAC_KEY_FILE": str(secret),
        "API_CALLERS_FILE": str(known),
        "PORT": str(port),
    }
    command = ["backend", "api"]
    if sink is not None:
        command = ["opentelemetry-instrument", *command]
        environment |= {
            "OTEL_PYTHON_DISTRO": "glasshouse",
            "OTEL_SERVICE_NAME": "backend-api",
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{sink}",
        }
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await _answers(port)
        yield Api(port, process.pid)
    finally:
        process.terminate()
        await process.wait()


async def _answers(port: int) -> None:
    end = time.monotonic() + STARTED_WITHIN_S
    while True:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            await ask(reader, writer, request("GET", "/livez"))
            writer.close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.1)


async def measure(database: DatabaseSettings, folder: Path, sink: int | None) -> dict[str, Figures]:
    async with run_api(database, folder, sink) as api:
        reader, writer = await asyncio.open_connection("127.0.0.1", api.port)
        _, made = await ask(reader, writer, request("POST", "/payments", BODY))
        writer.close()
        path = f"/payments/{json.loads(made)['transactionId']}"
        loads = {
            "POST /payments": (request("POST", "/payments", BODY), 202),
            "GET /payments/{id}": (request("GET", path), 200),
        }
        figures: dict[str, Figures] = {}
        for name, (sent, expected) in loads.items():
            await load_with(api, sent, expected, WARM_UP_S)
            figures[name] = await load_with(api, sent, expected, SECONDS)
        return figures


async def compare(server: str) -> None:
    database = postgres.new_database(server)
    await asyncio.to_thread(migrate, database)
    sink = await asyncio.start_server(throw_away, "127.0.0.1", 0)
    sink_port = sink.sockets[0].getsockname()[1]
    found: dict[str, list[dict[str, Figures]]] = {"off": [], "on": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(ROUNDS):
            found["off"].append(await measure(database, Path(folder), None))
            found["on"].append(await measure(database, Path(folder), sink_port))
    title = f"median of {ROUNDS}"
    sys.stdout.write(f"{title:20}{'':16}{'off':>8}{'on':>8}{'on/off':>8}\n")
    for name in found["off"][0]:
        for place, (unit, digits) in enumerate(UNITS):
            off, on = (
                statistics.median(one[name][place] for one in found[way]) for way in ("off", "on")
            )
            sys.stdout.write(f"{name:20}{unit:16}{off:{digits}}{on:{digits}}{on / off:8.2f}\n")


def main() -> None:
    folder = postgres.programs()
    if folder is not None:
        with postgres.installed(folder) as server:
            asyncio.run(compare(server))
        return
    checkout = load(Path(__file__).parents[2])
    image = images.resolve(["postgres"], checkout=checkout)["POSTGRES_IMAGE"]
    with postgres.contained(image) as server:
        asyncio.run(compare(server))


if __name__ == "__main__":
    main()
