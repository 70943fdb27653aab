import re
from pathlib import Path

import pytest
from annotated_types import Ge, Gt, Le
from psycopg.conninfo import conninfo_to_dict

from backend.platform import settings_table
from backend.platform.settings import (
    PROCESSES,
    ApiSettings,
    DatabaseSettings,
    SettingsError,
    WorkerSettings,
    load_settings,
)
from support import callers

SECRET = "hunter2-in-the-url"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    password, token = tmp_path / "password", tmp_path / "token"
    password.write_text("from-the-file\n")
    token.write_text("0123456789abcdef\n")
    for name in (*ApiSettings.model_fields, *WorkerSettings.model_fields):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("DATABASE_URL", "postgresql://backend@db:5432/backend")
    monkeypatch.setenv("DATABASE_PASSWORD_FILE", str(password))
    monkeypatch.setenv("INTERNAL_TOKEN_FILE", str(token))
    key = tmp_path / "data_key"
    key.write_text("k" * 32)
    monkeypatch.setenv("DATA_KEY_FILE", str(key))
    monkeypatch.setenv("API_CALLERS_FILE", str(callers.write(tmp_path / "callers")))
    monkeypatch.setenv("CHAIN_RPC_URL", "http://chain:8025/chain")
    monkeypatch.setenv("PAYMENT_CONFIRMATION_TIMEOUT", "120")


def test_password_comes_from_its_file():
    conninfo = conninfo_to_dict(load_settings(DatabaseSettings).conninfo(connect_timeout=5))
    assert conninfo == {
        "user": "backend",
        "password": "from-the-file",
        "host": "db",
        "port": "5432",
        "dbname": "backend",
        "connect_timeout": "5",
    }


