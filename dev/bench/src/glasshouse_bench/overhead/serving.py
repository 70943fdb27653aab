"""The program that is measured: the reference service and a trivial one behind one server.

`process.py` starts it, in the environment of one variant. It imports nothing that the service
does not: what it imported beside would count as the service's memory and start.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, cast

from fastapi import FastAPI

from backend.api.app import create_app
from backend.api.server import Parser, Server
from backend.platform.settings import ApiSettings, load_settings
from glasshouse import configure_logging, garbage
from glasshouse_bench.overhead import probes

PREFIX = "/bench/"
Call = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

_logger = logging.getLogger("bench")


def trivial_app() -> FastAPI:
    """Return a service that does next to nothing, set up as the reference service is."""
    app = FastAPI(
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        telemetry={"operation_spans": False, "logs": False},
    )

    async def hello(name: str) -> dict[str, str]:
        return {"hello": name}

    async def log(name: str) -> dict[str, str]:
        _logger.info("Said hello", extra={"guest": name, "guests": 1})
        return {"hello": name}

    async def hold(spans: int, paths: str) -> dict[str, Any]:
        return await probes.hold(spans, paths)

    async def line(kind: str, size: int) -> dict[str, Any]:
        return await probes.line(_logger, kind, size)

    app.add_api_route(f"{PREFIX}hello/{{name}}", hello)
    app.add_api_route(f"{PREFIX}log/{{name}}", log)
    app.add_api_route(f"{PREFIX}hold", hold)
    app.add_api_route(f"{PREFIX}line", line)
    app.add_api_route(f"{PREFIX}machine", probes.machine)
    return app


def joined(trivial: Call, payments: Call | None) -> Call:
    """Return one application of both. Without ``payments`` nothing connects to a database."""

    async def serve(scope: dict[str, Any], receive: Any, send: Any) -> None:
        is_trivial = scope["type"] != "lifespan" and scope["path"].startswith(PREFIX)
        await (trivial if is_trivial or payments is None else payments)(scope, receive, send)

    return serve


def trace_with_sentry(_: list[FastAPI]) -> None:
    """Record every request with Sentry's SDK, as its documentation sets it up."""
    sentry: Any = importlib.import_module("sentry_sdk")
    sentry.init(dsn=os.environ["BENCH_SENTRY_DSN"], traces_sample_rate=1.0)


def trace_with_logfire(apps: list[FastAPI]) -> None:
    """Record every request with Logfire, sent to where the others send."""
    logfire: Any = importlib.import_module("logfire")
    otlp: Any = importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    export: Any = importlib.import_module("opentelemetry.sdk.trace.export")
    logfire.configure(
        send_to_logfire=False,
        console=False,
        metrics=False,
        inspect_arguments=False,
        additional_span_processors=[export.BatchSpanProcessor(otlp.OTLPSpanExporter())],
    )
    logfire.instrument_psycopg()
    for app in apps:
        logfire.instrument_fastapi(app)


# `sentry` has to come before the applications are made, `logfire` after.
_BEFORE = {"sentry": trace_with_sentry}
_AFTER = {"logfire": trace_with_logfire}


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--http", choices=["h11", "httptools"], required=True)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], required=True)
    parser.add_argument("--tracer", choices=[*_BEFORE, *_AFTER])
    parser.add_argument("--payments", action="store_true")
    options = parser.parse_args()
    configure_logging()
    # Nobody else reads `GLASSHOUSE_GC` without the distro: it has to mean the same everywhere.
    garbage.install()
    settings = load_settings(ApiSettings)
    _BEFORE.get(options.tracer, lambda _: None)([])
    trivial = trivial_app()
    payments = create_app(settings) if options.payments else None
    _AFTER.get(options.tracer, lambda _: None)([one for one in (trivial, payments) if one])
    app = joined(cast(Call, trivial), cast("Call | None", payments))
    server = Server(cast(Any, app), settings, parser=cast(Parser, options.http))
    server.config.loop = options.loop
    server.run_on_ports()


if __name__ == "__main__":
    try:
        main()
    except Exception as error:  # noqa: BLE001  # reported where the bench reads it, not on stdout
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.exit(1)
