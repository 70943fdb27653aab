"""The backend works without the superuser, and its role can read and write rows alone."""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from procrastinate.schema import SchemaManager
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import SecretStr

from backend.jobs.queue import CONFIRM_PAYMENT, JobQueue
from backend.jobs.tasks import create_app as create_job_app
from backend.notifications.contacts import Contact
from backend.notifications.store import NewNotification, Notifications
from backend.payments.store import NewPayment, Payments
from backend.platform import people
from backend.platform.database import create_pool
from backend.platform.encryption import Encryptor
from backend.platform.migrate import MissingKeyError, migrate, ours, procrastinates
from backend.platform.queries import query
from backend.platform.settings import DatabaseSettings
from support import deployed, postgres
from support.ports import free

SCRIPT = deployed.ROOT / "postgres" / "roles.sh"
OWNER_PASSWORD, APP_PASSWORD = "owner's \\ password", "app"


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server of this test's own, with the role that made it."""

    conninfo: dict[str, Any]
    folder: Path

    def run_script(self) -> None:
        """Run the script as the container's first start does, on the socket."""
        environment = {
            "PATH": f"{postgres.programs()}:{os.environ['PATH']}",
            "PGHOST": self.conninfo["host"],
            "PGPORT": str(self.conninfo["port"]),
            "PGDATA": str(self.folder / "data"),
            "POSTGRES_USER": "postgres",
            "POSTGRES_DB": "backend",
            "OWNER_PASSWORD_FILE": str(self.folder / "owner"),
            "APP_PASSWORD_FILE": str(self.folder / "app"),
        }
        user: dict[str, Any] = (
            {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
        )
        ended = subprocess.run(
            ["bash", SCRIPT],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd=self.folder,
            **user,
        )
        assert ended.returncode == 0, ended.stderr

    def settings(self, user: str, password: str = "") -> DatabaseSettings:
        where = {**self.conninfo, "user": user, "dbname": "backend"}
        return DatabaseSettings.model_validate(
            {
                "database_url": make_conninfo(**where),
                "database_password": password or "unused",
            }
        )

    def ask(self, user: str, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.settings(user).conninfo(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


@pytest.fixture
def made_by() -> str:
    """The superuser's name. A test may give another."""
    return "postgres"


@pytest.fixture
def database(made_by: str) -> Iterator[Server]:
    folder = postgres.programs()
    if folder is None:
        pytest.skip("PostgreSQL's programs are not installed here")
    port = free(["postgres"])["postgres"]
    with postgres.installed(folder, superuser=made_by, port=port) as conninfo:
        where = conninfo_to_dict(conninfo)
        home = Path(str(where["host"]))
        for name, password in (("owner", OWNER_PASSWORD), ("app", APP_PASSWORD)):
            (home / name).write_text(password, encoding="utf-8")
            shutil.chown(home / name, home.owner())
        with psycopg.connect(conninfo, dbname="postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE backend")
        yield Server(conninfo={"host": str(home), "port": port}, folder=home)


def test_no_role_of_the_backend_is_more_than_it_must_be(database: Server) -> None:
    database.run_script()
    database.run_script()
    roles = database.ask(
        "postgres",
        "SELECT rolname, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls"
        " FROM pg_roles WHERE rolcanlogin ORDER BY rolname",
    )
    assert roles == [
        ("backend", False, False, False, False, False),
        ("backend_owner", False, False, False, False, False),
        ("postgres", True, True, True, True, True),
    ]


@pytest.fixture
def migrated(database: Server) -> Server:
    database.run_script()
    migrate(database.settings("backend_owner"), app_role="backend")
    return database


REFUSED = [
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "CREATE SCHEMA mine",
    "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE EXTENSION dblink",
    "CREATE ROLE mine",
    "ALTER TABLE payments ADD COLUMN mine int",
    "DROP TABLE payments",
    "TRUNCATE payments",
    "ALTER TABLE payments DISABLE TRIGGER ALL",
    "ALTER ROLE backend SUPERUSER",
    "SET ROLE backend_owner",
    "SET SESSION AUTHORIZATION postgres",
    "COPY payments TO PROGRAM 'cat > /tmp/rows'",
    "COPY payments FROM PROGRAM 'id'",
    "COPY payments TO '/tmp/rows'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "INSERT INTO schema_migrations (name) VALUES ('0099_mine.sql')",
    "DELETE FROM schema_migrations",
    "ALTER SYSTEM SET log_statement = 'all'",
    "DROP DATABASE backend",
]


def test_the_app_role_changes_rows_and_nothing_else(migrated: Server) -> None:
    for statement in REFUSED:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            migrated.ask("backend", statement)
    # The same statements are good ones: whoever may, can.
    assert migrated.ask("postgres", "CREATE TEMPORARY TABLE mine (id int)") == []
    assert migrated.ask("postgres", "COPY payments TO PROGRAM 'cat > /dev/null'") == []
    assert migrated.ask("backend_owner", "ALTER TABLE payments ADD COLUMN mine int") == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        migrated.ask("backend_owner", "COPY payments TO PROGRAM 'cat > /dev/null'")


def test_other_databases_are_closed_to_the_backend(migrated: Server) -> None:
    for name in ("postgres", "template1"):
        where = {**migrated.conninfo, "user": "backend", "dbname": name}
        with pytest.raises(psycopg.OperationalError, match="CONNECT"):
            psycopg.connect(**where)


async def test_the_app_role_is_enough_for_the_stores_and_the_queue(migrated: Server) -> None:
    encryptor = Encryptor(SecretStr("k" * 32))
    async with create_pool(migrated.settings("backend"), application="test") as pool:
        jobs = create_job_app({})
        await jobs.open_async(pool)

        queue = JobQueue(jobs)
        notifications = Notifications(pool, encryptor, queue.deliver_notification)
        payments = Payments(pool, encryptor, notifications, queue.confirm_payment)
        made = await payments.create(
            NewPayment(owner="shop", user_id="jane", amount=Decimal(5), currency="EUR"),
            "key",  # pyright: ignore[reportArgumentType]
        )
        assert made.payment.user_id == "jane"
        job = await jobs.job_manager.fetch_job(queues=None, worker_id=await _worker(jobs))
        assert job is not None
        assert (job.task_name, job.task_kwargs) == (
            CONFIRM_PAYMENT,
            {"payment_id": made.payment.id},
        )
        sent = await notifications.create(
            NewNotification(
                owner="shop",
                user_id="jane",
                contact=Contact(channel="sms", to="+4915112345678"),
                template="welcome",
                data={"name": "Jane"},
            )
        )
        assert await notifications.mark_delivered(sent.id, "m1") is not None


async def _worker(jobs: Any) -> int:
    return await jobs.job_manager.register_worker()


def test_the_superuser_comes_in_by_the_socket_alone(migrated: Server) -> None:
    def over_tcp(user: str, password: str) -> None:
        psycopg.connect(
            host="127.0.0.1",
            port=migrated.conninfo["port"],
            user=user,
            password=password,
            dbname="backend",
            connect_timeout=20,
        ).close()

    over_tcp("backend_owner", OWNER_PASSWORD)
    over_tcp("backend", APP_PASSWORD)
    with pytest.raises(psycopg.OperationalError, match="rejects connection"):
        over_tcp("postgres", "whatever")
    assert migrated.ask("postgres", "SELECT current_user") == [("postgres",)]


@contextlib.contextmanager
def of_before(settings: DatabaseSettings) -> Iterator[psycopg.Connection]:
    """Make the tables as they were when rows held user ids in clear text; yield a connection."""
    with psycopg.connect(settings.conninfo()) as connection:
        connection.execute(SchemaManager.get_schema().encode())
        connection.execute(query("create_migrations_table"))
        applied = [one.name for one in procrastinates()]
        for migration in ours():
            if migration.name < "0006":
                connection.execute(migration.sql.encode())
                applied.append(migration.name)
        for name in applied:
            connection.execute(query("record_migration"), {"name": name})
        yield connection


@pytest.mark.parametrize("made_by", ["backend"])
def test_a_database_of_before_is_brought_into_this_form(database: Server) -> None:
    """Its superuser was called `backend`, its rows held user ids in clear text."""
    encryptor = Encryptor(SecretStr("k" * 32))
    with of_before(database.settings("backend")) as connection:
        connection.execute(
            "INSERT INTO payments (id, user_id, amount, currency, contact_digest)"
            " SELECT 'tx_' || n, 'jane-' || n % 2, 5, 'EUR', '\\x01'"
            " FROM generate_series(1, 2500) AS n"
        )
        connection.execute(
            "INSERT INTO automation_sessions (id, user_id, strategy) VALUES ('as_1', 'jane-1', 'x')"
        )
    database.run_script()
    owner = database.settings("backend_owner")
    with pytest.raises(MissingKeyError, match="payments holds user ids in clear text"):
        migrate(owner, app_role="backend")
    done = migrate(owner, app_role="backend", encryptor=encryptor)
    assert "0010_sealed_users.sql" in done
    rows = database.ask("backend", "SELECT id, user_sealed, user_digest FROM payments")
    assert len(rows) == 2500
    for identifier, user_sealed, user_digest in rows:
        user = f"jane-{int(identifier[3:]) % 2}"
        assert people.opened(encryptor, user_sealed, identifier) == user
        assert people.digests(encryptor, user) == [user_digest]
    [(session,)] = database.ask("backend", "SELECT user_sealed FROM automation_sessions")
    assert people.opened(encryptor, session, "as_1") == "jane-1"
    assert database.ask("backend", "SELECT count(contact_digest) FROM payments") == [(0,)]
    columns = "SELECT table_name FROM information_schema.columns WHERE column_name = 'user_id'"
    assert database.ask("backend", columns) == []
    owned = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert database.ask("postgres", owned) == [("backend_owner",)]


def test_migrate_says_which_setting_is_missing(server: str) -> None:
    empty = postgres.new_database(server)
    with of_before(empty) as connection:
        connection.execute(
            "INSERT INTO payments (id, user_id, amount, currency) VALUES ('tx_1', 'jane', 5, 'EUR')"
        )
    ended = subprocess.run(
        [sys.executable, "-m", "backend", "migrate"],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": empty.conninfo()},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stderr.splitlines()[-1] == (
        "backend: DATA_KEY_FILE is missing: payments holds user ids in clear text"
    )
