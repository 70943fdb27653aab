"""Settings of each process, from environment variables and secret files.

They are built in `backend.__main__`, never at import.

A field's description says what a value is and what it is for, and completes "set it to …". The
message about a wrong value and the row in docs/settings.md are made from it.
"""

import re
from collections.abc import Mapping
from email.utils import parseaddr
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Final, LiteralString, TypeVar, cast

from croniter import croniter
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from pydantic import (
    AfterValidator,
    Field,
    HttpUrl,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from backend.platform.callers import Callers, CallersError
from glasshouse.keyring import KeyFile

MIN_TOKEN_CHARACTERS: Final = 16
MIN_KEY_CHARACTERS: Final = 32
CRON_FIELDS: Final = 5
# A name, a name with all below it, an address of either kind; without a port.
_HOST: Final = re.compile(r"\*|(\*\.)?[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")

# As Loki takes it: https://grafana.com/docs/loki/latest/operations/multi-tenancy/.
_TENANT: Final = re.compile(r"[A-Za-z0-9!\-_.*'()]{1,150}")


class SettingsError(Exception):
    """Settings are missing or invalid. The message is one line and names each variable."""


def _known_conninfo(url: SecretStr) -> SecretStr:
    try:
        conninfo_to_dict(url.get_secret_value())
    except ProgrammingError:
        # Their text quotes the URL, which may hold a password.
        raise _complaint("is not a PostgreSQL URL") from None
    return url


def _read_secret(variable: str, path: Path) -> SecretStr:
    try:
        secret = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise _complaint(f"{variable} names an unreadable file") from None
    if not secret:
        raise _complaint(f"{variable} names an empty file")
    return SecretStr(secret)


def _read_keys(variable: str, path: Path, shortest: int, word: str) -> KeyFile:
    """Return the file's keys or tokens (``word``); the current one has so many characters."""
    try:
        file = KeyFile(path)
    except (OSError, UnicodeDecodeError):
        raise _complaint(f"{variable} names an unreadable file") from None
    if not file.keys:
        raise _complaint(f"{variable} names an empty file")
    if len(file.keys[0]) < shortest:
        raise _complaint(f"{variable} holds a short {word}")
    return file


def _read_data_keys(path: Path) -> KeyFile:
    return _read_keys("DATA_KEY_FILE", path, MIN_KEY_CHARACTERS, "key")


def _complaint(text: str) -> PydanticCustomError:
    # Its type asks for a literal because the text is a template; ours has no braces.
    return PydanticCustomError("setting", cast(LiteralString, text))


class _Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_ignore_empty=True, extra="ignore", frozen=True, hide_input_in_errors=True
    )


class DatabaseSettings(_Settings):
    """Where Postgres is. The password comes from a file, a variable, or stands in the URL."""

    database_url: Annotated[SecretStr, AfterValidator(_known_conninfo)] = Field(
        description="`postgresql://user@host:5432/database`"
    )
    database_password_file: Path | None = Field(
        None,
        description="the path of a readable file that holds the password of the database, unless "
        "`DATABASE_PASSWORD` or the URL does",
    )
    database_password: SecretStr | None = Field(
        None, description="the password of the database, where there is no file"
    )
    db_pool_max: int = Field(
        10,
        ge=2,
        le=100,
        description="a number of connections from 2 to 100, the most that one process opens",
    )

    @model_validator(mode="before")
    @classmethod
    def _read_password(cls, values: Any) -> Any:
        path = values.get("database_password_file")
        if path:
            secret = _read_secret("DATABASE_PASSWORD_FILE", Path(path))
            return {**values, "database_password": secret}
        return values

    @model_validator(mode="after")
    def _has_password(self) -> "DatabaseSettings":
        url = self.database_url.get_secret_value()
        if self.database_password is None and not conninfo_to_dict(url).get("password"):
            raise _complaint("DATABASE_PASSWORD_FILE is missing")
        return self

    def conninfo(self, **parameters: str | int) -> str:
        """Return the connection string with the password and further libpq parameters."""
        if self.database_password is not None:
            parameters["password"] = self.database_password.get_secret_value()
        return make_conninfo(self.database_url.get_secret_value(), **parameters)


