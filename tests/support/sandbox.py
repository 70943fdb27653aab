"""The sandbox in this process, on a free port."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn

from glasshouse_fakes.app import create_app, create_services
from glasshouse_fakes.settings import Settings

STARTED_WITHIN_S = 240


@contextlib.contextmanager
def running(settings: Settings | None = None) -> Iterator[str]:
    """Serve every fake service; yield the base address."""
    services = create_services(settings or Settings(smtp_port=0))
    app = create_app(settings or Settings(smtp_port=0), services)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None, access_log=False))

    async def serve() -> None:
        for service in services:
            await service.start()
        await server.serve()
        for service in services:
            await service.stop()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        end = time.monotonic() + STARTED_WITHIN_S
        while not server.started:
            assert thread.is_alive(), "the sandbox did not start"
            assert time.monotonic() < end, "the sandbox did not start in time"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(STARTED_WITHIN_S)
