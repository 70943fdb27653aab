"""What a service logs is exported and redacted, whatever set-up of logging it brings along."""

import io
import json
import logging
import logging.config
import logging.handlers
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glasshouse import capture, emit_event
from glasshouse.capture.translate import severity, translate
from support import otlp_sink, shop_process
from support.backends import attribute

EMAIL = "ines.faro@example.org"

SET_UPS = {
    "untouched": "",
    "dictConfig": "logging.config.dictConfig(CONFIG)",
    "dictConfig that keeps loggers": (
        "logging.config.dictConfig({**CONFIG, 'disable_existing_loggers': False})"
    ),
    "fileConfig": "logging.config.fileConfig(sys.argv[1])",
    "basicConfig by force": "logging.basicConfig(level='INFO', force=True, stream=sys.stdout)",
    "handlers assigned": "logging.getLogger().handlers = [logging.StreamHandler(sys.stdout)]",
    "handlers cleared": "logging.getLogger().handlers.clear()",
    "logger of its own": (
        "late = logging.getLogger('late'); late.propagate = False; "
        "late.addHandler(logging.StreamHandler(sys.stdout))"
    ),
    "queue": (
        "import queue; q = queue.SimpleQueue(); "
        "logging.getLogger().handlers = [logging.handlers.QueueHandler(q)]; "
        "listener = logging.handlers.QueueListener(q, logging.StreamHandler(sys.stdout)); "
        "listener.start(); import atexit; atexit.register(listener.stop)"
    ),
    "a class with a format of its own": (
        "type('H', (logging.StreamHandler,), {'format': lambda self, r: r.getMessage()}); "
        "logging.getLogger().handlers = [type('H', (logging.StreamHandler,), "
        "{'format': lambda self, r: 'own ' + r.getMessage()})(sys.stdout)]"
    ),
    "root at WARNING": "logging.getLogger().setLevel('WARNING')",
}
# A logger that exists before the set-up, one that does not, an event, an exception.
SERVICE = f"""
import logging, logging.config, logging.handlers, sys
from glasshouse import emit_event
CONFIG = {{"version": 1, "root": {{"handlers": ["c"], "level": "INFO"}},
    "handlers": {{"c": {{"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}}}}}}
early = logging.getLogger("early")
SET_UP
emit_event("order.placed", "Order placed", order_id="o-1", user_id="{EMAIL}")
early.warning("early to %s", "{EMAIL}")
late = logging.getLogger("late")
try:
    raise ValueError("late to {EMAIL}")
except ValueError:
    late.exception("failed", extra={{"to": "{EMAIL}"}})
"""
INI = """[loggers]
keys=root
[handlers]
keys=c
[formatters]
keys=
[logger_root]
level=INFO
handlers=c
[handler_c]
class=StreamHandler
args=(sys.stdout,)
"""
# What the standard library itself turns off in loggers that it did not make.
TURNS_OFF_EARLY = {"dictConfig", "fileConfig"}