class MigrationSettings(DatabaseSettings):
    """Settings of ``backend migrate``, which connects as the owner of the tables."""

    database_app_role: str | None = Field(
        None,
        min_length=1,
        description="the name of the role that the API and the workers connect as: it gets the "
        "right to read and write rows",
    )
    data_key_file: Path | None = Field(
        None,
        description="the path of the file with the keys of the API and the worker; needed once, "
        "for a database whose rows hold user ids in clear text",
    )

    @model_validator(mode="after")
    def _has_data_key(self) -> "MigrationSettings":
        self.data_keys()
        return self

    def data_keys(self) -> KeyFile | None:
        """Return the keys, if there are any."""
        return None if self.data_key_file is None else _read_data_keys(self.data_key_file)


def _known_redis_url(url: SecretStr) -> SecretStr:
    scheme, _, rest = url.get_secret_value().partition("://")
    if scheme not in ("redis", "rediss", "unix") or not rest:
        raise _complaint("is not a Redis URL")
    return url


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


_URL: Final = TypeAdapter(HttpUrl)


def _known_urls(urls: str) -> str:
    parts = _parts(urls)
    for part in parts:
        try:
            _URL.validate_python(part)
        except ValidationError:
            # Their text quotes the URL, which may hold a password.
            raise _complaint("is no list of URLs") from None
    if not parts:
        raise _complaint("is no list of URLs")
    return urls


def _known_tenant(tenant: str) -> str:
    if not _TENANT.fullmatch(tenant) or tenant in {".", ".."}:
        raise _complaint("is no name of a tenant")
    return tenant


def _known_hosts(hosts: str) -> str:
    for name in _parts(hosts):
        if not _HOST.fullmatch(name):
            raise _complaint("is no list of host names")
    return hosts


def _known_networks(networks: str) -> str:
    for network in _parts(networks):
        try:
            ip_network(network)
        except ValueError:
            raise _complaint("is no list of networks") from None
    return networks


def _known_contacts(patterns: str) -> str:
    for pattern in _parts(patterns):
        channel, _, address = pattern.partition(":")
        if not channel or not address:
            raise _complaint("is no list of patterns")
    return patterns


class ErrorTrackingSettings(_Settings):
    """Where errors are reported to; nowhere while it is empty."""

    sentry_dsn: SecretStr | None = Field(
        None, description="`https://key@host/project`, where errors are reported to"
    )


class SmtpServerSettings(_Settings):
    """Where the mail server is. Without a host there is none."""

    smtp_host: str | None = Field(
        None,
        description="the name of the mail server; the worker sends over it, the API checks its "
        "health",
    )
    smtp_port: int = Field(
        587, ge=1, le=65535, description="a port number from 1 to 65535, the mail server's"
    )


class DataKeySettings(_Settings):
    """The key under which personal data is stored: the same in every process."""

    data_key_file: Path = Field(
        description=f"the path of a readable file with keys of at least {MIN_KEY_CHARACTERS} "
        "characters, one a line: user ids, addresses and data of notifications are stored under "
        "the first, and those stored under the others are still read"
    )

    @model_validator(mode="after")
    def _has_data_key(self) -> "DataKeySettings":
        self.data_keys()
        return self

    def data_keys(self) -> KeyFile:
        """Return the keys, the current one first."""
        return _read_data_keys(self.data_key_file)


def _known_duration(duration: str) -> str:
    if not re.fullmatch(r"[1-9][0-9]{0,6}[hd]", duration):
        raise _complaint("is no number of hours or days")
    return duration


def _known_cron(cron: str) -> str:
    if len(cron.split()) != CRON_FIELDS or not croniter.is_valid(cron):
        raise _complaint("is not a cron expression")
    return cron


class AutomationSettings(_Settings):
    """How long a run may take, in seconds, and when the scheduled one starts, in UTC."""

    automation_sla_seconds: float = Field(
        60,
        gt=0,
        allow_inf_nan=False,
        description="a number of seconds over 0, such as 60, in which an automation run is to be "
        "completed",
    )
    automation_cron: Annotated[str, AfterValidator(_known_cron)] = Field(
        "0 2 * * *",
        description="a cron expression of five fields, such as `0 2 * * *`, in UTC: when the "
        "nightly report runs",
    )


