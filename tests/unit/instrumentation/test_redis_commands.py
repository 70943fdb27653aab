"""Commands of redis leave the same, with upstream's functions and with ours, but without values.

Runs in .venv-frameworks, where upstream's instrumentation of redis is.
"""

import asyncio
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from opentelemetry.instrumentation import _semconv
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from glasshouse.instrumentors import redis_commands

upstream: Any = pytest.importorskip("opentelemetry.instrumentation.redis")
util: Any = pytest.importorskip("opentelemetry.instrumentation.redis.util")

SEED = 20_261_127
SECRET = "hunter2-of-ada"
NAMES: list[Any] = ["GET", "SET", "set", b"GET", "CONFIG GET", "CLIENT NO-EVICT", "FT.CREATE"]
NAMES += ["FT.SEARCH", "", 7, "X" * 300]
OPTIONS: list[Any] = [
    {},
    {"host": "cache.example", "port": 6390, "db": 2},
    {"host": "cache.example", "port": "6390", "db": None},
    {"host": "", "db": 0},
    {"db": False},
    {"port": None, "host": None},
    {"path": "/run/valkey.sock", "db": 1},
    {"host": ["not", "hashable"]},
]
CHANGED = ("_build_span_name", "_build_span_meta_data_for_pipeline", "_format_command_args",
           "_set_connection_attributes")  # fmt: skip


class Pool:
    def __init__(self, options: Any) -> None:
        self.connection_kwargs = options


class Client:
    """A client, or a pipeline with what waits in it."""

    def __init__(self, options: Any, stack: list[Any]) -> None:
        self.connection_pool = Pool(options)
        self.command_stack = stack


class Cluster:
    """Has no pool of its own."""


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bool], None]]:
    """Yield what switches between our functions and upstream's."""
    _semconv._OpenTelemetrySemanticConventionStability._initialized = False
    monkeypatch.setenv("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    _semconv._OpenTelemetrySemanticConventionStability._initialize()
    own = {name: getattr(upstream, name) for name in CHANGED}
    originals = {name: getattr(one, "__wrapped__", one) for name, one in own.items()}

    def use(functions: dict[str, Any]) -> None:
        for name, function in functions.items():
            setattr(upstream, name, function)
            setattr(util, name, function)

    def switch(on: bool) -> None:
        use(originals)
        if on:
            redis_commands.spare()

    yield switch
    use(own)


def commands(draw: random.Random) -> list[tuple[Any, ...]]:
    return [
        (draw.choice(NAMES), *(SECRET for _ in range(draw.randrange(4))))
        for _ in range(draw.randrange(1, 4))
    ]


def run(seed: int) -> list[Any]:
    """Return the spans of many commands and pipelines, as what can be compared of them."""
    draw = random.Random(seed)  # noqa: S311 (a test's choice)
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")
    for _ in range(200):
        error = draw.choice([None, None, None, ValueError("broken"), redis.WatchError("watched")])
        many, waits = draw.random() < 0.3, draw.random() < 0.5
        some = commands(draw)
        if many:
            # Upstream's fails with any other name.
            some = [one for one in some if isinstance(one[0], str)] or [("GET",)]
        client: Any = Client(draw.choice(OPTIONS), [(one, {}) for one in some])
        client = Cluster() if not many and draw.random() < 0.1 and some[0][0] else client

        def answer(*_: Any, error: Exception | None = error, **__: Any) -> Any:
            if error is not None:
                raise error
            return [1]

        async def answer_later(*_: Any, answer: Callable[..., Any] = answer, **__: Any) -> Any:
            return answer()

        kind = "_traced_execute_pipeline_factory" if many else "_traced_execute_factory"
        call = getattr(upstream, f"_async{kind}" if waits else kind)(tracer)
        args: tuple[Any, ...] = () if many else some[0]
        try:
            if waits:
                asyncio.run(call(answer_later, client, args, {}))
            else:
                call(answer, client, args, {})
        except (ValueError, redis.WatchError):
            assert error is not None
    return [
        (one.name, dict(one.attributes or {}), one.status.status_code, one.kind, len(one.events))
        for one in exporter.get_finished_spans()
    ]


@pytest.mark.parametrize(
    "seed", [SEED, random.SystemRandom().randrange(2**32)], ids=["fixed", "fresh"]
)
def test_every_command_leaves_as_upstream_records_it(
    seed: int, ours: Callable[[bool], None]
) -> None:
    ours(False)
    expected = run(seed)
    ours(True)
    found = run(seed)
    assert found == expected, f"seed {seed}"
    assert len(found) > 100


@pytest.mark.parametrize(
    "given", [f"SET session:ada {SECRET}", f"SET session:ada {SECRET}".encode()]
)
def test_a_command_in_one_text_names_no_value(given: Any, ours: Callable[[bool], None]) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("test")

    def both() -> str:
        client: Any = Client({}, [((given,), {}), (("GET", SECRET), {})])
        upstream._traced_execute_factory(tracer)(lambda *_: None, client, (given,), {})
        if isinstance(given, str):
            pipeline = upstream._traced_execute_pipeline_factory(tracer)
            pipeline(lambda *_: None, client, (), {})
        found = [(one.name, dict(one.attributes or {})) for one in exporter.get_finished_spans()]
        exporter.clear()
        return repr(found)

    ours(False)
    assert SECRET in both()
    ours(True)
    found = both()
    assert SECRET not in found
    assert "session" not in found
    assert "SET ? ?" in found


def test_a_pipeline_with_a_name_that_is_no_text_runs(ours: Callable[[bool], None]) -> None:
    call = upstream._traced_execute_pipeline_factory(TracerProvider().get_tracer("test"))
    client: Any = Client({}, [((b"GET", "key"), {})])
    ours(False)
    with pytest.raises(TypeError):
        call(lambda *_: "answer", client, (), {})
    ours(True)
    assert call(lambda *_: "answer", client, (), {}) == "answer"


def test_an_unknown_release_is_still_kept_from_values(
    ours: Callable[[bool], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ours(False)
    monkeypatch.setattr(redis_commands, "KNOWN", frozenset[str]())
    with caplog.at_level("INFO", "glasshouse"):
        redis_commands.spare()
    assert "not the known one" in caplog.text
    assert upstream._format_command_args((f"SET k {SECRET}",)) == "SET ? ?"
    assert not hasattr(upstream._set_connection_attributes, "__wrapped__")
