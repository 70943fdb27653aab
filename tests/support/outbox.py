"""Processes that write events and send them, each of which a test may kill."""

import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row

from backend.platform.migrate import migrate
from backend.platform.settings import DatabaseSettings
from support import postgres, processes
from support.otlp_sink import Sink
from support.processes import Backend, Process
from support.waiting import until

TESTS = Path(__file__).parents[1]
COUNTED = "payment.created"
ID = "payment.transaction_id"


def flat(record: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a record, by name."""
    return {one["key"]: next(iter(one["value"].values())) for one in record["attributes"]}


def arrived(sink: Sink, event: str = COUNTED) -> list[dict[str, Any]]:
    """The records of an event, in the order in which they came."""
    return [one for one in sink.log_records() if one.get("eventName") == event]


def uids(sink: Sink) -> Counter[str]:
    return Counter(flat(one)["log.record.uid"] for one in arrived(sink))


def paid(sink: Sink) -> Counter[str]:
    return Counter(flat(one)[ID] for one in arrived(sink))


@dataclass(kw_only=True)
class Writer:
    """A process that makes payments."""

    popen: subprocess.Popen[bytes]
    console: Path

    def lines(self) -> list[dict[str, Any]]:
        text = self.console.read_text(encoding="utf-8")
        return [json.loads(one) for one in text[: text.rfind("\n") + 1].splitlines()]

    def reported(self, key: str, count: int) -> list[dict[str, Any]]:
        """Wait until it has reported so many lines with this key; return them."""

        def probe() -> tuple[list[dict[str, Any]] | None, object]:
            found = [one for one in self.lines() if key in one]
            assert self.popen.poll() is None, self.console.read_text(encoding="utf-8")
            return (found if len(found) >= count else None), self.lines()[-3:]

        return until(probe, what=f"{count} lines with {key}")

    def kill(self) -> None:
        self.popen.kill()
        self.popen.wait(60)


@dataclass(kw_only=True)
class Scene:
    """A database of its own, and processes on it."""

    database: DatabaseSettings
    backend: Backend
    writers: list[Writer] = field(default_factory=list[Writer])

    def pay(self, count: int = 1, *options: str) -> Writer:
        """Start a process that makes payments."""
        console = self.backend.folder / f"paying-{len(self.writers)}.log"
        with console.open("wb") as out:
            popen = subprocess.Popen(
                [
                    str(processes.INSTRUMENT),
                    sys.executable,
                    *("-m", "support.paying", str(count)),
                    *options,
                ],
                env={
                    **self.backend.environment,
                    "PYTHONPATH": str(TESTS),
                    "OTEL_SERVICE_NAME": "backend-api",
                },
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        writer = Writer(popen=popen, console=console)
        self.writers.append(writer)
        return writer

    def paid(self, count: int = 1) -> list[dict[str, Any]]:
        """Make payments; kill the process that made them as soon as the last is committed."""
        writer = self.pay(count)
        made = writer.reported("payment", count)
        writer.kill()
        return made

    def worker(self, endpoint: str) -> Process:
        return self.backend.worker(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)

    def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        with psycopg.Connection[DictRow].connect(
            self.database.conninfo(), row_factory=dict_row, autocommit=True
        ) as connection:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

    def waiting(self) -> list[str]:
        """The ids of the payments' events that wait. Workers write others, of their jobs."""
        rows = self.rows("SELECT id FROM event_outbox WHERE name = %(name)s", name=COUNTED)
        return [str(row["id"]) for row in rows]

    def until_sent(self) -> None:
        def probe() -> tuple[bool | None, object]:
            left = len(self.waiting())
            return (None if left else True), f"{left} wait"

        until(probe, what="the outbox is empty")


@contextlib.contextmanager
def running(server: str, folder: Path) -> Iterator[Scene]:
    """Yield processes on a database of their own; end at last those that were started."""
    database = postgres.new_database(server)
    migrate(database)
    with processes.running(database, folder, "http://127.0.0.1:9", 9, "secret") as backend:
        backend.environment |= {
            "OTEL_PYTHON_DISTRO": "glasshouse",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            # Nobody listens there: what a worker does not send, nobody does.
            "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        }
        scene = Scene(database=database, backend=backend)
        try:
            yield scene
        finally:
            for writer in scene.writers:
                writer.kill()
