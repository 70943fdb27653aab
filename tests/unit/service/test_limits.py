"""Token buckets: in this process, in a real Valkey, and while that does not answer."""

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import urlsplit

import pytest
from opentelemetry.metrics import CallbackOptions

from backend.api import limits
from backend.api.limits import PAUSE_S, TIMEOUT_S, LocalBuckets, SharedBuckets, address_key
from glasshouse_cli import images
from support import ports, valkey


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def taken(buckets: limits.Buckets, count: int, key: str = "k") -> list[bool]:
    return [not await buckets.take(key, 2, 3) for _ in range(count)]


async def test_a_bucket_holds_its_burst_and_fills_by_its_rate():
    clock = Clock()
    buckets = LocalBuckets(clock)
    assert await taken(buckets, 4) == [True, True, True, False]
    assert await buckets.take("k", 2, 3) == 0.5
    clock.now += 0.5
    assert await taken(buckets, 2) == [True, False]
    clock.now += 1000
    assert await taken(buckets, 4) == [True, True, True, False]
    assert await taken(buckets, 1, "other") == [True]


async def test_only_so_many_buckets_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(limits, "MAX_LOCAL", 2)
    buckets = LocalBuckets(Clock())
    for key in ("a", "a", "a", "b", "a", "c"):
        await buckets.take(key, 1, 3)
    # The one that was used longest ago is full again, the others are not.
    assert await buckets.take("a", 1, 3) != 0
    assert len(vars(buckets)["_buckets"]) == 2


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("198.51.100.7", "198.51.100.8", False),
        ("198.51.100.7", "::ffff:198.51.100.7", True),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("nonsense", "", True),
    ],
)
def test_an_address_is_one_of_ipv4_or_a_network_of_ipv6(one: str, other: str, is_same: bool):
    assert (address_key(one) == address_key(other)) is is_same


# With a real server


@pytest.fixture(scope="module")
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    path = valkey.program()
    if path is not None:
        with valkey.installed(path) as address:
            yield address
        return
    request.getfixturevalue("docker")
    checkout = request.getfixturevalue("project")
    image = images.resolve(["valkey"], checkout=checkout)["VALKEY_IMAGE"]
    with valkey.contained(image) as address:
        yield address


@pytest.fixture
async def shared(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[[], SharedBuckets]]:
    """Make buckets as each process has them, on an empty server, however slow this machine is."""
    monkeypatch.setattr(limits, "TIMEOUT_S", 60)
    clients = [limits.client(url) for _ in range(3)]
    await clients[0].flushall()
    rest = iter(clients)
    yield lambda: SharedBuckets(next(rest))
    for one in clients:
        await one.aclose()


async def test_all_processes_take_from_one_bucket(shared: Callable[[], SharedBuckets]):
    processes = [shared(), shared()]
    asked = [one.take("caller:shop", 0.01, 10) for one in processes for _ in range(25)]
    waits = await asyncio.gather(*asked)
    assert sum(not wait for wait in waits) == 10
    # A hundred seconds a token.
    assert all(90 < wait <= 100 for wait in waits if wait)
    assert not await processes[0].take("caller:market", 0.01, 10)


async def test_the_shared_bucket_fills_by_its_rate(shared: Callable[[], SharedBuckets]):
    buckets = shared()
    assert await buckets.take("k", 2, 1) == 0
    end = time.monotonic() + 240
    # A slow machine may be so late that it is full again.
    while wait := await buckets.take("k", 2, 1):
        assert 0 < wait <= 0.5
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def test_a_bucket_that_nobody_uses_is_gone(shared: Callable[[], SharedBuckets], url: str):
    # A hundred seconds a token: it is still there when its keys are read.
    await shared().take("k", 0.01, 1)
    client = limits.client(url)
    keys = await client.keys("*")
    assert keys == [b"glasshouse:rate:k"]
    assert 0 < await client.pttl(keys[0]) <= 101_000
    await client.aclose()


# Without one


def observed(buckets: SharedBuckets) -> float:
    [one] = buckets.observe(CallbackOptions())
    return one.value


@pytest.fixture
def own(tmp_path: os.PathLike[str]) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """A listener that takes connections and never answers: a server that hangs."""
    code = (
        "import socket, time\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "print(server.getsockname()[1], flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout
        port = int(process.stdout.readline())
        try:
            yield f"redis://127.0.0.1:{port}/0", process
        finally:
            process.send_signal(signal.SIGKILL)


async def test_one_that_hangs_costs_one_request_its_time_and_none_its_answer(
    own: tuple[str, "subprocess.Popen[bytes]"], caplog: pytest.LogCaptureFixture
):
    clock = Clock()
    client = limits.client(own[0])
    buckets = SharedBuckets(client, clock)
    assert observed(buckets) == 0
    started = time.monotonic()
    assert await taken(buckets, 4) == [True, True, True, False]
    waited = time.monotonic() - started
    assert TIMEOUT_S <= waited < 4 * TIMEOUT_S + 10
    assert observed(buckets) == 1
    # It is asked again later, by one request alone.
    clock.now += PAUSE_S
    started = time.monotonic()
    answers = await asyncio.gather(*(buckets.take("k", 2, 3) for _ in range(4)))
    assert sum(not wait for wait in answers) == 2
    # One line, however often.
    [line] = [one for one in caplog.records if one.name == "backend.api.limits"]
    assert line.levelno == logging.WARNING
    assert line.getMessage() == (
        "Rate limits are kept by this process alone: REDIS_URL does not answer"
    )
    await client.aclose()


async def test_it_is_used_again_once_it_answers(
    url: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(limits, "TIMEOUT_S", 60)
    clock = Clock()
    parts = urlsplit(url)
    port = ports.free(["valkey"])["valkey"]
    client = limits.client(f"redis://:{parts.password}@127.0.0.1:{port}/0")
    buckets = SharedBuckets(client, clock)
    await buckets.take("k", 2, 3)
    assert observed(buckets) == 1

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(parts.hostname, parts.port)
        await asyncio.gather(_copy(reader, back), _copy(there, writer))

    async with await asyncio.start_server(forward, "127.0.0.1", port):
        # Not before the pause is over.
        await buckets.take("k", 2, 3)
        assert observed(buckets) == 1
        clock.now += PAUSE_S
        await buckets.take("k", 2, 3)
        assert observed(buckets) == 0
        await client.aclose()
    lines = [one.getMessage() for one in caplog.records if one.name == "backend.api.limits"]
    assert lines[1:] == ["Rate limits are shared again"]


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while part := await reader.read(1 << 16):
        writer.write(part)
    writer.close()
