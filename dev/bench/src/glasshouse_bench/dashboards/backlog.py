"""Each statement of the service with a backlog behind it: how long it takes, and by which plan.

Every one is measured, those that write, too: in a transaction that is rolled back.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Final, LiteralString, cast

import psycopg
from psycopg import errors
from psycopg.sql import SQL
from psycopg.types.json import Jsonb

from backend.jobs.queue import JOBS
from backend.platform.queries import query

ROWS: Final = 100_000
REPEATS: Final = 3
# Below this number of rows read it is the planner's business whether it takes an index.
FEW: Final = 1_000
_HEADING: Final = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_PARAMETER: Final = re.compile(r"%\((\w+)\)s")
_DIGEST: Final = bytes(31) + b"\x07"
_SEALED: Final = b"\x01\x01" + b"\xab" * 60
# What a parameter is where a statement says nothing else: of a user with work to be done.
_VALUES: Final[Mapping[str, Any]] = {
    "alone": False,
    "amount": 1,
    "attempt": 1,
    "attributes": "{}",
    "blockchain_tx_id": "0x0",
    "channel": "email",
    "contact_digest": None,
    "contact_digests": [_DIGEST],
    "contact_sealed": None,
    "currency": "EUR",
    "days": 29,
    "digests": [_DIGEST],
    "error_class": "OSError",
    "error_type": "refused",
    "from_states": ["created", "submitted"],
    "id": "00000000-0000-4000-8000-000000000000",
    "idempotency_key": b"new",
    "job": "confirm_payment",
    "job_id": 1000,
    "jobs": list(JOBS),
    "key": 1,
    "level": 20,
    "limit": 500,
    "message": "Payment created",
    "message_id": "1",
    "name": "payment.created",
    "next_run_at": None,
    "occurred_at": "2026-01-02T03:04:05Z",
    "older_than": 60,
    "outcome": "failed",
    "owner": "app",
    "pattern": "0123456789abcdef0123",
    "position": 1,
    "positions": list(range(1, 201)),
    "queues": None,
    "resource": "{}",
    "result": Jsonb({}),
    "run_id": "run_" + "0" * 31 + "1",
    "schedule": None,
    "scheduled_for": None,
    "sealed": _SEALED,
    "session_id": "ses_1",
    "sla_seconds": 60,
    "state": "failed",
    "strategy": "dca",
    "template": "payment_confirmed",
    "trace_id": None,
    "traceparent": None,
    "user_digest": _DIGEST,
    "user_digests": [_DIGEST],
    "user_sealed": _SEALED,
    "worker": "worker-1",
    "worker_id": None,
}
_ONE_OF: Final = {
    "payment": "tx_",
    "notification": "ntf_",
    "run": "run_",
    "step": "run_",
}
# Read or write their whole table, and are to: what waits is few, or it is asked for once in a life.
WHOLE: Final[Mapping[str, str]] = {
    "erase_events_of": "looks into each event that waits; once for a forgotten user",
    "outbox_gauges": "counts what waits: the events themselves, which are few while they are taken",
    "report_payments": "adds up the last day: of all rows here the half",
    "report_notifications": "likewise",
    "forget_sessions": "a batch without a run, of any age that is over",
    "forget_contacts": "a batch of a tenth of them; there is an index for fewer",
}


@dataclass(frozen=True, kw_only=True)
class Scan:
    """A table that a plan reads from end to end. ``rows``: how many were there, of all turns."""

    table: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement: milliseconds, tables read from end to end, and the most turns of any step."""

    name: str
    ms: list[float]
    scans: list[Scan] = field(default_factory=list[Scan])
    turns: int = 1

    @property
    def median_ms(self) -> float:
        return statistics.median(self.ms)


def fill(conninfo: str, rows: int = ROWS, seed: float = 0.19) -> None:
    """Fill an empty database of the service with ``rows`` waiting jobs and what belongs to them."""
    text = (
        resources.files("glasshouse_bench.dashboards")
        .joinpath("backlog.sql")
        .read_text(encoding="utf-8")
    )
    _, *parts = _HEADING.split(text)
    with psycopg.connect(conninfo) as connection:
        for body in parts[1::2]:
            values = {"rows": rows, "seed": seed}
            # Ours, from the package.
            connection.execute(cast(LiteralString, _inlined(body, values)))
    with psycopg.connect(conninfo, autocommit=True) as connection:
        # As autovacuum does within a minute or two.
        connection.execute("VACUUM ANALYZE")


