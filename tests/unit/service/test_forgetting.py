"""A person is erased: every row, every event that waits, and Loki is asked for the lines."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any, LiteralString

import httpx
import procrastinate
import psycopg
import pytest
from pydantic import SecretStr

from backend.automation.store import NewRun, Runs, StepResult
from backend.jobs.queue import JobQueue
from backend.notifications.contact_book import Contacts
from backend.notifications.contacts import Contact
from backend.notifications.store import NewNotification, Notifications
from backend.operations.forgetting import (
    Forgetting,
    LokiError,
    Lokis,
    OpenWorkError,
    Pseudonyms,
)
from backend.operations.resealing import COLUMNS, reseal
from backend.payments.store import Failure, NewPayment, Payments, State
from backend.platform.database import Pool
from backend.platform.encryption import Encryptor
from backend.platform.settings import DatabaseSettings
from glasshouse.keyring import key_id, pseudonym, pseudonym_without_id
from glasshouse.redaction import Redactor
from support.http_server import Handler, serving

OLD, NEW = "o" * 32, "n" * 32
JANE, BOB = "jane@mail.example", "bob"
SMS = Contact(channel="sms", to="+4915112345678")
TABLES = (
    "payments",
    "notifications",
    "automation_sessions",
    "automation_runs",
    "automation_steps",
    "contacts",
    "procrastinate_jobs",
)


class World:
    """The stores on one database, under the keys given."""

    def __init__(self, pool: Pool, jobs: procrastinate.App, *keys: str) -> None:
        self.pool = pool
        self.encryptor = Encryptor(SecretStr("\n".join(keys)))
        queue = JobQueue(jobs)
        self.notifications = Notifications(pool, self.encryptor, queue.deliver_notification)
        self.payments = Payments(pool, self.encryptor, self.notifications, queue.confirm_payment)
        self.runs = Runs(pool, self.encryptor, self.notifications, queue.run_automation)
        self.contacts = Contacts(pool=pool, encryptor=self.encryptor)

    async def live(self, user: str, *, owner: str = "shop", ends: bool = True) -> None:
        """Make one of everything; with ``ends`` nothing of it is open."""
        new = NewPayment(owner=owner, user_id=user, amount=Decimal(5), currency="EUR", contact=SMS)
        made = await self.payments.create(new, None)
        run = await self.runs.request(
            NewRun(owner=owner, user_id=user, strategy="dca", sla=60, contact=SMS)
        )
        assert run is not None
        await self.runs.record_step(run.id, 0, StepResult(name="quote", result={}))
        sent = await self.notifications.create(
            NewNotification(
                owner=owner, user_id=user, contact=SMS, template="welcome", data={"name": user}
            )
        )
        await self.contacts.register(owner, user, SMS)
        if ends:
            await self.payments.mark_failed(
                made.payment.id, Failure.REVERTED, from_state=State.CREATED
            )
            await self.runs.mark_failed(run.id, "chain_error")
            await self.notifications.mark_delivered(sent.id, "m1")
            # Of the payment's end.
            for (queued,) in await self.rows("SELECT id FROM notifications WHERE state = 'queued'"):
                await self.notifications.mark_delivered(queued, "m2")

    async def rows(self, statement: LiteralString) -> list[tuple[Any, ...]]:
        async with self.pool.connection() as connection:
            cursor = await connection.execute(statement)
            return [tuple(row.values()) for row in await cursor.fetchall()]

    async def count(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for table in TABLES:
            [(number,)] = await self.rows(f"SELECT count(*) FROM {table}")  # type: ignore[arg-type]  # noqa: S608
            counts[table] = number
        return counts


World_ = Callable[..., World]


@pytest.fixture
def world(pool: Pool, jobs: procrastinate.App) -> World_:
    return lambda *keys: World(pool, jobs, *(keys or (OLD,)))


async def test_all_rows_of_a_person_go_and_no_other(world: World_, pool: Pool) -> None:
    all_ = world()
    await all_.live(BOB)
    before = await all_.count()
    await all_.live(JANE)
    assert await all_.count() == {table: 2 * number for table, number in before.items()}
    forgetting = Forgetting(pool, all_.encryptor, JANE)
    await forgetting.wait_for_open_work(0)
    counts = await forgetting.erase_rows(Pseudonyms.of([JANE], [OLD]))
    assert counts == {
        "jobs that waited": 4,
        "notifications": 2,
        "registered contacts": 1,
        "payments": 1,
        "automation runs": 1,
        "automation sessions": 1,
        "events that waited": 0,
    }
    assert await all_.count() == before
    assert (await forgetting.erase_rows(Pseudonyms.of([JANE], [OLD]))).keys() == counts.keys()
    assert await all_.count() == before


async def test_rows_under_a_previous_key_go_too(world: World_, pool: Pool) -> None:
    await world(OLD).live(JANE)
    later = world(NEW, OLD)
    await later.live(JANE)
    await Forgetting(pool, later.encryptor, JANE).erase_rows(Pseudonyms.of([JANE], [NEW]))
    assert set((await later.count()).values()) == {0}


async def test_another_caller_s_user_of_the_name_stays(world: World_, pool: Pool) -> None:
    all_ = world()
    await all_.live(JANE, owner="bank")
    before = await all_.count()
    await all_.live(JANE, owner="shop")
    forgetting = Forgetting(pool, all_.encryptor, JANE, "shop")
    await forgetting.erase_rows(Pseudonyms.of([JANE], [OLD]))
    assert await all_.count() == before
    await Forgetting(pool, all_.encryptor, JANE).erase_rows(Pseudonyms.of([JANE], [OLD]))
    assert set((await all_.count()).values()) == {0}


async def test_open_work_is_counted_and_waited_for(world: World_, pool: Pool) -> None:
    all_ = world()
    await all_.live(JANE, ends=False)
    with pytest.raises(OpenWorkError, match=r"^payments: 1, notifications: 1, runs: 1$"):
        await Forgetting(pool, all_.encryptor, JANE).wait_for_open_work(0)
    await Forgetting(pool, all_.encryptor, BOB).wait_for_open_work(0)


async def test_an_event_that_waits_goes_by_its_pseudonym(world: World_, pool: Pool) -> None:
    all_ = world()
    for user in (JANE, BOB):
        name = f"[user:{pseudonym(OLD.encode(), user.encode())}]"
        async with pool.connection() as connection:
            await connection.execute(
                "INSERT INTO event_outbox"
                " (id, occurred_at, name, message, level, attributes, resource)"
                " VALUES (gen_random_uuid(), now(), 'payment.created', 'x', 20, %s, '{}')",
                [json.dumps({"payment.user_id": name})],
            )
    counts = await Forgetting(pool, all_.encryptor, JANE).erase_rows(Pseudonyms.of([JANE], [OLD]))
    assert counts["events that waited"] == 1
    [(kept,)] = await all_.rows("SELECT attributes ->> 'payment.user_id' FROM event_outbox")
    assert kept == f"[user:{pseudonym(OLD.encode(), BOB.encode())}]"


async def test_registered_addresses_are_looked_for_in_loki(world: World_, pool: Pool) -> None:
    all_ = world()
    await all_.live(JANE)
    assert await Forgetting(pool, all_.encryptor, JANE).addresses() == [SMS.to]
    assert await Forgetting(pool, all_.encryptor, BOB).addresses() == []


def test_a_pattern_finds_every_name_of_a_person_and_none_of_others() -> None:
    found = Pseudonyms.of([JANE, SMS.to], [NEW, OLD])
    # Under each key: the user id, the same as an address, and the number.
    assert found.count == 6
    for key in (NEW, OLD):
        redacted = Redactor.load(key=key.encode())
        names = [redacted.text(JANE), redacted.text(SMS.to), redacted.value(JANE, "user_id")]
        assert [name[1:].partition(":")[0] for name in names] == ["email", "phone", "user"]
        for name in names:
            assert re.search(found.pattern, f"paid by {name}.")
            digits = name[-17:-1]
            assert digits.startswith(key_id(key.encode()))
        before = pseudonym_without_id(key.encode(), JANE.encode())
        assert re.search(found.pattern, f"[user:{before}]")
        other = redacted.value(BOB, "user_id")
        assert not re.search(found.pattern, other)
    assert not re.search(found.pattern, Redactor.load(key=b"x" * 32).value(JANE, "user_id"))


async def test_loki_is_asked_for_lines_by_the_pattern_over_all_that_it_keeps() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        if request.method == "POST":
            return httpx.Response(204)
        value = {"data": {"result": [{"value": [0, "7"]}]}}
        return httpx.Response(200, json=value)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        loki = Lokis(client, ["http://loki:3100/"], 14 * 86400)
        names = Pseudonyms.of([JANE], [OLD])
        assert await loki.count(names) == 7
        await loki.delete(names)
    _, deletion = asked
    assert deletion.url.path == "/loki/api/v1/delete"
    parameters = deletion.url.params
    assert f"|~ `{names.pattern}`" in parameters["query"]
    assert time.time() - int(parameters["start"]) == pytest.approx(14 * 86400 + 3600, abs=120)
    # Now, by Loki's clock.
    assert "end" not in parameters
    assert "x-scope-orgid" not in deletion.headers


async def test_each_of_several_lokis_is_asked_as_the_tenant() -> None:
    asked: list[tuple[str, str, str | None]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tenant = request.headers.get("x-scope-orgid")
        asked.append((request.method, str(request.url.copy_with(query=None)), tenant))
        value = {"data": {"result": [{"value": [0, "7"]}]}}
        return httpx.Response(204) if request.method == "POST" else httpx.Response(200, json=value)

    names = Pseudonyms.of([JANE], [OLD])
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        lokis = Lokis(client, ["http://a:3100/", "https://b/loki"], 86400, "team-a")
        await lokis.check()
        # Each has all lines: they are not counted twice.
        assert await lokis.count(names) == 7
        await lokis.delete(names)
    assert asked == [
        ("GET", "http://a:3100/loki/api/v1/delete", "team-a"),
        ("GET", "https://b/loki/loki/api/v1/delete", "team-a"),
        ("GET", "http://a:3100/loki/api/v1/query", "team-a"),
        ("POST", "http://a:3100/loki/api/v1/delete", "team-a"),
        ("POST", "https://b/loki/loki/api/v1/delete", "team-a"),
    ]


async def test_of_several_the_one_that_does_not_answer_is_named_without_its_password() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.host == "b":
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json=[])

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        lokis = Lokis(client, ["http://a:3100", "http://me:hunter2hunter2@b:3100"], 60)
        with pytest.raises(LokiError) as failed:
            await lokis.check()
    assert str(failed.value) == "LOKI_URL: no answer of http://b:3100: ConnectError"


async def test_a_loki_with_tenants_names_the_setting() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(401, text="no org id\n"))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(LokiError, match=r"^Loki answered 401: if it has tenants, set LOKI_TE"):
            await Lokis(client, ["http://loki"], 60).check()
        with pytest.raises(LokiError, match=r"^Loki answered 401: no org id$"):
            await Lokis(client, ["http://loki"], 60, "team-a").check()


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (httpx.Response(403, text="deletion is not available\n"), "Loki answered 403: deletion is"),
        (httpx.ConnectError("refused"), "LOKI_URL: no answer: ConnectError"),
    ],
)
async def test_a_refusal_of_loki_is_one_line(
    answer: httpx.Response | httpx.ConnectError, message: str
) -> None:
    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as client:
        with pytest.raises(LokiError, match=message):
            await Lokis(client, ["http://loki"], 60).delete(Pseudonyms.of([JANE], [OLD]))


async def test_everything_can_be_brought_under_a_new_key(world: World_, pool: Pool) -> None:
    before = world(OLD)
    await before.live(JANE)
    after = world(NEW, OLD)
    await after.live("new")
    await before.live(BOB, ends=False)
    resealed = await reseal(pool, after.encryptor, batch=2)
    assert (resealed.unreadable, resealed.done > 10) == (0, True)
    assert (await reseal(pool, after.encryptor)).done == 0
    # Without the old key from here on.
    alone = world(NEW)
    for column in COLUMNS:
        found = await alone.rows(f"SELECT {column.name} FROM {column.table}")  # type: ignore[arg-type]  # noqa: S608
        values = [bytes(value) for (value,) in found if value is not None]
        assert values, column
        assert {value[:2] for value in values} == {alone.encryptor.header}
    open_payment = await alone.rows("SELECT id FROM payments WHERE state = 'created'")
    payment = await alone.payments.find(open_payment[0][0])
    assert payment is not None
    assert payment.user_id == BOB
    await alone.contacts.check("shop", JANE, SMS)
    replayed = await alone.runs.request(NewRun(owner="shop", user_id=BOB, strategy="dca", sla=60))
    assert replayed is not None
    [(sessions,)] = await alone.rows("SELECT count(*) FROM automation_sessions")
    assert sessions == 3
    await Forgetting(pool, alone.encryptor, BOB).erase_rows(Pseudonyms.of([BOB], [OLD]))
    [(left,)] = await alone.rows("SELECT count(*) FROM payments")
    assert left == 2


async def test_what_no_key_opens_is_counted_and_left(world: World_, pool: Pool) -> None:
    await world(OLD).live(JANE)
    resealed = await reseal(pool, world(NEW).encryptor)
    assert resealed.done == 0
    assert resealed.unreadable > 0
    payment = await world(OLD).rows("SELECT id FROM payments")
    found = await world(OLD).payments.find(payment[0][0])
    assert found is not None
    assert found.user_id == JANE


def command(settings: DatabaseSettings, folder: Path, *arguments: str, **more: str) -> Any:
    (folder / "data_key").write_text(OLD)
    (folder / "hmac_key").write_text(f"{NEW}\n{OLD}\n")
    return subprocess.run(
        [sys.executable, "-m", "backend", *arguments],
        env={
            "PATH": os.environ["PATH"],
            "DATABASE_URL": settings.conninfo(),
            "DATA_KEY_FILE": str(folder / "data_key"),
            "HMAC_KEY_FILE": str(folder / "hmac_key"),
            **more,
        },
        input="jane@mail.example\n",
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


async def test_the_command_erases_nothing_while_loki_is_down(
    world: World_, empty: DatabaseSettings, tmp_path: Path
) -> None:
    """With the rows the addresses would be gone that Loki is to be asked for."""
    await world().live(JANE)
    before = await world().count()
    ended = command(empty, tmp_path, "forget", "-", LOKI_URL="http://127.0.0.1:1")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[-1] == (
        "backend: forget: nothing was erased: LOKI_URL: no answer: ConnectError"
    )
    assert await world().count() == before


async def test_the_command_erases_nothing_while_one_of_several_lokis_is_down(
    world: World_, empty: DatabaseSettings, tmp_path: Path
) -> None:
    await world().live(JANE)
    before = await world().count()
    with serving(WithoutLines) as url:
        several = f"{url}, http://127.0.0.1:1"
        ended = command(empty, tmp_path, "forget", "-", LOKI_URL=several, LOKI_TENANT="team-a")
        assert (ended.returncode, ended.stdout) == (1, "")
        assert ended.stderr.splitlines()[-1] == (
            "backend: forget: nothing was erased: LOKI_URL: no answer of http://127.0.0.1:1: "
            "ConnectError"
        )
        assert await world().count() == before
        # The control: with those that answer it is done.
        ended = command(empty, tmp_path, "forget", "-", LOKI_URL=f"{url},{url}")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert set((await world().count()).values()) == {0}


@pytest.mark.parametrize(
    ("variable", "value", "wanted"),
    [
        ("LOKI_URL", "http://loki:3100,loki", "the http(s) URL of Loki"),
        ("LOKI_URL", " , ", "the http(s) URL of Loki"),
        ("LOKI_URL", "http://me:hunter2hunter2@:99999", "the http(s) URL of Loki"),
        ("LOKI_TENANT", "team a", "the tenant whose lines they are"),
        ("LOKI_TENANT", "a|b", "the tenant whose lines they are"),
        ("LOKI_TENANT", "..", "the tenant whose lines they are"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(
    empty: DatabaseSettings, tmp_path: Path, variable: str, value: str, wanted: str
) -> None:
    ended = command(empty, tmp_path, "forget", "-", **{variable: value})
    assert ended.returncode != 0
    [line] = ended.stderr.splitlines()
    assert variable in line
    assert wanted in line
    assert "hunter2" not in line


class WithoutLines(Handler):
    """Answers as a Loki that has none."""

    def do_GET(self) -> None:
        self.answer(b'{"data": {"result": []}}')

    do_POST = do_GET


async def test_the_command_erases_rows_where_there_is_no_loki(
    world: World_, empty: DatabaseSettings, tmp_path: Path
) -> None:
    await world().live(JANE)
    ended = command(empty, tmp_path, "forget", "-")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = ended.stdout.splitlines()
    assert "1 payments, 1 automation runs" in lines[0]
    assert lines[1] == "Loki: nothing was asked for, LOKI_URL is not set"
    assert JANE not in ended.stdout
    assert set((await world().count()).values()) == {0}


async def test_the_command_erases_nothing_while_work_is_open(
    world: World_, empty: DatabaseSettings, tmp_path: Path
) -> None:
    await world().live(JANE, ends=False)
    before = await world().count()
    ended = command(empty, tmp_path, "forget", "--wait", "0.1", JANE, LOKI_URL="http://127.0.0.1:1")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == (
        "backend: forget: nothing was erased, work is open (payments: 1, notifications: 1, "
        "runs: 1): wait until it has ended, or erase it with --open"
    )
    assert await world().count() == before


async def test_the_command_reseals(world: World_, empty: DatabaseSettings, tmp_path: Path) -> None:
    await world(NEW).live(JANE)
    ended = command(empty, tmp_path, "reseal")
    assert ended.returncode == 1
    assert ended.stdout == "0 values encrypted again\n"
    (tmp_path / "keys").write_text(f"{OLD}\n{NEW}\n")
    ended = command(empty, tmp_path, "reseal", DATA_KEY_FILE=str(tmp_path / "keys"))
    assert (ended.returncode, ended.stderr) == (0, "")
    with psycopg.connect(empty.conninfo()) as connection:
        row = connection.execute("SELECT DISTINCT substring(user_sealed, 1, 2) FROM payments")
        assert row.fetchall() == [(Encryptor(SecretStr(OLD)).header,)]
