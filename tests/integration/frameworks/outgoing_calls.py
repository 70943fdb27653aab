"""Makes calls with each client, and prints which context arrived. Started by test_outgoing.py."""

# Its imports are in .venv-frameworks.
# pyright: reportMissingImports=false, reportMissingModuleSource=false, reportAttributeAccessIssue=false
# pyright: reportFunctionMemberAccess=false

import asyncio
import contextlib
import json
import logging
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import aiohttp
import boto3
import grpc
import httpx
import requests
import urllib3
from botocore.config import Config
from celery import Celery
from celery.contrib.testing.worker import start_worker
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.instrumentation import redis as redis_instrumentation
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind

from glasshouse import correlation_id, request_id
from glasshouse.context import Ids, with_ids

CONTEXT = {
    "baggage",
    "traceparent",
    "tracestate",
    "x-amzn-trace-id",
    "x-correlation-id",
    "x-request-id",
}
LISTED, UNLISTED = "127.0.0.1", "localhost"
tracer = trace.get_tracer("calls")
last: list[str] = []
arrived: dict[str, list[str]] = {}


class Handler(BaseHTTPRequestHandler):
    """Notes the context that a request brings; /away redirects to the host that is not listed."""

    def do_GET(self) -> None:
        if self.path == "/away":
            self.send_response(302)
            self.send_header("Location", f"http://{UNLISTED}:{self.server.server_port}/")
            self.end_headers()
            return
        last[:] = sorted(CONTEXT & {name.lower() for name in self.headers})
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


class Service(grpc.GenericRpcHandler):
    """Answers every method; one with "stream" in its name by two messages."""

    def service(self, handler_call_details: Any) -> Any:
        def note(context: Any) -> None:
            last[:] = sorted(CONTEXT & {name for name, _ in context.invocation_metadata()})

        def unary(_request: bytes, context: Any) -> bytes:
            note(context)
            return b"answer"

        def stream(_request: bytes, context: Any) -> Iterator[bytes]:
            note(context)
            yield from (b"one", b"two")

        if "stream" in handler_call_details.method:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(unary)


def with_aiohttp(url: str) -> None:
    async def get() -> None:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            await answer.read()

    asyncio.run(get())


def with_urllib(url: str) -> None:
    with urllib.request.urlopen(url) as answer:  # noqa: S310 (its own server)
        answer.read()


CLIENTS = {
    "aiohttp": with_aiohttp,
    "httpx": lambda url: httpx.get(url, follow_redirects=True, trust_env=False),
    "requests": lambda url: requests.get(url, timeout=240),
    "urllib": with_urllib,
    "urllib3": lambda url: urllib3.PoolManager().request("GET", url),
}


def in_request(name: str, call: Any, *arguments: Any) -> None:
    ids = with_ids(Ids("request-1", "correlation-1"))
    token = otel_context.attach(baggage.set_baggage("customer", "zoe", ids))
    last[:] = ["nothing was called"]
    try:
        with tracer.start_as_current_span("GET /", kind=SpanKind.SERVER):
            call(*arguments)
    finally:
        otel_context.detach(token)
    arrived[name] = [*last]


def over_http() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.server_port
    for name, get in CLIENTS.items():
        for host in (LISTED, UNLISTED):
            in_request(f"{name} {host}", get, f"http://{host}:{port}/")
        in_request(f"{name} redirected", get, f"http://{LISTED}:{port}/away")
    for host in (LISTED, UNLISTED):
        client = boto3.client(
            "s3",
            endpoint_url=f"http://{host}:{port}",
            region_name="eu-central-1",
            aws_access_key_id="none",
            aws_secret_access_key="none",
            config=Config(retries={"max_attempts": 0}),
        )

        def list_buckets(client: Any = client) -> None:
            # The answer is none of S3's.
            with contextlib.suppress(Exception):
                client.list_buckets()

        in_request(f"boto3 {host}", list_buckets)
    server.shutdown()


def over_grpc() -> None:
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers([Service()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()

    def blocking(kind: str, target: str) -> None:
        with grpc.insecure_channel(target) as channel:
            if kind == "unary":
                channel.unary_unary("/shop/unary")(b"")
            else:
                list(channel.unary_stream("/shop/stream")(b""))

    async def asynchronous(target: str) -> None:
        async with grpc.aio.insecure_channel(target) as channel:
            await channel.unary_unary("/shop/unary")(b"")

    for host in (LISTED, UNLISTED):
        for kind in ("unary", "stream"):
            in_request(f"grpc {kind} {host}", blocking, kind, f"{host}:{port}")
        in_request(
            f"grpc aio {host}", lambda target: asyncio.run(asynchronous(target)), f"{host}:{port}"
        )
    server.stop(None)


def over_celery() -> None:
    app = Celery("calls", broker="memory://", backend="cache+memory://")

    @app.task(name="note")
    def note() -> None:
        last[:] = [str(request_id()), str(correlation_id())]

    with start_worker(app, perform_ping_check=False, pool="solo", loglevel=logging.ERROR):
        in_request("celery in a request", lambda: note.delay().get(timeout=240))
        note.delay().get(timeout=240)
        arrived["celery outside"] = [*last]


def over_redis() -> None:
    span = TracerProvider().get_tracer("calls").start_span("FT.SEARCH")
    answer = [1, "doc:1", ["mail", "zoe@example.com"]]
    redis_instrumentation._add_search_attributes(span, answer, ("FT.SEARCH", "people", "zoe"))
    arrived["redis search"] = sorted(span.attributes or {})


over_http()
over_grpc()
over_celery()
over_redis()
sys.stdout.write(f"{json.dumps(arrived)}\n")
