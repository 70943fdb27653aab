"""The command ``glasshouse-sandbox``."""

import sys
from typing import Final

import uvicorn

from glasshouse_sandbox.app import create_app
from glasshouse_sandbox.settings import Settings, SettingsError

EXIT_SETTINGS: Final = 2
GRACEFUL_SHUTDOWN_S: Final = 3


def main() -> None:
    """Serve until SIGTERM. Exit code 2: a setting is invalid."""
    try:
        settings = Settings.load()
    except SettingsError as error:
        sys.stderr.write(f"glasshouse-sandbox: {error}\n")
        sys.exit(EXIT_SETTINGS)
    uvicorn.run(
        create_app(settings),
        host=settings.host,
        port=settings.port,
        # One line a request would be most of what the sandbox writes.
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_S,
    )


if __name__ == "__main__":
    main()
