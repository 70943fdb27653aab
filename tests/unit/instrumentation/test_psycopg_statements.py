"""psycopg's statements leave the same, whoever records them: upstream's instrumentation or ours."""

import asyncio
import itertools
import logging
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from opentelemetry import trace
from opentelemetry.instrumentation import _semconv
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler
from psycopg.sql import SQL, Composed, Identifier, Literal

from glasshouse.instrumentors import psycopg_statements
from glasshouse.instrumentors.psycopg_statements import statements
from support.server_records import Recorded, surroundings

Outcome = int | None | BaseException | str
# Comes out later than the rest of its group.
upstream: Any = pytest.importorskip("opentelemetry.instrumentation.psycopg")
QUERIES: dict[str, Any] = {
    "plain": "SELECT id, state FROM payments WHERE id = %s",
    "lower": "select 1",
    "one word": "COMMIT",
    "spaces": "\n\t  UPDATE payments SET state = 'done'\n",
    "comment": "/* of the shop */ DELETE FROM payments",
    "two comments": "/* a *//* b */ SELECT 1",
    "comment of two lines": "/* a\n b */ SELECT 1",
    "open comment": "/* a SELECT 1",
    "comment alone": "/* a */ x",
    "line comment": "-- a\nSELECT 1",
    "empty": "",
    "personal": "SELECT * FROM people WHERE email = 'ada@example.com'",
    "bytes": b"SELECT \xff",
    "composed": SQL("SELECT {} FROM {}").format(Literal(1), Identifier("payments")),
    "composable": SQL("INSERT INTO payments VALUES (1)"),
    "no words": Composed([SQL("/* a */ ")]),
    "odd word": "S\xc9LECT 1",
    "long": "SELECT " + "1, " * 5000 + "1",
    "number": 5,
}
OUTCOMES: dict[str, Outcome] = {
    "rows": 3,
    "no rows": 0,
    "unknown": -1,
    "nothing": None,
    "odd": "three",
    "error": psycopg.errors.UniqueViolation("duplicate key ada@example.com"),
    "cancelled": asyncio.CancelledError(),
    "stop": KeyboardInterrupt(),
}


class Info:
    dbname = "shop"
    host = "db.example"
    port = 5432
    user = "backend"


class Unnamed:
    """A connection over a socket, to what has no name."""

    dbname = ""
    host = None
    port = None
    user = ""


class Cursor:
    """A driver's, with the outcome that it is made for."""

    # What statements of parts are put together by.
    adapters = psycopg.adapters
    connection = None

    def __init__(self, outcome: Outcome, seen: list[Any]) -> None:
        self.rowcount = outcome
        self.seen = seen

    def _answer(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        self.seen.append((args, kwargs, surroundings()))
        if isinstance(self.rowcount, BaseException):
            # A new one each time: a trace grows with each raise.
            raise type(self.rowcount)(*self.rowcount.args)
        return "answer"

    def execute(self, *args: Any, **kwargs: Any) -> str:
        return self._answer(args, kwargs)

    executemany = callproc = execute


class AsyncCursor(Cursor):
    async def execute(self, *args: Any, **kwargs: Any) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]  # as psycopg has it
        await asyncio.sleep(0)
        return self._answer(args, kwargs)

    executemany = callproc = execute  # pyright: ignore[reportAssignmentType]


