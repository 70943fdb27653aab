"""Records of other logging libraries: their lines, and where one library hands on to another."""

import importlib
import logging
import re
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import wsgiref.handlers
from collections.abc import Iterator

import pytest

from glasshouse import capture, uncaught
from glasshouse.console_text import redacted_text
from glasshouse.handed_on import LIBRARY, handing_on, is_handed_on
from glasshouse.instrumentors.celery_worker import ARGUMENTS, RESULT, _without_values
from glasshouse.instrumentors.records import made
from glasshouse.redaction import Redactor
from support.signals import with_default_signals

MAIL = "nora.lind@example.org"
# In what is expected: the mask that this process makes.
MASK = "MASK"
RED, END = "\x1b[31m\x1b[1m", "\x1b[0m"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"mail {MAIL}\n", f"mail {MASK}\n"),
        (f"{RED}{MAIL}{END} is {RED}red{END}\n", f"{RED}{MASK}{END} is {RED}red{END}\n"),
        # The letter that ends a sequence would hide the first digit.
        (f"{RED}4111111111111111{END}", f"{RED}[card:1111]{END}"),
        (f"{RED}nothing{END} here\n\n", f"{RED}nothing{END} here\n\n"),
        ("\x1b[38;2;1;2;3mpassword=hunter2\x1b[K", "\x1b[38;2;1;2;3mpassword=[password]\x1b[K"),
        # Found only across the colours, which go then.
        (f"{RED}password{END}={RED}hunter2{END}", "password=[password]"),
        ('{"password": "hunter2"}\n', '{"password": "[password]"}\n'),
        ("", ""),
    ],
)
def test_a_line_is_redacted_with_its_colours(line: str, expected: str) -> None:
    mask = Redactor.default().text(MAIL)
    assert redacted_text(line) == expected.replace(MASK, mask)


def record(message: str, *args: object) -> logging.LogRecord:
    return logging.LogRecord("shop", logging.WARNING, __file__, 1, message, args, None)


def test_what_another_library_hands_on_is_known() -> None:
    with handing_on(LIBRARY, record("Order %s", 7)):
        assert is_handed_on("loguru", "Order 7")
        assert is_handed_on("loguru", "shop: Order 7\n")
        assert not is_handed_on("loguru", "Order 8")
        assert not is_handed_on(LIBRARY, record("Order %s", 7))
        with handing_on("loguru", "Order 7"):
            assert is_handed_on(LIBRARY, record("Order %s", 7))
            assert not is_handed_on(LIBRARY, record("sent by HTTP"))
        with handing_on("loguru", ""):
            assert is_handed_on(LIBRARY, record(""))
            assert not is_handed_on(LIBRARY, record("Order 8"))
    assert not is_handed_on("loguru", "Order 7")


def test_what_cannot_be_formatted_is_no_repetition() -> None:
    with handing_on(LIBRARY, record("%d", "seven")):
        assert not is_handed_on("loguru", "seven")
    with handing_on("loguru", "seven"):
        assert not is_handed_on(LIBRARY, record("%d", "seven"))


def test_another_thread_hands_on_nothing() -> None:
    found: list[bool] = []
    with handing_on("loguru", "Order 7"):
        thread = threading.Thread(target=lambda: found.append(is_handed_on(LIBRARY, "Order 7")))
        thread.start()
        thread.join()
    assert found == [False]


def test_a_record_keeps_attributes_whose_names_are_taken() -> None:
    found = made(
        name="shop",
        level=(25, "SUCCESS"),
        message="Paid 100 %s",
        attributes={"name": "nora", "message": "m", "order": 7, 5: "five"},
        lineno=3,
    )
    assert (found.name, found.levelno, found.levelname, found.lineno) == ("shop", 25, "SUCCESS", 3)
    assert found.getMessage() == "Paid 100 %s"
    own = {"name_": "nora", "message_": "m", "order": 7, "5": "five"}
    assert {key: vars(found)[key] for key in own} == own


def test_a_celery_worker_s_record_loses_arguments_and_result() -> None:
    values = {"name": "shop.ship", "args": "('nora',)", "return_value": "'nora'", "runtime": 1.5}
    line = record("Task %(name)s succeeded in %(runtime)ss: %(return_value)s %(args)s", values)
    vars(line)["data"] = {**values, "kwargs": "{}"}
    assert _without_values(line)
    assert line.getMessage() == f"Task shop.ship succeeded in 1.5s: {RESULT} {ARGUMENTS}"
    assert vars(line)["data"] == {
        **values,
        "args": ARGUMENTS,
        "kwargs": ARGUMENTS,
        "return_value": RESULT,
    }
    # The worker's own dictionary stays as it was.
    assert values["args"] == "('nora',)"
    headers = record("Unknown %s %r", "shop.ship", {"id": "1", "argsrepr": "('nora',)"})
    assert _without_values(headers)
    assert headers.getMessage() == f"Unknown shop.ship {{'id': '1', 'argsrepr': '{ARGUMENTS}'}}"
    plain = record("Order %s", 7)
    assert _without_values(plain)
    assert plain.getMessage() == "Order 7"
    assert re.fullmatch(r"\[\w+\]", ARGUMENTS)


def test_the_capture_leaves_out_what_another_library_has_exported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exported: list[str] = []
    module = importlib.import_module("glasshouse.capture.install")
    monkeypatch.setattr(module, "export", lambda record: exported.append(record.getMessage()))
    logger = logging.getLogger("routed")
    capture.install()
    try:
        logger.warning("Order %s", 6)
        with handing_on("loguru", "Order 7"):
            logger.warning("Order %s", 7)
            logger.warning("sent by HTTP")
    finally:
        capture.uninstall()
    assert exported == ["Order 6", "sent by HTTP"]


@pytest.fixture
def logged() -> Iterator[None]:
    uncaught.install()
    yield
    uncaught.uninstall()


@pytest.mark.usefixtures("logged")
def test_a_request_that_fails_is_logged_and_not_printed(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with (
        socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server,
        socket.socket() as request,
    ):
        try:
            raise ValueError("cannot mail")
        except ValueError:
            server.handle_error(request, ("127.0.0.1", 1))
            wsgiref.handlers.CGIHandler().log_exception(sys.exc_info())
    logged = [(each.name, each.getMessage(), each.exc_info) for each in caplog.records]
    assert [name for name, _, _ in logged] == ["glasshouse.uncaught"] * 2
    assert [message for _, message, _ in logged] == ["Uncaught exception in a request"] * 2
    assert all(info and isinstance(info[1], ValueError) for _, _, info in logged)
    assert capsys.readouterr().err == ""


def test_without_it_the_traceback_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The control."""
    with (
        socketserver.TCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server,
        socket.socket() as request,
    ):
        try:
            raise ValueError("cannot mail")
        except ValueError:
            server.handle_error(request, ("127.0.0.1", 1))
    assert "ValueError: cannot mail" in capsys.readouterr().err


INTERRUPTED = """
import signal
from glasshouse import configure_logging
configure_logging()
try:
    raise ValueError("cannot mail nora.lind@example.org")
except ValueError:
    signal.raise_signal(signal.SIGINT)
"""


def test_what_ctrl_c_interrupts_is_redacted() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=with_default_signals,
    )
    assert ended.returncode == -signal.SIGINT
    assert ended.stderr.endswith("KeyboardInterrupt\n")
    assert "ValueError: cannot mail [email:" in ended.stderr
    assert MAIL not in ended.stderr + ended.stdout