@pytest.mark.parametrize("name", SET_UPS)
def test_the_application_sets_logging_up(name: str, tmp_path: Path) -> None:
    (tmp_path / "logging.ini").write_text(INI, encoding="utf-8")
    with otlp_sink.running() as sink:
        ran = subprocess.run(
            [
                str(shop_process.INSTRUMENT),
                sys.executable,
                "-c",
                SERVICE.replace("SET_UP", SET_UPS[name]),
                str(tmp_path / "logging.ini"),
            ],
            env=shop_process.environment(sink.url, GLASSHOUSE_HMAC_KEY="sixteen bytes or more"),
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        records = sink.log_records()
        bodies = [record["body"]["stringValue"] for record in records]
        sent = b"".join(request.body for request in sink.requests)
    expected = {"Order placed": 1, "failed": 1, "early to": name not in TURNS_OFF_EARLY}
    found = {text: sum(body.startswith(text) for body in bodies) for text in expected}
    assert found == expected
    [event] = [record for record in records if attribute(record, "event") == "order.placed"]
    assert attribute(event, "order.order_id") == "o-1"
    [failed] = [record for record in records if record["body"]["stringValue"] == "failed"]
    assert attribute(failed, "exception.type") == "ValueError"
    assert "late to [email:" in str(attribute(failed, "exception.message"))
    assert EMAIL.encode() not in sent
    console = ran.stdout + ran.stderr
    assert "failed" in console or name == "a class with a format of its own"
    assert EMAIL not in console
    said = console.count("has replaced the root logger's handlers")
    replaced = name not in ("untouched", "logger of its own", "root at WARNING")
    assert said == replaced


def test_a_process_without_the_distro_shows_the_address() -> None:
    code = SERVICE.replace("SET_UP", SET_UPS["dictConfig"])
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert EMAIL in ran.stdout


@pytest.fixture
def captured() -> Iterator[None]:
    capture.install()
    yield
    capture.uninstall()


@pytest.mark.usefixtures("captured")
def test_handlers_that_send_fields_send_redacted_ones() -> None:
    record = logging.makeLogRecord(
        {"msg": "to %s", "args": (EMAIL,), "levelno": 30, "levelname": "WARNING", "to": EMAIL}
    )
    socket = logging.handlers.SocketHandler("127.0.0.1", 1)
    pickled = pickle.loads(socket.makePickle(record)[4:])  # noqa: S301 (made above)
    mapped = logging.handlers.HTTPHandler("127.0.0.1:1", "/").mapLogRecord(record)
    for sent in (pickled, mapped):
        assert sent["msg"].startswith("to [email:")
        assert EMAIL not in repr(sent)
    assert record.getMessage() == f"to {EMAIL}"


@pytest.mark.usefixtures("captured")
def test_a_record_stays_as_the_caller_made_it() -> None:
    stream, kept = io.StringIO(), list[logging.LogRecord]()

    class Keeping(logging.StreamHandler[Any]):
        def emit(self, record: logging.LogRecord) -> None:
            kept.append(record)
            super().emit(record)

    logger = logging.getLogger("kept")
    handler = Keeping(stream)
    logger.addHandler(handler)
    try:
        logger.warning("to %s", EMAIL)
    finally:
        logger.removeHandler(handler)
    assert kept[0].args == (EMAIL,)
    assert stream.getvalue().startswith("to [email:")


def test_everything_is_as_before_afterwards() -> None:
    before = (logging.Logger.callHandlers, logging.Handler.handle, logging.Handler.format)
    capture.install()
    assert logging.Handler.format is not before[2]
    capture.uninstall()
    after = (logging.Logger.callHandlers, logging.Handler.handle, logging.Handler.format)
    assert after == before


@pytest.mark.parametrize(
    ("level", "number"),
    [(-5, 0), (0, 0), (5, 1), (10, 5), (17, 8), (20, 9), (25, 12), (30, 13), (50, 21), (10**6, 24)],
)
def test_a_level_has_a_severity(level: int, number: int) -> None:
    assert severity(level).value == number


def test_a_library_that_hooks_in_before_or_after_keeps_its_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[str] = []

    def hooking(name: str) -> Any:
        original = logging.Logger.callHandlers

        def call(self: logging.Logger, record: logging.LogRecord) -> Any:
            seen.append(name)
            return original(self, record)

        return call

    monkeypatch.setattr(logging.Logger, "callHandlers", hooking("before"))
    capture.install()
    monkeypatch.setattr(logging.Logger, "callHandlers", hooking("after"))
    try:
        logging.getLogger("shop").warning("one")
        emit_event("order.failed", "Order failed")
    finally:
        capture.uninstall()
    assert seen == ["after", "before"] * 2


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


LOOP: list[Any] = []
LOOP += [LOOP, LOOP]


@pytest.mark.parametrize(
    ("record", "body"),
    [
        ({"msg": "%d of %s", "args": ("x",)}, "[unloggable]"),
        ({"msg": Unprintable()}, "[unloggable]"),
        ({"msg": "kept", "v": Unprintable()}, "kept"),
        ({"msg": "kept", "v": LOOP}, "kept"),
        ({"msg": "kept", "created": float("nan")}, "kept"),
        ({"msg": "kept", "created": -1.0}, "kept"),
        ({"msg": "kept", "name": None}, "kept"),
        ({"msg": "kept", "exc_info": (ValueError, ValueError(Unprintable()), None)}, "kept"),
        ({"msg": "kept", "otel.event.name": 5}, "kept"),
    ],
)
def test_what_cannot_be_read_costs_itself(record: dict[str, Any], body: str) -> None:
    found = translate(logging.makeLogRecord({"n": 7, **record}))
    assert found.body == body
    assert found.attributes is not None
    assert found.attributes["n"] == 7
    if "v" in record:
        assert "[unloggable]" in str(found.attributes["v"]) or "[cut]" in str(found.attributes["v"])


RAISING = """
import logging
class Unprintable:
    def __str__(self): raise RuntimeError("no text")
loop = {}
loop["again"] = [loop, loop]
log = logging.getLogger("shop")
log.warning("%d", "x")
log.warning("loop", extra={"loop": loop})
log.warning("unprintable", extra={"v": Unprintable()})
log.handle(logging.makeLogRecord({"name": None, "msg": "nameless", "levelno": 30}))
from glasshouse import emit_event
emit_event("order.placed", "Order placed", user_id="a\\ud800", total=10**5000)
emit_event("order.placed", "Order placed", user_id=Unprintable())
emit_event("order.placed", "Order placed again")
log.warning("last")
"""


def test_no_log_call_raises_into_the_application() -> None:
    with otlp_sink.running() as sink:
        ran = subprocess.run(
            [str(shop_process.INSTRUMENT), sys.executable, "-c", RAISING],
            env=shop_process.environment(sink.url),
            capture_output=True,
            text=True,
            timeout=120,
        )
        bodies = [record["body"]["stringValue"] for record in sink.log_records()]
    assert (ran.returncode, ran.stderr) == (0, "")
    for body in ("loop", "unprintable", "nameless", "Order placed again", "last"):
        assert bodies.count(body) == 1, bodies


LOOPING = """
import logging, sys, time
logging.getLogger().setLevel("DEBUG")
for number in range(20):
    logging.getLogger("urllib3.connectionpool").debug("of the application")
    time.sleep(0.1)
"""


def test_an_export_exports_nothing_about_itself() -> None:
    with otlp_sink.running() as sink:
        subprocess.run(
            [str(shop_process.INSTRUMENT), sys.executable, "-c", LOOPING],
            env=shop_process.environment(
                sink.url, LOG_LEVEL="DEBUG", OTEL_BLRP_SCHEDULE_DELAY="50"
            ),
            capture_output=True,
            timeout=120,
            check=True,
        )
        bodies = [record["body"]["stringValue"] for record in sink.log_records()]
    assert bodies.count("of the application") == 20
    assert [body for body in bodies if "v1/logs" in body] == []


def test_a_narrow_console_shows_what_it_lacks_as_escapes() -> None:
    code = "import logging; logging.warning('café \\U0001f600', extra={'v': 'ü'})"
    with otlp_sink.running() as sink:
        ran = subprocess.run(
            [str(shop_process.INSTRUMENT), sys.executable, "-c", code],
            env={**shop_process.environment(sink.url), "PYTHONIOENCODING": "ascii"},
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
    line = json.loads(ran.stdout.splitlines()[-1])
    assert (line["message"], line["v"]) == ("café \U0001f600", "ü")
    assert os.linesep not in line["message"]
