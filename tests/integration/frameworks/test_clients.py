"""A stranger's calls to databases and services: one span each, and nothing of what they carry."""

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support import job_cells, ports
from support.cells import Cells
from support.frameworks import STOCK
from support.job_cells import SECRETS, Seen, Service
from support.received import Span

SECTION = "Databases and clients"
CONTEXT = ("traceparent", "tracestate", "baggage", "x-amzn-trace-id", "x-request-id")


@dataclass(frozen=True, kw_only=True)
class Client:
    """One example. calls: the names of its spans. statements: what they say of SQL or commands.

    failed: the error.type of its call that fails. sends: whether it calls the service.
    """

    name: str
    program: str
    calls: Sequence[str]
    failed: str
    statements: Sequence[str] = ()
    arguments: Sequence[str] = ()
    sends: bool = False


HTTP: dict[str, Any] = {"calls": ("GET", "POST", "GET", "GET"), "sends": True}
CLIENTS = [
    Client(
        name="psycopg",
        program="psycopg_app.py",
        calls=("CREATE", "INSERT", "INSERT", "SELECT", "SELECT"),
        failed="psycopg.errors.UndefinedTable",
        statements=(
            "CREATE TEMPORARY TABLE people (name text, mail text)",
            "INSERT INTO people VALUES (?, ?)",
            "INSERT INTO people VALUES (%s, %s)",
            "SELECT count(*) FROM people WHERE name = ?",
            "SELECT name FROM people WHERE name = %s",
        ),
    ),
    Client(
        name="asyncpg",
        program="asyncpg_app.py",
        calls=("CREATE", "INSERT", "BEGIN;", "SELECT", "COMMIT;", "SELECT"),
        failed="asyncpg.exceptions.UndefinedColumnError",
        statements=(
            "CREATE TEMPORARY TABLE people (name text, mail text)",
            "INSERT INTO people VALUES (?, ?)",
            "BEGIN;",
            "SELECT * FROM people WHERE name = $1",
            "COMMIT;",
            "SELECT age FROM people WHERE name = ?",
        ),
    ),
    Client(
        name="Redis, Valkey",
        program="redis_app.py",
        calls=("SET", "GET HSET", "INCRBY", "GET"),
        failed="redis.exceptions.ResponseError",
        statements=("SET ? ?", "GET ?\nHSET ? ? ?", "INCRBY ? ?", "GET ?"),
    ),
    Client(name="requests", program="requests_app.py", failed="ConnectionError", **HTTP),
    Client(name="httpx", program="httpx_app.py", failed="ConnectError", **HTTP),
    Client(name="urllib", program="urllib_app.py", failed="URLError", **HTTP),
    Client(name="urllib3", program="urllib3_app.py", failed="NewConnectionError", **HTTP),
    Client(
        name="boto3",
        program="boto3_app.py",
        calls=("S3.PutObject", "SQS.SendMessage", "S3.GetObject"),
        failed="botocore.errorfactory.NoSuchKey",
        sends=True,
    ),
    Client(
        name="gRPC",
        program="grpc_app.py",
        calls=("/people.People/Read", "/people.People/Read"),
        failed="grpc._channel._InactiveRpcError",
        arguments=("127.0.0.1:{port}",),
    ),
]


@pytest.fixture(scope="module", params=CLIENTS, ids=lambda client: client.name)
def client(request: pytest.FixtureRequest) -> Client:
    return request.param


@pytest.fixture(scope="module")
def places(database: str, valkey: str, service: Service) -> dict[str, str]:
    """Where the examples find what they call."""
    return {"DATABASE_URL": database, "REDIS_URL": valkey, "SERVICE_URL": service.url}


def run(
    client: Client,
    folder: Path,
    places: dict[str, str],
    *,
    distro: str | None = "glasshouse",
    **variables: str,
) -> Seen:
    port = str(ports.free(["grpc"])["grpc"])
    words = [client.program, *(word.replace("{port}", port) for word in client.arguments)]
    return job_cells.look(words, folder, {**places, **variables}, distro=distro)


@pytest.fixture(scope="module")
def seen(
    client: Client,
    service: Service,
    places: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Seen:
    """One run of the example, for all checks; what the service got of it."""
    service.forget()
    seen = run(client, tmp_path_factory.mktemp("client"), places)
    seen.received = service.taken()
    return seen


def calls(seen: Seen) -> list[Span]:
    return [span for span in seen.spans if span.kind in ("CLIENT", "PRODUCER")]


def test_each_call_is_one_span_of_its_caller(client: Client, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(client.name, "one span a call, in one trace", section=SECTION):
        assert seen.code == 0, seen.console
        assert Counter(span.name for span in calls(seen)) == Counter(client.calls)
        caller = seen.caller()
        assert {(span.trace, span.parent) for span in calls(seen)} == {(caller.trace, caller.id)}


def test_no_value_is_in_a_statement(client: Client, seen: Seen, recorded: Cells) -> None:
    if not client.statements:
        pytest.skip("it has no statements")
    with recorded.checking(client.name, "statements without values", section=SECTION):
        texts = [span.attributes["db.query.text"] for span in calls(seen)]
        assert Counter(texts) == Counter(client.statements)


def test_nothing_that_is_sent_is_recorded(client: Client, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(client.name, "no values, no credentials", section=SECTION):
        assert calls(seen)
        for secret in (*SECRETS, "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI"):
            assert secret not in seen.text
            assert secret not in seen.console


def test_a_call_that_fails_is_an_error(client: Client, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(client.name, "exceptions", section=SECTION):
        [failed] = [span for span in calls(seen) if span.status == "ERROR"]
        kinds = [event.attributes["exception.type"] for event in failed.events]
        error = failed.attributes.get("error.type", client.failed)
        assert client.failed in {*kinds, error}
        assert len(failed.events) <= 1


def test_context_is_sent_to_listed_hosts_alone(
    client: Client,
    seen: Seen,
    service: Service,
    places: dict[str, str],
    recorded: Cells,
    tmp_path: Path,
) -> None:
    if not client.sends:
        pytest.skip("it does not call the service")
    with recorded.checking(client.name, "context to listed hosts alone", section=SECTION):
        assert seen.received
        for call in seen.received:
            assert not set(CONTEXT) & set(call.headers)
            assert b"traceparent" not in call.body
        service.forget()
        listed = run(client, tmp_path, places, GLASSHOUSE_PROPAGATION_HOSTS="127.0.0.1")
        ids = {base64.b64decode(span.id).hex() for span in calls(listed)}
        for call in service.taken():
            sent = " ".join(call.headers.get(name, "") for name in CONTEXT)
            assert any(one in sent for one in ids), call


def test_the_program_does_what_it_does_without(
    client: Client, seen: Seen, places: dict[str, str], recorded: Cells, tmp_path: Path
) -> None:
    with recorded.checking(client.name, "works as without", section=SECTION):
        bare = run(client, tmp_path, places, distro=None)
        assert bare.code == 0, bare.console
        assert bare.stdout
        assert (seen.code, seen.printed) == (bare.code, bare.stdout)


def test_the_stock_distro_shows_the_address(
    service: Service, places: dict[str, str], tmp_path: Path
) -> None:
    """The control: were it not shown, nothing above would be redacted."""
    seen = job_cells.look(["requests_app.py"], tmp_path, places, distro=STOCK)
    assert job_cells.PERSON in seen.text
    assert any("traceparent" in call.headers for call in service.taken())
