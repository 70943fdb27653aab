"""The command ``backend``: api, worker, migrate, forget, reseal, healthcheck, settings.

Imports stand inside the functions: the health check runs every few seconds and must start fast.
"""

import argparse
import os
import sys
from http.client import HTTPException
from typing import TYPE_CHECKING, Final
from urllib.request import urlopen

if TYPE_CHECKING:
    from backend.platform.settings import ErrorTrackingSettings, SettingsT

EXIT_FAILED: Final = 1
EXIT_SETTINGS: Final = 2
HEALTHCHECK_TIMEOUT_S: Final = 3
# Of an error report that are redacted; what is longer is cut.
ERROR_REPORT_CHARACTERS: Final = 128 << 10


def main() -> None:
    """Run one subcommand and exit with its code; 2 means settings are missing or invalid."""
    parser = argparse.ArgumentParser(prog="backend", description="Payments, jobs and health.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    actions: dict[str, argparse.ArgumentParser] = {}
    for name, action, purpose in (
        ("api", _api, "serve the HTTP API"),
        ("worker", _worker, "run jobs"),
        ("migrate", _migrate, "bring the database's schema up to date"),
        ("healthcheck", _healthcheck, "ask the API on this machine whether it is healthy"),
        ("forget", _forget, "erase a person: rows, and lines in Loki; see docs/personal-data.md"),
        ("reseal", _reseal, "encrypt again what is not under the first key of DATA_KEY_FILE"),
        ("settings", _settings, "list the settings of all commands as a Markdown table"),
    ):
        actions[name] = commands.add_parser(name, help=purpose, description=purpose)
        actions[name].set_defaults(action=action)
    actions["settings"].add_argument(
        "--write", metavar="FILE", help="put the rows into the table of this file instead"
    )
    actions["migrate"].add_argument(
        "--wait",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="how long to wait for a database that is starting (0)",
    )
    _describe_forget(actions["forget"])
    arguments = vars(parser.parse_args())
    sys.exit(arguments.pop("action")(**arguments))


def _api() -> int:
    from backend.api.app import create_app
    from backend.api.server import ListenError, Server
    from backend.platform.settings import ApiSettings

    settings = _prepare(ApiSettings)
    _start_error_tracking(settings, "backend-api")
    server = Server(create_app(settings), settings)
    try:
        server.run_on_ports()
    except ListenError as error:
        return _fail(str(error), EXIT_FAILED)
    return 0 if server.started else EXIT_FAILED


def _worker() -> int:
    import asyncio

    from backend.jobs.worker import run
    from backend.platform.settings import WorkerSettings

    settings = _prepare(WorkerSettings)
    _start_error_tracking(settings, "backend-worker")
    return asyncio.run(run(settings))


def _migrate(wait: float) -> int:
    import psycopg

    from backend.platform.encryption import Encryptor
    from backend.platform.migrate import MissingKeyError, migrate, wait_for_server
    from backend.platform.settings import MigrationSettings

    settings = _prepare(MigrationSettings)
    keys = settings.data_keys()
    try:
        wait_for_server(settings, wait)
        migrate(
            settings,
            app_role=settings.database_app_role,
            encryptor=keys and Encryptor(keys),
        )
    except MissingKeyError as error:
        return _fail(f"DATA_KEY_FILE is missing: {error}", EXIT_SETTINGS)
    except psycopg.OperationalError as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return _fail(f"DATABASE_URL: the database cannot be used: {reason}", EXIT_FAILED)
    return 0


def _healthcheck() -> int:
    port = os.environ.get("PORT") or "8000"
    try:
        # The scheme is fixed and the host is this machine.
        with urlopen(f"http://127.0.0.1:{port}/healthz", timeout=HEALTHCHECK_TIMEOUT_S):
            return 0
    except (OSError, HTTPException) as error:
        return _fail(f"unhealthy: {error}", EXIT_FAILED)


def _describe_forget(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("user", help="the user id; - reads it from the first line of stdin")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        metavar="ADDRESS",
        help="an e-mail address or phone number of the same person, to be found in Loki, too",
    )
    parser.add_argument(
        "--caller", metavar="NAME", help="only what this caller of the API made; else of every one"
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=30.0,
        metavar="SECONDS",
        help="how long to wait for payments, runs and notifications that are open (30)",
    )
    parser.add_argument(
        "--open",
        dest="erase_open",
        action="store_true",
        help="erase what is open, too, instead of waiting for it",
    )


def _forget(user: str, also: list[str], caller: str | None, wait: float, erase_open: bool) -> int:
    import asyncio

    import psycopg

    from backend.operations.forgetting import LokiError, OpenWorkError
    from backend.operations.forgetting_command import LokiUnavailableError, forget
    from backend.platform.settings import ForgetSettings

    settings = _prepare(ForgetSettings)
    if user == "-":
        user = sys.stdin.readline().strip()
    if not user:
        return _fail("forget: name the user", EXIT_SETTINGS)
    try:
        asyncio.run(
            forget(
                settings, [user, *also], owner=caller, wait=None if erase_open else wait, say=_say
            )
        )
    except OpenWorkError as error:
        what = "wait until it has ended, or erase it with --open"
        return _fail(f"forget: nothing was erased, work is open ({error}): {what}", EXIT_FAILED)
    except LokiUnavailableError as error:
        return _fail(f"forget: nothing was erased: {error}", EXIT_FAILED)
    except LokiError as error:
        return _fail(f"forget: the rows are erased, Loki's lines are not: {error}", EXIT_FAILED)
    except psycopg.OperationalError as error:
        return _fail(f"forget: nothing was erased: {type(error).__name__}", EXIT_FAILED)
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _reseal() -> int:
    import asyncio

    import psycopg

    from backend.operations.resealing import Resealed, reseal
    from backend.platform.database import create_pool
    from backend.platform.encryption import Encryptor
    from backend.platform.settings import ResealSettings

    settings = _prepare(ResealSettings)

    async def run() -> Resealed:
        async with create_pool(settings, application="backend-reseal") as pool:
            return await reseal(pool, Encryptor(settings.data_keys()))

    try:
        resealed = asyncio.run(run())
    except psycopg.OperationalError as error:
        return _fail(f"reseal: the database cannot be used: {type(error).__name__}", EXIT_FAILED)
    _say(f"{resealed.done} values encrypted again")
    if resealed.unreadable:
        return _fail(f"reseal: no key opens {resealed.unreadable} values", EXIT_FAILED)
    return 0


def _settings(write: str | None) -> int:
    from pathlib import Path

    from backend.platform import settings_table

    if write is None:
        sys.stdout.write(settings_table.table())
        return 0
    try:
        settings_table.write(Path(write))
    except (OSError, settings_table.TableError) as error:
        return _fail(f"{write}: {error}", EXIT_FAILED)
    return 0


def _start_error_tracking(settings: "ErrorTrackingSettings", service: str) -> None:
    from sentry_sdk.utils import BadDsn

    from backend.platform import error_tracking
    from backend.platform.settings import remedy
    from glasshouse.redaction import Redactor

    redactor = Redactor.default()

    def redact(event: object) -> object:
        # On the thread that failed. A report has some hundred frames.
        return redactor.for_caller(ERROR_REPORT_CHARACTERS).value(event)

    service = os.environ.get("OTEL_SERVICE_NAME") or service
    try:
        error_tracking.start(settings, service=service, redact=redact)
    except BadDsn:
        # Its text quotes the DSN.
        what_to_do = remedy(type(settings), "SENTRY_DSN")
        message = f"SENTRY_DSN is invalid: {what_to_do}, or leave it empty"
        sys.exit(_fail(message, EXIT_SETTINGS))


def _prepare(settings: "type[SettingsT]") -> "SettingsT":
    from backend.platform.settings import SettingsError, load_settings
    from glasshouse import ConfigurationError, configure_logging

    try:
        configure_logging()
        return load_settings(settings)
    except (SettingsError, ConfigurationError) as error:
        sys.exit(_fail(str(error), EXIT_SETTINGS))


def _fail(message: str, code: int) -> int:
    sys.stderr.write(f"backend: {message}\n")
    return code


if __name__ == "__main__":
    main()
