"""What strangers log with loguru and structlog: exported once, and redacted where it is written."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from support import in_span, job_cells
from support.cells import Cells
from support.job_cells import SECRETS, Seen
from support.received import Log

SECTION = "Loggers"
MASK = re.compile(r"\[email:[0-9a-f]{16}\]")
ROWS = {
    "loguru": "loguru_app.py",
    "structlog": "structlog_app.py",
    "structlog over logging": "structlog_stdlib_app.py",
}
# Words, level, and attributes beside those of an exception.
EXPECTED = {
    "loguru": [
        ("Started for MAIL", "INFO", {}),
        ("Order of MAIL", "WARN", {"order": 7, "name_": "MAIL", "shop": "north"}),
        ("Payment failed", "ERROR", {"shop": "north", "step": "payment"}),
        ("Only in the file: MAIL", "DEBUG", {"shop": "north"}),
    ],
    "structlog": [
        ("Order of MAIL", "WARN", {"order": 7, "password": "[password]", "shop": "north"}),
        ("Order is paid", "INFO", {"email": "MAIL", "shop": "north"}),
        ("Payment failed", "ERROR", {"shop": "north"}),
        ("Order is sent", "INFO", {"email": "MAIL", "shop": "north"}),
    ],
    "structlog over logging": [
        ("Order of MAIL", "WARN", {"order": 7, "password": "[password]"}),
        ("Stock for MAIL", "WARN", {}),
        ("Payment failed", "ERROR", {}),
    ],
}


@pytest.fixture(scope="module", params=list(ROWS))
def row(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def folder(row: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logger")


@pytest.fixture(scope="module")
def seen(row: str, folder: Path) -> Seen:
    """One run of the example, for all checks."""
    return run(row, folder)


def run(row: str, folder: Path, distro: str | None = "glasshouse") -> Seen:
    words = [ROWS[row], *([str(folder / "orders.json")] if row == "loguru" else [])]
    return job_cells.look(words, folder, distro=distro)


def masked(value: Any) -> Any:
    return MASK.sub("MAIL", value) if isinstance(value, str) else value


def own(log: Log) -> dict[str, object]:
    """Return the attributes that the application gave."""
    return {
        name: masked(value)
        for name, value in log.attributes.items()
        if not name.startswith(("exception.", "code.", "request.", "correlation."))
    }


def of_the_program(seen: Seen) -> list[Log]:
    return [log for log in seen.logs if not log.logger.startswith("glasshouse")]


def test_each_record_is_exported_once(row: str, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(row, "exported once", section=SECTION):
        assert seen.code == 0, seen.console
        found = [(masked(log.body), log.severity, own(log)) for log in of_the_program(seen)]
        assert sorted(found, key=repr) == sorted(EXPECTED[row], key=repr)


def test_records_belong_to_the_trace(row: str, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(row, "trace, ids", section=SECTION):
        caller = seen.caller()
        found = {
            (log.trace, log.span, log.attributes["request.id"]) for log in of_the_program(seen)
        }
        assert found == {(caller.trace, caller.id, in_span.IDS.request)}


def test_an_exception_is_exported_and_redacted(row: str, seen: Seen, recorded: Cells) -> None:
    with recorded.checking(row, "exceptions", section=SECTION):
        [failed] = seen.saying("Payment failed")
        assert failed.attributes["exception.type"] == "ValueError"
        words = masked(failed.attributes["exception.message"])
        assert words == "card [card:1111] was refused for MAIL"
        assert words in str(masked(failed.attributes["exception.stacktrace"]))
        assert seen.console.count("ValueError: ") + seen.console.count("ValueError\x1b") >= 1


def test_what_it_writes_is_redacted(row: str, seen: Seen, folder: Path, recorded: Cells) -> None:
    with recorded.checking(row, "console and files redacted", section=SECTION):
        files = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.json"))
        assert len(MASK.findall(seen.console + files)) >= 3
        for secret in SECRETS:
            assert secret not in seen.console + files + seen.text
        for line in files.splitlines():
            assert json.loads(line)["record"]["extra"]["shop"] == "north"


def test_it_writes_as_much_as_without(
    row: str, seen: Seen, folder: Path, recorded: Cells, tmp_path: Path
) -> None:
    with recorded.checking(row, "works as without", section=SECTION):
        bare = run(row, tmp_path, distro=None)
        # The control, too: were it not shown, nothing above would be redacted.
        assert job_cells.PERSON in bare.console
        assert len(seen.stderr.splitlines()) == len(bare.stderr.splitlines())
        assert len(seen.printed.splitlines()) == len(bare.stdout.splitlines())
        assert ("\x1b[" in seen.stderr) == ("\x1b[" in bare.stderr)
        written = [len(list(each.glob("*.json"))) for each in (folder, tmp_path)]
        assert written == [int(row == "loguru")] * 2


ROUTED = """
import logging, sys
import structlog
from loguru import logger