def _inlined(body: str, values: Mapping[str, float]) -> str:
    lines = [line for line in body.splitlines() if not line.startswith("--")]
    return _PARAMETER.sub(lambda found: str(values[found[1]]), "\n".join(lines))


def statements(rows: int = ROWS) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield name, statement and parameters of all that the service and its queue ask."""
    text = resources.files("backend.platform").joinpath("queries.sql").read_text(encoding="utf-8")
    for name in _HEADING.findall(text):
        if "migration" in name or name == "has_procrastinate":
            continue
        yield name, query(name), _values(name, query(name), rows)
    # Of the queue itself: what each worker asks for all the time.
    yield (
        "procrastinate: fetch_job",
        "SELECT * FROM procrastinate_fetch_job_v2(%(queues)s::varchar[], %(worker_id)s)",
        dict(_VALUES),
    )


def _values(name: str, statement: str, rows: int) -> dict[str, Any]:
    wanted = _PARAMETER.findall(statement)
    values = {one: _VALUES[one] for one in wanted}
    kind = next((kind for kind in _ONE_OF if kind in name.split("_")), None)
    if kind and not name.startswith("insert"):
        # One that waits.
        values["id"] = f"{_ONE_OF[kind]}{rows + 7:032x}"
    if name == "set_contact":
        values["contact_digest"] = _DIGEST
    if name == "insert_step":
        values |= {"run_id": f"run_{rows + 7:032x}", "name": "quote"}
    if name in {"new_events", "refused_events"}:
        values["limit"] = 200
    return values


def measure(
    conninfo: str, rows: int = ROWS, repeats: int = REPEATS, *, unwilling: bool = False
) -> list[Statement]:
    """Ask each statement; return how long it took on the server, and what it read whole.

    ``unwilling``: a table is read whole only where no index would do, however small it is.
    """
    with psycopg.connect(conninfo) as connection:
        if unwilling:
            connection.execute("SET enable_seqscan = off")
            connection.commit()
        sizes = _sizes(connection)
        return [
            _measured(connection, sizes, name, statement, values, repeats)
            for name, statement, values in statements(rows)
        ]


def ask(conninfo: str, name: str, statement: LiteralString) -> Statement:
    """Ask one other statement, which has no parameters, in the same way."""
    with psycopg.connect(conninfo) as connection:
        return _measured(connection, _sizes(connection), name, statement, {}, 1)


def _sizes(connection: psycopg.Connection[Any]) -> dict[str, int]:
    found = connection.execute(
        "SELECT relname, reltuples::bigint FROM pg_class WHERE relkind = 'r'"
    ).fetchall()
    connection.rollback()
    return dict(found)


def _measured(
    connection: psycopg.Connection[Any],
    sizes: Mapping[str, int],
    name: str,
    statement: Any,
    values: dict[str, Any],
    repeats: int,
) -> Statement:
    explain = SQL("EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) ")
    asked = explain + SQL(statement)
    times: list[float] = []
    plan: dict[str, Any] = {}
    for _ in range(repeats):
        try:
            row = connection.execute(asked, values).fetchone()
        except errors.Error as error:
            raise ValueError(f"{name}: {error}") from error
        finally:
            connection.rollback()
        if row is None:
            raise ValueError(f"{name}: no plan came back")
        [plan] = row[0]
        times.append(plan["Planning Time"] + plan["Execution Time"])
    top = plan["Plan"]
    return Statement(name=name, ms=times, scans=list(_scans(top, sizes)), turns=_turns(top))


def _turns(node: Mapping[str, Any]) -> int:
    return max(round(node["Actual Loops"]), *map(_turns, node.get("Plans", ())), 0)


def _scans(node: Mapping[str, Any], sizes: Mapping[str, int]) -> Iterator[Scan]:
    if node["Node Type"] == "Seq Scan" and sizes.get(node["Relation Name"], 0) > FEW:
        read = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        yield Scan(table=node["Relation Name"], rows=round(read))
    for child in node.get("Plans", ()):
        yield from _scans(child, sizes)
