"""What is said of a part that is not ready, and what to do about it."""

import socket
import threading

import pytest

from glasshouse_cli import readiness
from support import ports


@pytest.fixture
def closing() -> str:
    """An address as the engine publishes it while the program behind it does not listen yet."""
    listening = socket.create_server(("127.0.0.1", 0))

    def close_each() -> None:
        with listening:
            listening.accept()[0].close()

    threading.Thread(target=close_each, daemon=True).start()
    return f"http://127.0.0.1:{listening.getsockname()[1]}/healthz"


def test_a_published_port_without_a_program_is_not_listening_yet(closing: str) -> None:
    with readiness.client() as http:
        assert readiness.probe(http, closing) == "not listening yet"


def test_a_port_that_nobody_publishes_has_no_connection() -> None:
    with readiness.client() as http:
        url = f"http://127.0.0.1:{ports.free(['nobody'])['nobody']}/"
        assert readiness.probe(http, url) == "no connection"


def test_what_is_not_ready_in_time_is_named_with_what_to_do() -> None:
    urls = {"api": f"http://127.0.0.1:{ports.free(['nobody'])['nobody']}/"}
    with pytest.raises(readiness.NotReady) as raised:
        readiness.wait(urls, deadline=0)
    assert str(raised.value) == (
        "not ready after 0 s: api (no connection): `make logs PART=api` says why; `make up` again "
        "goes on waiting"
    )
    assert raised.value.states == {"api": "no connection"}