class ToLoguru(logging.Handler):
    def emit(self, record):
        logger.opt(depth=6, exception=record.exc_info).log(record.levelname, record.getMessage())

class ToLogging(logging.Handler):
    def emit(self, record):
        logging.getLogger(record.name).handle(record)

logging.basicConfig(handlers=[ToLoguru()], level=logging.INFO, force=True)
logging.getLogger("shop").warning("From logging %s", "nora.lind@example.org")
logger.warning("From loguru nora.lind@example.org")
structlog.get_logger().warning("From structlog nora.lind@example.org")
logging.basicConfig(handlers=[logging.StreamHandler()], level=logging.INFO, force=True)
logger.remove()
logger.info("Without a sink nora.lind@example.org")
logger.debug("Below the level")
logger.add(ToLogging(), format="{message}")
logger.add(lambda message: sys.stderr.write("function: " + message), enqueue=True)
logger.warning("To logging nora.lind@example.org")
logger.remove()

def broken(message):
    raise OSError("nora.lind@example.org")

logger.add(broken, catch=True)
logger.warning("To a broken sink nora.lind@example.org", password="hunter2")
with structlog.testing.capture_logs() as caught:
    structlog.get_logger().info("Caught by a test", mail="nora.lind@example.org")
assert caught == [
    {"event": "Caught by a test", "mail": "nora.lind@example.org", "log_level": "info"}
], caught
structlog.configure(logger_factory=structlog.stdlib.LoggerFactory(),
    processors=[structlog.stdlib.render_to_log_kwargs])
structlog.get_logger("kwargs").warning("By keywords", mail="nora.lind@example.org")
structlog.configure(logger_factory=structlog.BytesLoggerFactory(),
    processors=[structlog.processors.JSONRenderer(serializer=lambda *a, **k: repr(a).encode())])
structlog.get_logger().warning("In bytes", mail="nora.lind@example.org")
"""


def test_a_record_that_is_routed_to_another_library_is_sent_once(tmp_path: Path) -> None:
    program = tmp_path / "routed.py"
    program.write_text(ROUTED, encoding="utf-8")
    seen = job_cells.look([str(program)], tmp_path)
    assert seen.code == 0, seen.console
    bodies = Counter(masked(log.body) for log in of_the_program(seen))
    assert bodies == Counter(
        [
            "From logging MAIL",
            "From loguru MAIL",
            "From structlog MAIL",
            "Without a sink MAIL",
            "To logging MAIL",
            "To a broken sink MAIL",
            "By keywords",
            "In bytes",
        ]
    )
    assert "function: " in seen.stderr
    assert "--- Logging error in Loguru Handler #" in seen.stderr
    assert "Caught by a test" not in seen.text
    for secret in SECRETS:
        assert secret not in seen.console + seen.text


HOOKS = """
import importlib, inspect
from functools import reduce
import billiard.process, celery.worker.consumer.consumer, celery.worker.worker, kombu.messaging
import multiprocessing.process, socketserver, wsgiref.handlers
import structlog, structlog.contextvars
from loguru import logger
from glasshouse import uncaught
from glasshouse.instrumentors import celery_worker
from glasshouse.instrumentors.loguru import LoguruInstrumentor

names = [(module, name) for module, name, _ in LoguruInstrumentor()._wrappers()]
names += [(module, name) for module, (name, _) in celery_worker._WRAPPERS.items()]
names += [(m, f"{owner}.{name}") for m, (owner, name, _) in uncaught._WRAPPERS.items()]
for module, name in names:
    assert callable(reduce(getattr, name.split("."), importlib.import_module(module))), name
assert dict(logger._core.handlers)
bound = structlog.get_logger().bind()
assert (list(bound._processors), dict(bound._context), bound._logger)
process = inspect.signature(structlog.BoundLoggerBase._process_event).parameters
assert list(process) == ["self", "method_name", "event", "event_kw"], process
assert structlog.contextvars._ASYNC_CALLING_STACK.get(None) is None
"""


def test_the_libraries_have_what_the_package_leans_on(tmp_path: Path) -> None:
    program = tmp_path / "hooks.py"
    program.write_text(HOOKS, encoding="utf-8")
    seen = job_cells.look([str(program)], tmp_path, distro=None, inside=False)
    assert seen.code == 0, seen.console