class MailSettings(SmtpServerSettings):
    """How mail is handed over. Without ``smtp_host`` the channel is off."""

    smtp_starttls: bool = Field(
        True, description="true or false: whether mail is handed over encrypted only"
    )
    smtp_username: str | None = Field(
        None,
        description="the login at the mail server, together with `SMTP_PASSWORD_FILE` and "
        "`SMTP_STARTTLS=true`",
    )
    smtp_password_file: Path | None = Field(
        None, description="the path of a readable file that holds the password of the login"
    )
    smtp_ca_file: Path | None = Field(
        None,
        description="the path of a readable file with certificates in PEM that the mail server's "
        "is checked against, instead of the system's",
    )
    smtp_from: str | None = Field(
        None,
        description="the sender's address, such as no-reply@example.com; required with `SMTP_HOST`",
    )

    @model_validator(mode="after")
    def _is_complete(self) -> "MailSettings":
        if self.smtp_host is None:
            return self
        if parseaddr(self.smtp_from or "")[1].count("@") != 1:
            raise _complaint("SMTP_FROM is missing or invalid")
        if (self.smtp_username is None) != (self.smtp_password_file is None):
            raise _complaint("SMTP_USERNAME stands alone")
        if self.smtp_username is not None and not self.smtp_starttls:
            raise _complaint("SMTP_USERNAME would be sent in clear text")
        if self.smtp_ca_file is not None and not self.smtp_ca_file.is_file():
            raise _complaint("SMTP_CA_FILE names an unreadable file")
        self.smtp_password()
        return self

    def smtp_password(self) -> SecretStr | None:
        """Return the password of the login, if there is one."""
        if self.smtp_password_file is None:
            return None
        return _read_secret("SMTP_PASSWORD_FILE", self.smtp_password_file)


class ProviderSettings(_Settings):
    """The provider of SMS and push. Without ``provider_url`` both channels are off."""

    provider_url: HttpUrl | None = Field(
        None,
        description="the http(s) URL of the SMS and push provider, called at `<url>/sms` and "
        "`<url>/push`",
    )
    provider_secret_file: Path | None = Field(
        None,
        description="the path of a readable file with secrets, one a line, of which the first "
        "signs the requests to the provider; required with `PROVIDER_URL`",
    )

    @model_validator(mode="after")
    def _has_secret(self) -> "ProviderSettings":
        if self.provider_url is not None:
            self.provider_secrets()
        return self

    def provider_secrets(self) -> KeyFile:
        """Return the secrets that requests are signed with: the first one."""
        if self.provider_secret_file is None:
            raise _complaint("PROVIDER_SECRET_FILE is missing")
        return _read_keys("PROVIDER_SECRET_FILE", self.provider_secret_file, 1, "secret")


def _days(default: int, what: str) -> Any:
    return Field(
        default,
        ge=1,
        le=36_500,
        description=f"a number of days from 1 to 36500 after which {what} is deleted",
    )


class RetentionSettings(_Settings):
    """How long the rows of each table are kept, in days after their end."""

    payment_retention_days: int = _days(3650, "a payment that ended")
    notification_retention_days: int = _days(90, "a notification that ended")
    automation_retention_days: int = _days(
        365, "an automation run that ended, with its steps, and a session without runs,"
    )
    job_retention_days: int = _days(
        30,
        "a job that ended, with its runs (each job's last run and last success stay),",
    )
    outbox_retention_days: int = _days(30, "an event that the Collector has not taken")
    contact_retention_days: int = _days(
        365, "a registered contact that was neither used nor registered again"
    )


class ForgetSettings(DataKeySettings, DatabaseSettings):
    """Settings of ``backend forget``."""

    hmac_key_file: Path = Field(
        description=f"the path of a readable file with keys of at least {MIN_TOKEN_CHARACTERS} "
        "characters, one a line: a person's pseudonyms under each of them are looked for"
    )
    loki_url: Annotated[str, AfterValidator(_known_urls)] | None = Field(
        None,
        description="the http(s) URL of Loki, from which a person's lines are deleted; where "
        "several Lokis share the lines those of all, with commas between",
    )
    loki_tenant: Annotated[str, AfterValidator(_known_tenant)] | None = Field(
        None,
        description="the tenant whose lines they are, up to 150 letters, digits and any of "
        "`!-_.*'()`, where Loki has several",
    )
    loki_retention: Annotated[str, AfterValidator(_known_duration)] = Field(
        "336h",
        description="a number of hours or days, such as 336h or 14d, that Loki keeps lines for",
    )

    @model_validator(mode="after")
    def _has_hmac_keys(self) -> "ForgetSettings":
        self.hmac_keys()
        return self

    def hmac_keys(self) -> tuple[str, ...]:
        """Return the keys of pseudonyms, the current one first."""
        variable = "HMAC_KEY_FILE"
        path = self.hmac_key_file
        return _read_keys(variable, path, MIN_TOKEN_CHARACTERS, "key").keys

    @property
    def loki_urls(self) -> list[str]:
        """Those of all Lokis; none where there is none."""
        return _parts(self.loki_url or "")

    @property
    def loki_retention_s(self) -> float:
        """Seconds that Loki keeps lines for."""
        return int(self.loki_retention[:-1]) * {"h": 3600, "d": 86400}[self.loki_retention[-1]]


