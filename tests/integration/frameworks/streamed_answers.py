"""Answers by streams, and by a bare WSGI application. Started by test_streamed.py."""

# Its imports are in .venv-frameworks.
# pyright: reportMissingImports=false, reportMissingModuleSource=false

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import django
import flask
from django.http import HttpRequest, StreamingHttpResponse
from django.test import AsyncClient, Client
from django.urls import path
from opentelemetry import trace
from opentelemetry.instrumentation.wsgi import OpenTelemetryMiddleware
from werkzeug.test import Client as WsgiClient

from glasshouse import request_id

SECRET_KEY = "only-for-this-test"
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = __name__
MIDDLEWARE: list[str] = []
SENT = {"X-Request-ID": "request-1"}
IDS = ("X-Request-ID", "X-Correlation-ID")


def here() -> str:
    span = trace.get_current_span().get_span_context()
    return f"{request_id()} {span.is_valid};"


def body() -> Iterator[str]:
    for _ in range(3):
        yield here()


async def async_body() -> AsyncIterator[str]:
    for _ in range(3):
        yield here()


def stream(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(body())


async def async_stream(_request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(async_body())


urlpatterns = [path("stream", stream), path("async_stream", async_stream)]
shop = flask.Flask(__name__)
shop.add_url_rule("/stream", view_func=lambda: flask.Response(body()))


def bare(_environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("X-Request-ID", "of-the-application")])
    yield here().encode()


async def from_asgi() -> list[str]:
    answer = await AsyncClient().get("/async_stream", headers=SENT)
    return [part.decode() async for part in answer.streaming_content]


if __name__ == "__main__":
    sys.modules["streamed_answers"] = sys.modules["__main__"]
    os.environ["DJANGO_SETTINGS_MODULE"] = "streamed_answers"
    django.setup()
    from django.conf import settings

    settings.ROOT_URLCONF = "streamed_answers"
    answered = WsgiClient(OpenTelemetryMiddleware(bare)).get("/", headers=SENT)
    found = {
        "flask": shop.test_client().get("/stream", headers=SENT).text,
        "django": b"".join(Client().get("/stream", headers=SENT).streaming_content).decode(),
        "django, asgi": "".join(asyncio.run(from_asgi())),
        "wsgi": answered.text,
        "wsgi headers": [pair for pair in answered.headers if pair[0] in IDS],
        "after": here(),
    }
    sys.stdout.write(f"{json.dumps(found)}\n")