class Database:
    """A connection that upstream's instrumentation has wrapped."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *,
        info: Any = Info,
        sampler: Sampler = ALWAYS_ON,
        **options: Any,
    ) -> None:
        self.recorded = Recorded(sampler)
        self.seen: list[Any] = []
        monkeypatch.setattr(
            _semconv._OpenTelemetrySemanticConventionStability, "_initialized", False
        )
        self._integrations = [
            kind(
                upstream.__name__,
                "postgresql",
                connection_attributes=upstream.PsycopgInstrumentor._CONNECTION_ATTRIBUTES,
                version=upstream.__version__,
                tracer_provider=self.recorded.tracers,
                meter_provider=self.recorded.meters,
                connect_module=psycopg,
                **options,
            )
            for kind in (upstream.DatabaseApiIntegration, upstream.DatabaseApiAsyncIntegration)
        ]
        self._factories = [
            upstream._new_cursor_factory(self._integrations[0], Cursor),
            upstream._new_cursor_async_factory(self._integrations[1], AsyncCursor),
        ]
        self.info = info
        if info is not None:
            self.connect()

    def connect(self) -> None:
        for each in self._integrations:
            each.get_connection_attributes(type("Connection", (), {"info": self.info}))

    def run(self, outcome: Outcome, method: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Run a statement on a plain and on an asynchronous cursor; return all that came of it."""
        self.recorded.take()
        self.seen.clear()
        came: list[Any] = []
        for factory, run in zip(self._factories, (lambda answer: answer, _wait), strict=True):
            try:
                cursor: Any = factory(outcome, self.seen)
                came.append(run(getattr(cursor, method)(*args, **kwargs)))
            except BaseException as error:  # noqa: BLE001  # what it is, is compared
                came.append((type(error), str(error)))
        return {"came": came, "seen": self.seen.copy(), **self.recorded.take()}


def _wait(answer: Any) -> Any:
    try:
        while True:
            answer.send(None)
    except StopIteration as end:
        return end.value