def test_password_may_stand_in_the_url(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("DATABASE_PASSWORD_FILE")
    monkeypatch.setenv("DATABASE_URL", f"postgresql://backend:{SECRET}@db/backend")
    conninfo = conninfo_to_dict(load_settings(DatabaseSettings).conninfo())
    assert conninfo["password"] == SECRET


def test_defaults_of_the_worker():
    settings = load_settings(WorkerSettings)
    assert settings.payment_confirmation_timeout == 120
    assert settings.chain_poll_interval == 0.5
    assert settings.worker_concurrency == 20


@pytest.mark.parametrize(
    ("settings", "variable", "value", "message"),
    [
        (DatabaseSettings, "DATABASE_URL", None, "DATABASE_URL is missing: set it to postgresql:"),
        (DatabaseSettings, "DATABASE_URL", "", "DATABASE_URL is missing: set it to postgresql:"),
        (
            DatabaseSettings,
            "DATABASE_URL",
            f"mysql://{SECRET}@db",
            "DATABASE_URL is invalid: set it to postgresql:",
        ),
        (
            DatabaseSettings,
            "DATABASE_PASSWORD_FILE",
            None,
            "DATABASE_PASSWORD_FILE is missing: set it to the path",
        ),
        (
            DatabaseSettings,
            "DATABASE_PASSWORD_FILE",
            "/nowhere",
            "DATABASE_PASSWORD_FILE names an unreadable file: set it to the path",
        ),
        (
            ApiSettings,
            "INTERNAL_TOKEN_FILE",
            "/dev/null",
            "INTERNAL_TOKEN_FILE names an empty file: set it to the path",
        ),
        (ApiSettings, "INTERNAL_TOKEN_FILE", None, "INTERNAL_TOKEN_FILE is missing: set it"),
        (ApiSettings, "TRUSTED_PROXIES", "10.0.0.0/8, proxy", "TRUSTED_PROXIES is invalid: set it"),
        (ApiSettings, "ALLOWED_HOSTS", "http://shop", "ALLOWED_HOSTS is invalid: set it to a list"),
        (ApiSettings, "CONTACTS_ALLOWED", "*@x.example", "CONTACTS_ALLOWED is invalid: set it to"),
        (ApiSettings, "INTERNAL_PORT", "8000", "INTERNAL_PORT is the public one: set it to a port"),
        (ApiSettings, "PORT", "70000", "PORT is invalid: set it to a port number"),
        (ApiSettings, "MAX_BODY_BYTES", "many", "MAX_BODY_BYTES is invalid: set it"),
        (WorkerSettings, "CHAIN_RPC_URL", "chain", "CHAIN_RPC_URL is invalid: set it to the http"),
        (
            WorkerSettings,
            "PAYMENT_CONFIRMATION_TIMEOUT",
            "0",
            "PAYMENT_CONFIRMATION_TIMEOUT is invalid: set it to a number of seconds",
        ),
    ],
)
def test_bad_setting_is_named_in_one_line_with_its_remedy(
    monkeypatch: pytest.MonkeyPatch,
    settings: type[DatabaseSettings],
    variable: str,
    value: str | None,
    message: str,
):
    if value is None:
        monkeypatch.delenv(variable)
    else:
        monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refused:
        load_settings(settings)
    text = str(refused.value)
    assert text.startswith(message)
    assert "\n" not in text
    assert SECRET not in text


def test_short_token_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    token = tmp_path / "short"
    token.write_text("only-a-few")
    monkeypatch.setenv("INTERNAL_TOKEN_FILE", str(token))
    with pytest.raises(SettingsError, match=r"^INTERNAL_TOKEN_FILE holds a short token: set it"):
        load_settings(ApiSettings)


def test_all_bad_settings_are_named_at_once(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CHAIN_RPC_URL")
    monkeypatch.setenv("WORKER_CONCURRENCY", "0")
    with pytest.raises(SettingsError) as refused:
        load_settings(WorkerSettings)
    assert str(refused.value).count("; ") == 1
    assert {"CHAIN_RPC_URL", "WORKER_CONCURRENCY"} <= set(str(refused.value).split())


@pytest.mark.parametrize(
    ("settings", "variable", "value", "message"),
    [
        (
            ApiSettings,
            "REDIS_URL",
            "nowhere",
            "REDIS_URL is invalid: set it to redis://host:6379/0 of the Redis or Valkey that counts"
            " requests for the rate limits; without it each process counts its own, or leave it"
            " empty",
        ),
        (
            WorkerSettings,
            "SMTP_HOST",
            "mail",
            "SMTP_FROM is missing or invalid: set it to the sender's address, such as"
            " no-reply@example.com; required with SMTP_HOST",
        ),
        (
            WorkerSettings,
            "WORKER_CONCURRENCY",
            "0",
            "WORKER_CONCURRENCY is invalid: set it to a number of jobs from 1 to 200 that run at"
            " the same time",
        ),
    ],
)
def test_the_remedy_is_the_description(
    monkeypatch: pytest.MonkeyPatch,
    settings: type[DatabaseSettings],
    variable: str,
    value: str,
    message: str,
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refused:
        load_settings(settings)
    assert str(refused.value) == message


@pytest.mark.parametrize("process", PROCESSES)
def test_a_description_says_what_a_value_is_and_its_bounds(process: str):
    for name, field in PROCESSES[process].model_fields.items():
        description = field.description or ""
        assert re.match(r"(a|an|the|true or false:) |`\w+://", description), name
        numbers = re.findall(r"[0-9.]*[0-9]", description)
        for rule in field.metadata:
            bound = {Ge: "ge", Gt: "gt", Le: "le"}.get(type(rule))
            if bound is not None:
                assert str(getattr(rule, bound)) in numbers, name


TABLE = f"""# Settings
{settings_table.HEADER}| `OLD` | api | is gone | off |
| `PORT` | api, cli | by hand | 1 |
| `SANDBOX_SEED` | sandbox | of the fakes | 0 |

The end.
"""


def test_rows_of_others_and_other_readers_stay():
    text = settings_table.updated(TABLE)
    assert settings_table.updated(text) == text
    before, _, rest = text.partition(settings_table.HEADER)
    *rows, empty, end = rest.splitlines()
    assert (before, empty, end) == ("# Settings\n", "", "The end.")
    assert rows[-1] == "| `SANDBOX_SEED` | sandbox | of the fakes | 0 |"
    assert [row for row in rows if "`PORT`" in row] == [
        "| `PORT` | api, cli | a port number from 1 to 65535 to listen on,"
        " which `backend healthcheck` asks | 8000 |"
    ]
    assert "OLD" not in text
    known = {name for settings in PROCESSES.values() for name in settings.model_fields}
    assert len(rows) - 1 == len(known)