class ResealSettings(DataKeySettings, DatabaseSettings):
    """Settings of ``backend reseal``."""


# The last base's variables are the first that a complaint names.
class ApiSettings(
    ErrorTrackingSettings,
    SmtpServerSettings,
    AutomationSettings,
    DataKeySettings,
    DatabaseSettings,
):
    """Settings of ``backend api``. Times are in seconds."""

    internal_token_file: Path = Field(
        description=f"the path of a readable file with tokens of at least {MIN_TOKEN_CHARACTERS} "
        "characters, one a line, each a bearer token for the internal endpoints"
    )
    api_callers_file: Path = Field(
        description="the path of a readable file with the callers of the API as JSON, each with "
        "its name, the SHA-256 of its key and its scopes (service/README.md); it is read again "
        "when it changes"
    )
    redis_url: Annotated[SecretStr, AfterValidator(_known_redis_url)] | None = Field(
        None,
        description="`redis://host:6379/0` of the Redis or Valkey that counts requests for the "
        "rate limits; without it each process counts its own",
    )
    stranger_rate: float = Field(
        10,
        gt=0,
        le=1_000_000,
        description="a number of requests a second over 0, at most 1000000, that one address may "
        "make without a key",
    )
    stranger_burst: int = Field(
        40,
        ge=1,
        le=1_000_000,
        description="a number of requests from 1 to 1000000 that one address may make at once "
        "without a key",
    )
    allowed_hosts: Annotated[str, AfterValidator(_known_hosts)] = Field(
        "localhost,127.0.0.1,[::1]",
        description="a list of host names with commas, such as `localhost,*.shop.example`, which "
        "requests are meant for; any other is answered with 421",
    )
    trusted_proxies: Annotated[str, AfterValidator(_known_networks)] = Field(
        "",
        description="a list of addresses or networks with commas, such as `10.0.0.0/8`, whose "
        "X-Forwarded-For says who calls",
    )
    contacts_allowed: Annotated[str, AfterValidator(_known_contacts)] = Field(
        "",
        description="a list of patterns with commas, such as `email:*@example.com,sms:+1555*`, of "
        "addresses that any caller may notify without registering them, for tests",
    )
    worker_max_heartbeat_age: float = Field(
        30,
        ge=5,
        le=3600,
        description="a number of seconds from 5 to 3600; without a heartbeat for so long "
        "`/healthz` fails",
    )
    grafana_url: HttpUrl | None = Field(
        None,
        description="the http(s) URL of Grafana as people's browsers reach it: the page "
        "`/jobs/status` links to its dashboard and to traces",
    )
    runbooks_url: HttpUrl | None = Field(
        None,
        description="the http(s) URL below which people's browsers find the runbook of each alert, "
        "as `<alert>.md`: the page `/jobs/status` links to them",
    )
    host: str = Field(
        "127.0.0.1", min_length=1, description="the address to listen on, such as 127.0.0.1"
    )
    port: int = Field(
        8000,
        ge=1,
        le=65535,
        description="a port number from 1 to 65535 to listen on, which `backend healthcheck` asks",
    )
    internal_port: int | None = Field(
        None,
        ge=1,
        le=65535,
        description="a port number from 1 to 65535 on which the internal paths need no token, "
        "never to be published",
    )
    max_connections: int = Field(
        500,
        ge=10,
        le=100_000,
        description="a number of connections from 10 to 100000, the most that are open at once",
    )
    head_timeout: float = Field(
        10,
        ge=1,
        le=3600,
        description="a number of seconds from 1 to 3600 in which the head of a request has to "
        "arrive, on a new connection or after the last answer",
    )
    body_timeout: float = Field(
        30,
        ge=1,
        le=3600,
        description="a number of seconds from 1 to 3600 in which a body has to arrive, and an "
        "answer to be taken",
    )
    max_body_bytes: int = Field(
        64 * 1024,
        ge=1024,
        le=16 * 1024 * 1024,
        description="a number of bytes from 1024 to 16777216, the largest request body",
    )

    @model_validator(mode="after")
    def _has_token(self) -> "ApiSettings":
        self.internal_tokens()
        return self

    @model_validator(mode="after")
    def _has_callers(self) -> "ApiSettings":
        try:
            self.callers()
        except CallersError as error:
            raise _complaint(f"API_CALLERS_FILE is no file of callers ({error})") from None
        return self

    @model_validator(mode="after")
    def _has_two_ports(self) -> "ApiSettings":
        if self.internal_port == self.port:
            raise _complaint("INTERNAL_PORT is the public one")
        return self

    def contact_patterns(self) -> list[str]:
        """Return the patterns of addresses that need no registration."""
        return _parts(self.contacts_allowed)

    def callers(self) -> Callers:
        """Return the callers. Raises CallersError."""
        return Callers(self.api_callers_file)

    def internal_tokens(self) -> KeyFile:
        """Return the bearer tokens for the internal endpoints."""
        path = self.internal_token_file
        return _read_keys("INTERNAL_TOKEN_FILE", path, MIN_TOKEN_CHARACTERS, "token")


