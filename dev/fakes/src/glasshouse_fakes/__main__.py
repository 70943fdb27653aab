"""The command ``glasshouse-fakes``."""

import asyncio
import logging
import sys
from typing import Final, NoReturn

import uvicorn

from glasshouse_fakes.app import create_app, create_services
from glasshouse_fakes.settings import Settings, SettingsError

EXIT_SETTINGS: Final = 2
GRACEFUL_SHUTDOWN_S: Final = 3


def main() -> None:
    """Serve until SIGTERM. Exit code 2: a setting is invalid, or a port is taken."""
    try:
        settings = Settings.load()
    except SettingsError as error:
        _fail(str(error))
    # The mail server's own log quotes what clients send.
    logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    services = create_services(settings)
    config = uvicorn.Config(
        create_app(settings, services),
        host=settings.host,
        port=settings.port,
        # One line a request would be most of what the sandbox writes.
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
    )
    for service in services:
        try:
            await service.start()
        except OSError as error:
            _fail(f"{service.name} cannot listen: {error.strerror}")
    await uvicorn.Server(config).serve()
    for service in services:
        await service.stop()


def _fail(message: str) -> NoReturn:
    sys.stderr.write(f"glasshouse-fakes: {message}\n")
    sys.exit(EXIT_SETTINGS)


if __name__ == "__main__":
    main()
