"""A streamed body runs in the context of its request, though the request has ended."""

from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import flask
import pytest
from opentelemetry import context as otel_context

from glasshouse import request_id
from glasshouse.context import Ids, with_ids
from glasshouse.instrumentors.streams import Carried, carry_django, carry_flask


def in_request(make: Any, *arguments: Any) -> Any:
    token = otel_context.attach(with_ids(Ids("request-1", "request-1")))
    try:
        return make(*arguments)
    finally:
        otel_context.detach(token)


class Body:
    """What a generator yields and when it is closed: the request's id at that time."""

    def __init__(self) -> None:
        self.closed: list[str | None] = []

    def __iter__(self) -> Iterator[str]:
        try:
            for _ in range(3):
                yield f"{request_id()} "
        finally:
            self.closed.append(request_id())


def test_an_iterator_runs_in_its_request() -> None:
    body = Body()
    assert list(iter(body)) == ["None "] * 3  # the control
    carried = in_request(Carried, iter(body))
    assert next(carried) == "request-1 "
    assert request_id() is None
    carried.close()
    assert body.closed == [None, "request-1"]


@pytest.mark.parametrize(("connected", "expected"), [(True, "request-1 "), (False, "None ")])
def test_flask_streams_in_the_request(connected: bool, expected: str) -> None:
    application = flask.Flask(__name__)
    application.add_url_rule("/", view_func=lambda: flask.Response(iter(Body())))
    if connected:
        flask.request_finished.connect(carry_flask, application)
    answer = in_request(application.test_client().get, "/")
    # The test client reads the first part itself, inside of the request.
    assert answer.text == "request-1 " + expected * 2
    flask.request_finished.disconnect(carry_flask, application)


def test_flask_hands_files_and_plain_bodies_over_as_they_are() -> None:
    application = flask.Flask(__name__)
    with application.test_request_context("/"):
        plain = flask.Response("text")
        file = flask.send_file(__file__)
        for response in (plain, file):
            before = response.response
            carry_flask(application, response=response)
            assert response.response is before
        file.close()


async def test_django_streams_in_the_request() -> None:
    async def parts() -> AsyncIterator[str]:
        for part in Body():
            yield part

    blocking = SimpleNamespace(streaming=True, is_async=False, streaming_content=iter(Body()))
    asynchronous = SimpleNamespace(streaming=True, is_async=True, streaming_content=parts())
    for response in (blocking, asynchronous):
        in_request(carry_django, None, None, response)
    assert list(blocking.streaming_content) == ["request-1 "] * 3
    assert [part async for part in asynchronous.streaming_content] == ["request-1 "] * 3


@pytest.mark.parametrize(
    "response",
    [
        SimpleNamespace(streaming=False),
        SimpleNamespace(streaming=True, file_to_stream=object(), streaming_content=7),
        SimpleNamespace(),
    ],
)
def test_django_hands_files_and_plain_bodies_over_as_they_are(response: Any) -> None:
    before = dict(vars(response))
    carry_django(None, None, response)
    assert vars(response) == before