class WorkerSettings(
    RetentionSettings,
    ErrorTrackingSettings,
    ProviderSettings,
    MailSettings,
    AutomationSettings,
    DataKeySettings,
    DatabaseSettings,
):
    """Settings of ``backend worker``. Times are in seconds, but for the one in days."""

    chain_rpc_url: HttpUrl = Field(
        description="the http(s) URL of the chain node's JSON-RPC endpoint"
    )
    payment_confirmation_timeout: float = Field(
        gt=0,
        allow_inf_nan=False,
        description="a number of seconds over 0, such as 120, until an unmined payment has failed",
    )
    chain_poll_interval: float = Field(
        0.5,
        ge=0.05,
        le=60,
        description="a number of seconds from 0.05 to 60 between two polls for a receipt",
    )
    worker_concurrency: int = Field(
        20, ge=1, le=200, description="a number of jobs from 1 to 200 that run at the same time"
    )
    alive_file: Path | None = Field(
        None,
        description="the path of a file that is written every 5 seconds while the event loop "
        "runs, for a health check",
    )
    api_probe_url: HttpUrl | None = Field(
        None,
        description="the http(s) URL of the API's `/livez` as others reach it, which the worker "
        "asks every 5 seconds, so that a dead API is noticed",
    )


# The commands that read settings.
PROCESSES: Final[Mapping[str, type[BaseSettings]]] = {
    "api": ApiSettings,
    "worker": WorkerSettings,
    "migrate": MigrationSettings,
    "forget": ForgetSettings,
    "reseal": ResealSettings,
}

SettingsT = TypeVar("SettingsT", bound=_Settings)


def load_settings(settings: type[SettingsT]) -> SettingsT:
    """Read the settings of one process.

    Raises:
        SettingsError: one line that names each bad variable and what to do.
    """
    try:
        return settings()
    except ValidationError as error:
        lines = [_explain(settings, dict(item)) for item in error.errors(include_input=False)]
        # The input is not repeated: it may be a secret.
        raise SettingsError("; ".join(dict.fromkeys(lines))) from None


def remedy(settings: type[BaseSettings], variable: str) -> str:
    """Return what to do about a wrong value, from the field's description."""
    description = settings.model_fields[variable.lower()].description or "another value"
    return f"set it to {description.replace('`', '')}"


def _explain(settings: type[BaseSettings], error: dict[str, Any]) -> str:
    if not error["loc"]:
        problem: str = error["msg"]
        return f"{problem}: {remedy(settings, problem.split()[0])}"
    variable = str(error["loc"][0]).upper()
    verdict = "is missing" if error["type"] == "missing" else "is invalid"
    # Whatever rule the value itself breaks, none applies to an optional setting that is not set.
    optional = settings.model_fields[variable.lower()].default is None
    alternative = ", or leave it empty" if optional else ""
    return f"{variable} {verdict}: {remedy(settings, variable)}{alternative}"