@pytest.fixture(autouse=True)
def stable(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    yield
    statements.uninstall()
    monkeypatch.setattr(_semconv._OpenTelemetrySemanticConventionStability, "_initialized", False)


class Both:
    """A database recorded by upstream, and one recorded by us."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **options: Any) -> None:
        statements.uninstall()
        self.theirs = Database(monkeypatch, **options)
        self.ours = Database(monkeypatch, **options)
        self._patch = monkeypatch

    def same(self, what: str, outcome: Outcome, method: str, *args: Any, **kwargs: Any) -> Any:
        statements.uninstall()
        expected = self.theirs.run(outcome, method, *args, **kwargs)
        statements.install()
        found = self.ours.run(outcome, method, *args, **kwargs)
        for part, value in expected.items():
            assert found[part] == value, f"{what}: {part}"
        return found


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keep the text of each statement that we recorded."""
    kept: list[str] = []
    describe = psycopg_statements._Connection.describe

    def keep(self: Any, span: Any, text: str) -> None:
        kept.append(text)
        describe(self, span, text)

    monkeypatch.setattr(psycopg_statements._Connection, "describe", keep)
    return kept


def test_what_leaves_is_the_same(monkeypatch: pytest.MonkeyPatch, counted: list[str]) -> None:
    both = Both(monkeypatch)
    for (query, text), (name, outcome) in itertools.product(QUERIES.items(), OUTCOMES.items()):
        both.same(f"{query}, {name}", outcome, "execute", text, ("ada@example.com",))
    # Once on a plain and once on an asynchronous cursor.
    assert len(counted) == 2 * len(QUERIES) * len(OUTCOMES)
    [span, _] = both.same("once more", 1, "execute", QUERIES["plain"])["spans"]
    assert (span["name"], span["attributes"]) == (
        "SELECT",
        {
            "db.system.name": "postgresql",
            "db.namespace": "shop",
            "db.query.text": QUERIES["plain"],
            "server.address": "db.example",
            "server.port": 5432,
        },
    )


@pytest.mark.parametrize("opted", ["", "http", "database", "database/dup", "http/dup,database"])
def test_each_choice_of_conventions_is_kept(monkeypatch: pytest.MonkeyPatch, opted: str) -> None:
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", opted)
    both = Both(monkeypatch)
    for (query, text), outcome in itertools.product(QUERIES.items(), (1, OUTCOMES["error"])):
        both.same(query, outcome, "execute", text)


@pytest.mark.parametrize("method", ["execute", "executemany", "callproc"])
def test_each_method_hands_on_what_it_is_given(
    monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    both = Both(monkeypatch)
    both.same("nothing", 1, method)
    both.same("by name", 1, method, query="SELECT 1", params=[1])
    both.same("more", 1, method, "SELECT %s", [1], prepare=True)


def test_a_connection_without_names_is_recorded_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Both(monkeypatch, info=Unnamed)
    for query, text in QUERIES.items():
        both.same(query, 1, "execute", text)


def test_what_a_connection_learns_later_is_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Both(monkeypatch, info=None)
    both.same("before", 1, "execute", "SELECT 1")
    for database in (both.theirs, both.ours):
        database.info = Info
        database.connect()
    [span, _] = both.same("after", 1, "execute", "SELECT 1")["spans"]
    assert span["attributes"]["db.namespace"] == "shop"


def test_a_sampler_and_a_parent_decide_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    both = Both(monkeypatch, sampler=ALWAYS_OFF)
    assert both.same("off", 1, "execute", "SELECT 1")["spans"] == []
    both = Both(monkeypatch)
    # Of another provider, whose ids are not counted here.
    with trace.use_span(Recorded().tracers.get_tracer("test").start_span("parent")) as parent:
        found = both.same("within", OUTCOMES["error"], "execute", "SELECT 1")
        assert [one["parent"] for one in found["spans"]] == [parent.get_span_context()] * 2
    with suppress_instrumentation():
        assert both.same("suppressed", 1, "execute", "SELECT 1")["spans"] == []


@pytest.mark.parametrize(
    "options",
    [{"capture_parameters": True}, {"enable_commenter": True},
     {"enable_commenter": True, "enable_attribute_commenter": True}],
    ids=str,
)  # fmt: skip
def test_an_option_that_is_not_carried_leaves_statements_to_upstream(
    monkeypatch: pytest.MonkeyPatch,
    counted: list[str],
    caplog: pytest.LogCaptureFixture,
    options: dict[str, bool],
) -> None:
    monkeypatch.setattr(statements, "_said", False)
    caplog.set_level(logging.INFO, "glasshouse")
    both = Both(monkeypatch, **options)
    for query in ("plain", "composed"):
        both.same(query, 1, "execute", QUERIES[query], ("parameter",))
    assert counted == []
    [line] = [one.message for one in caplog.records if one.name == "glasshouse"]
    assert line.startswith("psycopg: statements are recorded by upstream itself: it writes")


@pytest.mark.parametrize("digests", ["KNOWN_DBAPI", "KNOWN_PSYCOPG"])
def test_an_instrumentation_that_is_not_known_records_itself(
    monkeypatch: pytest.MonkeyPatch,
    counted: list[str],
    caplog: pytest.LogCaptureFixture,
    digests: str,
) -> None:
    monkeypatch.setattr(statements, "_said", False)
    monkeypatch.setattr(psycopg_statements, digests, frozenset({"another"}))
    caplog.set_level(logging.INFO, "glasshouse")
    both = Both(monkeypatch)
    both.same("plain", 1, "execute", QUERIES["plain"])
    assert counted == []
    [line] = [one.message for one in caplog.records if one.name == "glasshouse"]
    assert line.endswith("opentelemetry.instrumentation.psycopg is not the known one")


def test_the_installed_instrumentation_is_known(
    monkeypatch: pytest.MonkeyPatch, counted: list[str]
) -> None:
    """Otherwise compare the two, and add its digest."""
    Both(monkeypatch).same("plain", 1, "execute", "SELECT 1")
    assert counted == ["SELECT 1"] * 2


def test_a_statement_of_no_words_reaches_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Upstream's raises an IndexError for it."""
    database = Database(monkeypatch)
    statements.install()
    found = database.run(0, "execute", "  \n")
    assert found["came"] == ["answer", "answer"]
    assert [one["name"] for one in found["spans"]] == ["shop", "shop"]
    assert found["spans"][0]["attributes"]["db.query.text"] == "  \n"


def test_first_words_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[Any] = []
    measure = psycopg_statements._Connection.measure

    def keep(self: Any, *args: Any) -> None:
        measure(self, *args)
        kept.append(len(self._measured))

    monkeypatch.setattr(psycopg_statements._Connection, "measure", keep)
    both = Both(monkeypatch)
    for number in range(100):
        both.same("many", 1, "execute", f"WORD{number} x")
    assert max(kept) == 64
