"""The backend's own processes: its commands, started as they are deployed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from backend.platform.settings import DatabaseSettings
from support import callers
from support.ports import free
from support.waiting import until

INSTRUMENT = Path(sys.executable).with_name("opentelemetry-instrument")
STARTED_WITHIN_S = 240
STOPPED_WITHIN_S = 240


@dataclass(frozen=True, kw_only=True)
class Process:
    """One running command. Its console lines are in a file."""

    command: str
    popen: subprocess.Popen[bytes]
    console: Path

    def lines(self) -> list[dict[str, Any]]:
        """Return the console's JSON lines so far."""
        text = self.console.read_text(encoding="utf-8")
        complete = text[: text.rfind("\n") + 1].splitlines()
        return [json.loads(line) for line in complete if line.startswith("{")]

    def kill(self) -> None:
        """End it as a crash does."""
        self.popen.kill()
        self.popen.wait(STOPPED_WITHIN_S)

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
        return self.popen.wait(STOPPED_WITHIN_S)


@dataclass(kw_only=True)
class Backend:
    """Processes on one database, and the fake services they call."""

    environment: dict[str, str]
    folder: Path
    outside: str
    processes: list[Process] = field(default_factory=list[Process])

    def start(self, command: str, **changes: str) -> Process:
        """Start ``backend <command>``, with telemetry where a distro is named."""
        console = self.folder / f"{command}-{len(self.processes)}.log"
        environment = {**self.environment, "OTEL_SERVICE_NAME": f"backend-{command}", **changes}
        prefix = [str(INSTRUMENT)] if "OTEL_PYTHON_DISTRO" in environment else []
        with console.open("wb") as out:
            popen = subprocess.Popen(
                [*prefix, sys.executable, "-m", "backend", command],
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        process = Process(command=command, popen=popen, console=console)
        self.processes.append(process)
        return process

    def api(self) -> str:
        """Start an API; return its base address."""
        ports = free(["api", "internal"])
        port, internal = ports["api"], ports["internal"]
        process = self.start("api", PORT=str(port), INTERNAL_PORT=str(internal))
        url = f"http://127.0.0.1:{port}"

        def probe() -> tuple[bool | None, object]:
            assert process.popen.poll() is None, process.console.read_text(encoding="utf-8")
            try:
                answer = httpx.get(f"{url}/livez", timeout=60, trust_env=False)
            except httpx.HTTPError as error:
                return None, repr(error)
            return (True if answer.is_success else None), answer.status_code

        until(probe, what="the API answers", deadline_s=STARTED_WITHIN_S)
        return url

    def worker(self, **changes: str) -> Process:
        """Start a worker; wait until it takes jobs."""
        process = self.start("worker", **changes)

        def probe() -> tuple[bool | None, object]:
            assert process.popen.poll() is None, process.console.read_text(encoding="utf-8")
            messages = [line["message"] for line in process.lines()]
            return (True if "Worker started" in messages else None), messages

        until(probe, what="the worker has started", deadline_s=STARTED_WITHIN_S)
        return process

    def events(self) -> list[dict[str, Any]]:
        """Return the events of all processes, in the order of their time."""
        lines = [line for process in self.processes for line in process.lines()]
        return sorted((line for line in lines if "event" in line), key=lambda one: one["timestamp"])

    def console(self) -> str:
        """Return all that any process has written."""
        return "".join(one.console.read_text(encoding="utf-8") for one in self.processes)

    def fault(self, service: str, **fault: Any) -> None:
        """Switch a fault of a fake service on; without a mode, off."""
        body = {"mode": "none", **fault}
        url = f"{self.outside}/faults/{service}"
        httpx.put(url, json=body, timeout=60, trust_env=False).raise_for_status()

    def received(self, service: str) -> list[dict[str, Any]]:
        """Return what a fake service received."""
        answer = httpx.get(f"{self.outside}/received/{service}", timeout=60, trust_env=False)
        return answer.raise_for_status().json()


DATA_KEY = "k" * 32


@contextlib.contextmanager
def running(
    database: DatabaseSettings, folder: Path, outside: str, smtp_port: int, secret: str
) -> Iterator[Backend]:
    """Yield a backend without processes; end at last those that were started."""
    for name, text in {
        "token": "t" * 32,
        "data_key": DATA_KEY,
        "hmac_key": "h" * 32,
        "secret": secret,
    }.items():
        (folder / name).write_text(text, encoding="utf-8")
    callers.write(folder / "callers")
    environment = {
        "PATH": os.environ["PATH"],
        "BACKEND_STRICT_EVENTS": "1",
        "DATABASE_URL": database.conninfo(),
        "API_CALLERS_FILE": str(folder / "callers"),
        "CONTACTS_ALLOWED": "email:*.example,sms:*,push:*",
        "INTERNAL_TOKEN_FILE": str(folder / "token"),
        "DATA_KEY_FILE": str(folder / "data_key"),
        "GLASSHOUSE_HMAC_KEY_FILE": str(folder / "hmac_key"),
        "CHAIN_RPC_URL": f"{outside}/chain",
        "CHAIN_POLL_INTERVAL": "0.05",
        "PAYMENT_CONFIRMATION_TIMEOUT": "30",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(smtp_port),
        "SMTP_STARTTLS": "false",
        "SMTP_FROM": "Backend <no-reply@backend.example>",
        "PROVIDER_URL": outside,
        "PROVIDER_SECRET_FILE": str(folder / "secret"),
    }
    backend = Backend(environment=environment, folder=folder, outside=outside)
    try:
        yield backend
    finally:
        for process in backend.processes:
            process.popen.kill()
            process.popen.wait(STOPPED_WITHIN_S)
