"""The token of a file: on every request, read again when it changes, and shown to nobody."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from glasshouse.acknowledged import EventSender, prepare_event
from glasshouse.delivery.session import NotDeliveredError, OneTrySession
from glasshouse.delivery.token import TOKEN_FILE_VARIABLE, Metadata, Token, token_from
from glasshouse.errors import ConfigurationError
from glasshouse.pseudonym import hmac_key
from support import otlp_sink, shop_process
from support.otlp_sink import Fault, Request, Sink
from support.waiting import until

FIRST, SECOND = "first-token-0123456789", "second-token-0123456789"
# Makes one record of each signal a line of its input, and logs what came of each export.
SCRIPT = """
import logging, sys
from opentelemetry import metrics, trace
counter = metrics.get_meter("script").create_counter("lines")
logging.getLogger().setLevel(logging.DEBUG)
logger = logging.getLogger("script")
logger.warning("ready")
for number, line in enumerate(sys.stdin):
    with trace.get_tracer("script").start_as_current_span(f"span {number}"):
        counter.add(1)
        logger.warning("event %d", number)
"""


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("GLASSHOUSE_HMAC_KEY", "k" * 32)
    hmac_key.cache_clear()
    yield
    hmac_key.cache_clear()


@pytest.fixture
def sink() -> Iterator[Sink]:
    with otlp_sink.running() as sink:
        yield sink


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "otlp_token"
    path.write_text(f"{FIRST}\n", encoding="utf-8")
    return path


def asks_for(token: str) -> Callable[[Request], Fault | None]:
    """Refuse every request without this token, as the Collector does."""

    def fault(request: Request) -> Fault | None:
        is_right = request.headers.get("authorization") == f"Bearer {token}"
        return None if is_right else Fault(status=401)

    return fault


class Script:
    """The script as a process; its console lines are in a file."""

    def __init__(self, sink: Sink, console: Path, **variables: str) -> None:
        self._console = console
        given = {"OTEL_METRIC_EXPORT_INTERVAL": "500", **variables}
        with console.open("wb") as output:
            self._process = subprocess.Popen(
                [str(shop_process.INSTRUMENT), sys.executable, "-c", SCRIPT],
                env=shop_process.environment(sink.url, **given),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def __enter__(self) -> "Script":
        until(lambda: ("ready" in self.console or None, self.console), what="it runs")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def console(self) -> str:
        return self._console.read_text(encoding="utf-8")

    def work(self) -> None:
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> int:
        assert self._process.stdin
        self._process.stdin.close()
        return self._process.wait(60)


def wait_for(sink: Sink, *events: str) -> None:
    def probe() -> tuple[bool | None, object]:
        found = [body for body in sink.bodies() if body.startswith("event")]
        return found == list(events) or None, (found, len(sink.refused))

    until(probe, what=f"{events} arrive")


def test_each_signal_carries_it_and_nothing_shows_it(
    sink: Sink, file: Path, tmp_path: Path
) -> None:
    sink.fault = asks_for(FIRST)
    variables = {
        TOKEN_FILE_VARIABLE: str(file),
        "LOG_LEVEL": "DEBUG",
        # Whoever records every header does not get this one.
        "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST": ".*",
    }
    with Script(sink, tmp_path / "console", **variables) as script:
        script.work()
        wait_for(sink, "event 0")
        until(
            lambda: (
                (sink.stored("metrics") and sink.stored("traces")) or None,
                len(sink.requests),
            ),
            what="each signal has arrived",
        )
        assert script.end() == 0
    assert not sink.refused
    assert {one.path for one in sink.requests} == {"/v1/logs", "/v1/traces", "/v1/metrics"}
    assert {one.headers["authorization"] for one in sink.requests} == {f"Bearer {FIRST}"}
    assert "event 0" in script.console
    assert FIRST not in script.console
    assert not [one.path for one in sink.requests if FIRST.encode() in one.body]


@pytest.mark.parametrize("how", ["in place", "replaced"])
def test_a_change_is_seen_and_costs_nothing(
    sink: Sink, file: Path, tmp_path: Path, how: str
) -> None:
    sink.fault = asks_for(FIRST)
    variables = {TOKEN_FILE_VARIABLE: str(file)}
    with Script(sink, tmp_path / "console", **variables) as script:
        script.work()
        wait_for(sink, "event 0")
        # The Collector is first: what the service sends meanwhile is refused, and kept.
        sink.fault = asks_for(SECOND)
        script.work()
        until(
            lambda: (
                any(b"event 1" in one.body for one in sink.refused) or None,
                len(sink.refused),
            ),
            what="the event is refused",
        )
        if how == "in place":
            file.write_text(f"{SECOND}\n{FIRST}\n", encoding="utf-8")
        else:
            other = tmp_path / "other"
            other.write_text(f"{SECOND} # of today\n{FIRST}\n", encoding="utf-8")
            other.replace(file)
        wait_for(sink, "event 0", "event 1")
        script.work()
        wait_for(sink, "event 0", "event 1", "event 2")
        assert script.end() == 0
    assert FIRST not in script.console
    assert SECOND not in script.console


def test_a_refusal_says_what_to_do(sink: Sink, tmp_path: Path) -> None:
    sink.fault = asks_for(FIRST)
    with Script(sink, tmp_path / "console") as script:
        script.work()
        until(
            lambda: ("given up" in script.console or None, script.console),
            what="the line about it",
        )
        [line] = [one for one in script.console.splitlines() if "given up" in one]
    assert '"error.type":"401"' in line
    assert f"set {TOKEN_FILE_VARIABLE} to a file with a line of the Collector's otlp_token" in line


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot read {}: No such file or directory"),
        (b"", "{} is empty: put a line of the Collector's otlp_token into it"),
        (b" \n\n", "{} is empty: put a line of the Collector's otlp_token into it"),
        (
            "schlüssel\n".encode(),
            "the first line of {} (not shown) is no token: use printable ASCII characters "
            "without blanks",
        ),
    ],
    ids=["missing", "empty", "blank", "not-ascii"],
)
def test_an_unusable_file_ends_the_start_with_one_line(
    file: Path, content: bytes | None, fault: str
) -> None:
    file.unlink() if content is None else file.write_bytes(content)
    ended = subprocess.run(
        [str(shop_process.INSTRUMENT), sys.executable, "-c", "print('started')"],
        env=shop_process.environment("http://127.0.0.1:1", **{TOKEN_FILE_VARIABLE: str(file)}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    [line] = ended.stderr.splitlines()
    assert f"{TOKEN_FILE_VARIABLE}: {fault.format(file)}" in line
    assert ended.returncode != 0
    assert "started" not in ended.stdout
    assert "schl" not in line


def test_a_header_that_a_variable_gives_wins(sink: Sink, file: Path, tmp_path: Path) -> None:
    sink.fault = asks_for("of-the-variable")
    variables = {
        TOKEN_FILE_VARIABLE: str(file),
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20of-the-variable",
    }
    with Script(sink, tmp_path / "console", **variables) as script:
        script.work()
        wait_for(sink, "event 0")
    assert not sink.refused


def test_the_sender_of_kept_events_carries_it(
    sink: Sink, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.fault = asks_for(SECOND)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
    monkeypatch.setenv(TOKEN_FILE_VARIABLE, str(file))
    sender = EventSender(60)
    event = prepare_event("order.placed", "Order placed")
    # It stays where it is kept, to be sent again.
    assert sender.send([event]) == "unavailable"
    file.write_text(SECOND, encoding="utf-8")
    assert sender.send([event]) == "acknowledged"
    sender.close()
    assert [one.headers["authorization"] for one in sink.requests] == [f"Bearer {SECOND}"]


def test_after_a_refusal_it_is_read_again_whatever_the_file_s_time(
    sink: Sink, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_FILE_VARIABLE, str(file))
    same_length = "other" + FIRST[len("other") :]
    sink.fault = asks_for(same_length)
    session = OneTrySession()
    before = file.stat()
    with pytest.raises(NotDeliveredError):
        session.post(sink.url + "/v1/logs", data=b"", timeout=60)
    # As on a file system whose times are coarse.
    file.write_text(f"{same_length}\n", encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size
    assert session.post(sink.url + "/v1/logs", data=b"", timeout=60).status_code == 200


def test_while_the_file_cannot_be_read_the_last_one_stays(file: Path) -> None:
    token = Token(str(file))
    file.unlink()
    assert token.header() == f"Bearer {FIRST}"
    file.write_text("", encoding="utf-8")
    assert token.header() == f"Bearer {FIRST}"
    file.write_text(SECOND, encoding="utf-8")
    assert token.header() == f"Bearer {SECOND}"
    assert SECOND not in repr(token)
    assert SECOND not in repr(vars(token)["_path"])


def test_without_the_variable_there_is_none(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TOKEN_FILE_VARIABLE, raising=False)
    assert token_from() is None
    monkeypatch.setenv(TOKEN_FILE_VARIABLE, " ")
    assert token_from() is None
    OneTrySession().post(sink.url + "/v1/logs", data=b"", timeout=60)
    assert "authorization" not in sink.requests[0].headers


VENDOR = {"OTEL_EXPORTER_OTLP_LOGS_HEADERS": "api-key=of-the-vendor"}


@pytest.mark.parametrize("general", ["http://127.0.0.1:1", ""], ids=["beside", "alone"])
def test_it_does_not_go_to_a_vendor(sink: Sink, file: Path, tmp_path: Path, general: str) -> None:
    variables = {
        TOKEN_FILE_VARIABLE: str(file),
        "OTEL_EXPORTER_OTLP_ENDPOINT": general,
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{sink.url}/v1/logs",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
        **VENDOR,
    }
    with Script(sink, tmp_path / "console", **variables) as script:
        script.work()
        wait_for(sink, "event 0")
    assert {one.headers["api-key"] for one in sink.requests} == {"of-the-vendor"}
    assert not [one for one in sink.requests if "authorization" in one.headers]


def test_it_goes_to_the_endpoint_of_a_signal_that_is_the_collector_s(
    sink: Sink, file: Path, tmp_path: Path
) -> None:
    sink.fault = asks_for(FIRST)
    variables = {
        TOKEN_FILE_VARIABLE: str(file),
        "OTEL_EXPORTER_OTLP_ENDPOINT": "",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{sink.url}/v1/logs",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_METRICS_EXPORTER": "none",
    }
    with Script(sink, tmp_path / "console", **variables) as script:
        script.work()
        wait_for(sink, "event 0")
    assert not sink.refused


class OfGrpc:
    """Stands for an exporter over gRPC, which reads its headers for each call."""

    __module__ = "opentelemetry.exporter.otlp.proto.grpc.trace_exporter"

    def __init__(self, *headers: tuple[str, str], endpoint: str = "collector:4317") -> None:
        self._headers, self._endpoint = headers, endpoint

    def calls_with(self) -> dict[str, str]:
        return dict(self._headers)


def test_over_grpc_each_call_has_the_newest(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_FILE_VARIABLE, str(file))
    exporter = OfGrpc(("x-tenant", "shop"))
    metadata = Metadata(exporter)
    metadata.renew()
    assert exporter.calls_with() == {"x-tenant": "shop", "authorization": f"Bearer {FIRST}"}
    file.write_text(SECOND, encoding="utf-8")
    metadata.renew()
    assert exporter.calls_with() == {"x-tenant": "shop", "authorization": f"Bearer {SECOND}"}


def test_over_grpc_a_header_that_a_variable_gives_wins(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(TOKEN_FILE_VARIABLE, str(file))
    exporter = OfGrpc(("Authorization", "Basic abc"))
    Metadata(exporter).renew()
    assert exporter.calls_with() == {"Authorization": "Basic abc"}


def test_over_grpc_it_does_not_go_to_a_vendor(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_FILE_VARIABLE, str(file))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")
    vendor, ours = OfGrpc(endpoint="otlp.vendor.example:443"), OfGrpc()
    Metadata(vendor).renew()
    Metadata(ours).renew()
    assert vendor.calls_with() == {}
    assert ours.calls_with() == {"authorization": f"Bearer {FIRST}"}


def test_other_exporters_are_left_alone(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN_FILE_VARIABLE, str(file))
    other = requests.Session()
    before = dict(vars(other))
    Metadata(other).renew()
    assert vars(other) == before


def test_an_unusable_path_is_one_error(file: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read"):
        token_from({TOKEN_FILE_VARIABLE: f"{file}\0"})
