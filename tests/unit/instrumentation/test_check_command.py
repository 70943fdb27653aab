"""`glasshouse check`: what it sends, and what it says of each way not to arrive."""

import contextlib
import gc
import json
import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent import futures
from http.server import ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import certifi
import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from glasshouse.checking import command
from glasshouse.checking.advice import advice
from glasshouse.checking.sending import Answer, GrpcLog
from glasshouse.checking.targets import GRPC, LOGS, Target
from glasshouse.checking.targets import SIGNALS as SIGNALS_OF
from support import otlp_sink, ports
from support.http_server import Handler, serving
from support.waiting import until

PERSONAL = "jane.doe@example.com"
SIGNALS = {"logs", "traces", "metrics"}
GENERAL = "OTEL_EXPORTER_OTLP_ENDPOINT"
NOT_AUTHORISED = (
    "not authorised: put the token into OTEL_EXPORTER_OTLP_HEADERS,"
    " or its file into GLASSHOUSE_OTLP_TOKEN_FILE"
)


class Run:
    """What one run in this process wrote and returned."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def signals(self) -> dict[str, dict[str, Any]]:
        return {one["signal"]: one for one in self.document["signals"]}

    def the_same(self, key: str) -> Any:
        """Return what all three signals say."""
        [only] = {one[key].replace(name, "SIGNAL") for name, one in self.signals.items()}
        return only


Check = Callable[..., Run]


@pytest.fixture
def check(capsys: pytest.CaptureFixture[str]) -> Iterator[Check]:
    root = logging.getLogger()
    handlers = list(root.handlers)

    def run(variables: Mapping[str, str], *arguments: str, seconds: int = 240) -> Run:
        with mock.patch.dict(os.environ, variables):
            code = command.main(["--json", "--timeout", str(seconds), *arguments])
        out, err = capsys.readouterr()
        return Run(code, str(out), str(err))

    yield run
    logging.captureWarnings(False)
    root.handlers[:] = handlers


@contextlib.contextmanager
def answering(
    status: int, headers: Mapping[str, str] | None = None, body: bytes = b""
) -> Iterator[str]:
    class Answer(Handler):
        def do_POST(self) -> None:
            self.body()
            self.answer(body, status=status, headers=headers or {})

    with serving(Answer) as url:
        yield url


@contextlib.contextmanager
def raw(reply: bytes | None) -> Iterator[str]:
    """Accept connections, and write ``reply`` to each; with None: never answer."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    held.append(connection)
                    if reply is not None:
                        connection.recv(65536)
                        connection.sendall(reply)
                        connection.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
    for connection in held:
        connection.close()
    thread.join(10)


def test_one_masked_record_of_each_signal_arrives(check: Check) -> None:
    with otlp_sink.running() as sink:
        run = check({GENERAL: sink.url, "OTEL_SERVICE_NAME": "shop"})
        [log], [span], [metric] = sink.log_records(), sink.spans(), sink.metrics()
    assert run.code == 0
    assert run.document["ok"] is True
    assert {
        name: (one["state"], one["status"]) for name, one in run.signals.items()
    } == dict.fromkeys(SIGNALS, ("arrived", 200))
    assert run.the_same("endpoint") == f"{sink.url}/v1/SIGNAL"
    assert all(isinstance(one["ms"], int) for one in run.signals.values())
    for item, text in ((log, log["body"]["stringValue"]), (span, ""), (metric, "")):
        shown = json.dumps(item)
        assert PERSONAL not in shown + text
        assert "[email:" in shown
    assert log["body"]["stringValue"].startswith("Sent by glasshouse check, reply to [email:")
    assert (span["name"], metric["name"]) == ("glasshouse.check", "glasshouse.check")
    assert len(run.document["trace_id"]) == 32


def test_what_redaction_would_let_through_is_not_sent(check: Check) -> None:
    program = [sys.executable, "-m", "glasshouse", "check", "--json"]
    with otlp_sink.running() as sink:
        environ = {**os.environ, GENERAL: sink.url, "GLASSHOUSE_REDACTION_DISABLE": "email"}
        ran = subprocess.run(
            program, env=environ, capture_output=True, text=True, timeout=120, check=False
        )
        assert sink.requests == []
    run = Run(ran.returncode, ran.stdout, ran.stderr)
    assert run.code == 1
    assert run.the_same("advice").startswith("not sent: an address in it is not masked")


def test_nothing_listens(check: Check) -> None:
    port = ports.free(["dead"])["dead"]
    run = check({GENERAL: f"http://127.0.0.1:{port}"})
    assert run.code == 1
    assert run.the_same("state") == "failed"
    assert run.the_same("advice") == (
        f"nothing listens on port {port}: start the Collector, or set {GENERAL}"
    )


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, NOT_AUTHORISED),
        (403, "forbidden: does the token in OTEL_EXPORTER_OTLP_HEADERS allow sending?"),
        (404, f"no such path: {GENERAL} must be what stands before /v1/SIGNAL"),
        (405, "the endpoint does not take POST there: is it an OTLP endpoint?"),
        (418, "refused: is it an OTLP endpoint?"),
        (503, "the endpoint fails: read its log, and check what it sends to"),
    ],
)
def test_a_refusal_says_what_to_do(check: Check, status: int, advice: str) -> None:
    with answering(status) as url:
        # What may pass is tried again for all of the time.
        run = check({GENERAL: url}, seconds=10 if status == 503 else 240)
    assert run.code == 1
    assert {one["status"] for one in run.signals.values()} == {status}
    assert run.the_same("advice") == advice


def test_the_token_of_a_file_is_sent_and_not_shown(check: Check, tmp_path: Path) -> None:
    file = tmp_path / "otlp_token"
    file.write_text("the-token-of-the-file\n", encoding="utf-8")
    with otlp_sink.running() as sink:
        run = check({GENERAL: sink.url, "GLASSHOUSE_OTLP_TOKEN_FILE": str(file)})
    assert run.code == 0
    sent = [one.headers["authorization"] for one in sink.requests]
    assert sent == ["Bearer the-token-of-the-file"] * 3
    assert "the-token-of-the-file" not in run.out + run.err


def test_a_token_that_is_refused_is_named_by_its_file(check: Check, tmp_path: Path) -> None:
    file = tmp_path / "otlp_token"
    file.write_text("the-token-of-the-file\n", encoding="utf-8")
    with answering(401) as url:
        run = check({GENERAL: url, "GLASSHOUSE_OTLP_TOKEN_FILE": str(file)})
    assert run.code == 1
    assert run.the_same("advice") == (
        f"not authorised: is the first line of {file} one of the Collector's otlp_token?"
    )
    assert "the-token-of-the-file" not in run.out + run.err


def test_a_token_file_that_is_missing_is_one_line(check: Check, tmp_path: Path) -> None:
    run = check({"GLASSHOUSE_OTLP_TOKEN_FILE": str(tmp_path / "missing")})
    assert run.code == 2
    [line] = run.err.splitlines()
    assert line.startswith("glasshouse check: GLASSHOUSE_OTLP_TOKEN_FILE: cannot read ")


def test_an_endpoint_of_one_signal_is_used_as_it_is(check: Check) -> None:
    variable = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    with answering(404) as url, otlp_sink.running() as sink:
        run = check({GENERAL: sink.url, variable: url})
    assert run.code == 1
    assert {name: one["state"] for name, one in run.signals.items()} == {
        "logs": "arrived",
        "metrics": "arrived",
        "traces": "failed",
    }
    assert run.signals["traces"]["advice"] == (
        f"no such path: {variable} is used as it is, so it must end in /v1/traces"
    )


def test_a_redirect_is_no_arrival(check: Check) -> None:
    # The exporter takes it for a success.
    with answering(308, {"Location": "https://otlp.example.com/"}) as url:
        run = check({GENERAL: url})
    assert run.code == 1
    assert run.the_same("advice") == (
        f"redirected to https://otlp.example.com/: set {GENERAL} to where it leads"
    )


def test_a_web_page_is_no_arrival(check: Check) -> None:
    with answering(200, {"Content-Type": "text/html; charset=utf-8"}, b"<html>") as url:
        run = check({GENERAL: url})
    assert (run.code, run.the_same("advice")) == (
        1,
        "a web page answered: is it an OTLP endpoint?",
    )


def test_what_is_taken_and_thrown_away_is_no_arrival(check: Check) -> None:
    answer = ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = 1
    answer.partial_success.error_message = "too old"
    headers = {"Content-Type": "application/x-protobuf"}
    with answering(200, headers, answer.SerializeToString()) as url:
        run = check({GENERAL: url, "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"})
    assert run.code == 1
    assert run.signals["logs"]["advice"] == "taken and thrown away: too old"


def test_an_endpoint_that_never_answers_does_not_hold_it(check: Check) -> None:
    started = time.monotonic()
    with raw(None) as url:
        run = check({GENERAL: url}, seconds=2)
    assert time.monotonic() - started < 60
    assert run.code == 1
    assert run.the_same("advice").startswith("no answer within 2 s: ")


def test_a_grpc_port_is_recognised(check: Check) -> None:
    server = grpc.server(futures.ThreadPoolExecutor(1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        run = check({GENERAL: f"http://127.0.0.1:{port}"})
    finally:
        server.stop(None)
    assert run.code == 1
    assert run.the_same("advice") in (
        "it speaks gRPC, not HTTP: use port 4318, or OTEL_EXPORTER_OTLP_PROTOCOL=grpc",
        "it does not speak HTTP: TLS (https://), gRPC (OTEL_EXPORTER_OTLP_PROTOCOL=grpc), or"
        " another port?",
    )


def test_a_server_of_http2_is_recognised(check: Check) -> None:
    # What gRPC's server in Go answers: an empty frame of settings.
    with raw(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x05\x00\x00\x40\x00") as url:
        run = check({GENERAL: url})
    assert run.the_same("advice") == (
        "it speaks gRPC, not HTTP: use port 4318, or OTEL_EXPORTER_OTLP_PROTOCOL=grpc"
    )


def test_tls_where_there_is_none(check: Check) -> None:
    with answering(200) as url:
        run = check({GENERAL: url.replace("http://", "https://")})
    assert (run.code, run.the_same("advice")) == (1, f"no TLS there: write http:// in {GENERAL}")


def test_a_certificate_that_nobody_trusts(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    class Answer(Handler):
        def do_POST(self) -> None:
            self.body()
            self.answer()

    # The server of the standard library leaves a connection open whose client did not trust it.
    with warnings.catch_warnings(), ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        warnings.simplefilter("ignore", ResourceWarning)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        endpoint = f"https://localhost:{server.server_port}"
        untrusted = check({GENERAL: endpoint}, seconds=10)
        trust = {GENERAL: endpoint, "OTEL_EXPORTER_OTLP_CERTIFICATE": str(certificate)}
        trusted = check(trust)
        overruled = check({**trust, "REQUESTS_CA_BUNDLE": certifi.where()}, seconds=10)
        server.shutdown()
        gc.collect()
    assert untrusted.the_same("advice") == (
        "its certificate is not trusted: put the authority's into OTEL_EXPORTER_OTLP_CERTIFICATE"
    )
    assert (untrusted.code, trusted.code) == (1, 0)
    if version("opentelemetry-sdk").startswith("1.44."):
        # That release hands the file to requests in a way that nothing overrules.
        assert overruled.code == 0
        return
    assert overruled.code == 1
    assert overruled.the_same("advice") == (
        "its certificate is not trusted: REQUESTS_CA_BUNDLE is set, and wins over"
        " OTEL_EXPORTER_OTLP_CERTIFICATE"
    )


def test_no_such_host(check: Check) -> None:
    run = check({GENERAL: "http://collector.invalid:4318", "NO_PROXY": "*"})
    assert run.code == 1
    assert run.the_same("advice") == f"no such host: collector.invalid: set {GENERAL}"


def test_what_is_switched_off_is_no_failure(check: Check) -> None:
    with otlp_sink.running() as sink:
        run = check({GENERAL: sink.url, "OTEL_TRACES_EXPORTER": "none"})
        assert {request.path for request in sink.requests} == {"/v1/logs", "/v1/metrics"}
    assert run.code == 0
    off = run.signals["traces"]
    assert (off["state"], off["advice"]) == ("off", "OTEL_TRACES_EXPORTER=none")


def test_all_switched_off_is_a_failure(check: Check) -> None:
    run = check({"OTEL_SDK_DISABLED": "true"})
    assert (run.code, run.document["ok"]) == (1, False)
    assert run.the_same("advice") == "OTEL_SDK_DISABLED=true"


def test_a_password_in_the_address_is_not_shown(check: Check) -> None:
    with otlp_sink.running() as sink:
        run = check({GENERAL: sink.url.replace("http://", "http://shop:pa55word@")})
    assert run.code == 0
    assert "pa55word" not in run.out + run.err


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        (GENERAL, "localhost:4318", "'localhost:4318' is not a URL such as http://collector:4318"),
        (GENERAL, "http://x:port", "'http://x:port' is not a URL such as "),
        ("OTEL_EXPORTER_OTLP_LOGS_ENDPOINT", "ftp://x", "'ftp://x' is not a URL such as "),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json", "'http/json' is not one of http/protobuf, "),
        (
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "grpc",
            "'grpc' needs the package opentelemetry-exporter-otlp-proto-grpc",
        ),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "1", "1 is not at least OTEL_BSP_MAX_EXPORT_BATCH_SIZE"),
    ],
)
def test_an_unusable_setting_is_one_line(
    check: Check, variable: str, value: str, said: str
) -> None:
    run = check({variable: value})
    assert run.code == 2
    [line] = run.err.splitlines()
    assert line.startswith(f"glasshouse check: {variable}: {said}")
    assert run.document == {"ok": False, "error": line.removeprefix("glasshouse check: ")}


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "soon", "1e9"])
def test_an_unusable_time_out_is_refused(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--timeout", seconds])
    assert ended.value.code == 2
    assert "is no number of seconds from 0 to 600" in capsys.readouterr().err


def whole(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "glasshouse", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_for_people_it_is_one_line_a_signal() -> None:
    with otlp_sink.running() as sink:
        ran = whole("check", **{GENERAL: sink.url, "OTEL_LOGS_EXPORTER": "console"})
    assert (ran.returncode, ran.stderr) == (0, "")
    versions, logs, traces, metrics, look = ran.stdout.splitlines()
    assert versions.startswith("python 3.")
    assert "sdk 1." in versions
    assert logs.split() == ["logs", "off", "OTEL_LOGS_EXPORTER=console"]
    assert traces.split()[:4] == ["traces", "arrived", f"{sink.url}/v1/traces", "200"]
    assert metrics.split()[:4] == ["metrics", "arrived", f"{sink.url}/v1/metrics", "200"]
    assert look.startswith("look for trace ")
    assert "\x1b" not in ran.stdout


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_that_want_them(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], coloured: bool
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    line = command._line(command.Outcome(signal="logs", state="failed", advice="no"))
    assert ("\x1b[31m" in line) is coloured


def test_a_hanging_endpoint_does_not_keep_the_process() -> None:
    started = time.monotonic()
    with raw(None) as url:
        ran = whole("check", "--timeout", "1", **{GENERAL: url})
    assert time.monotonic() - started < 60
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.count("NOT arrived") == 3


def test_the_exit_code_is_the_process_s() -> None:
    port = ports.free(["dead"])["dead"]
    assert whole("check", **{GENERAL: f"http://127.0.0.1:{port}"}).returncode == 1
    refused = whole("check", GLASSHOUSE_HMAC_KEY_FILE="/nowhere")
    assert refused.returncode == 2
    [line] = refused.stderr.splitlines()
    assert line.startswith("glasshouse check: GLASSHOUSE_HMAC_KEY_FILE: cannot read /nowhere")


def test_a_sink_that_comes_late_is_reached(check: Check) -> None:
    """The exporter's own retries are used: a Collector that restarts is no failure."""
    answers = [503, 200, 200, 200]
    seen: list[int] = []

    class Restarting(Handler):
        def do_POST(self) -> None:
            self.body()
            status = answers[min(len(seen), len(answers) - 1)]
            seen.append(status)
            self.answer(status=status)

    off = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}
    with serving(Restarting) as url:
        run = check({GENERAL: url, **off}, "--timeout", "20")
        until(lambda: (len(seen) == 2 or None, seen), what="both tries")
    assert (run.code, run.signals["logs"]["status"]) == (0, 200)


# As gRPC 1.85 says it.
ADDRESSES = "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:4317: "


@pytest.mark.parametrize(
    ("code", "details", "said"),
    [
        (
            "UNAVAILABLE",
            f"{ADDRESSES}Failed to connect to remote host: connect: Connection refused (111)",
            f"nothing listens on port 4317: start the Collector, or set {GENERAL}",
        ),
        (
            "UNAVAILABLE",
            f"{ADDRESSES}Trying to connect an http1.x server (HTTP status 400)",
            "it speaks HTTP, not gRPC: use port 4317, or OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
        ),
        (
            "UNAVAILABLE",
            f"{ADDRESSES}Ssl handshake failed (TSI_PROTOCOL_FAILURE): SSL_ERROR_SSL:"
            " error:100000f7:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER",
            f"no TLS there: write http:// in {GENERAL}",
        ),
        (
            "UNAVAILABLE",
            "errors resolving collector:4317: [address lookup failed: Domain name not found]",
            f"no such host: collector: set {GENERAL}",
        ),
        ("UNAUTHENTICATED", "", NOT_AUTHORISED),
        (
            "UNIMPLEMENTED",
            "unknown service opentelemetry.proto.collector.logs.v1.LogsService",
            "it speaks gRPC, but not OTLP: is it the port of another service?",
        ),
        (
            "DEADLINE_EXCEEDED",
            "Deadline Exceeded",
            "no answer within 5 s: does a firewall drop it, or is the endpoint stuck?",
        ),
        ("INTERNAL", "went wrong", "gRPC says INTERNAL: went wrong"),
    ],
)
def test_what_grpc_says_is_translated(code: str, details: str, said: str) -> None:
    target = Target(signal=LOGS, protocol=GRPC, endpoint="http://collector:4317")
    assert advice(target, Answer(status=code, details=details), 5.0) == said


def test_the_reason_of_each_signal_is_read_from_grpc_s_log() -> None:
    """The exporters return none, and upstream's filter would show one of three."""
    logger = GrpcLog.logger

    class OnlyOne(logging.Filter):
        seen = False

        def filter(self, record: logging.LogRecord) -> bool:
            seen, OnlyOne.seen = OnlyOne.seen, True
            return not seen

    hush = OnlyOne()
    logger.addFilter(hush)
    try:
        sendings: list[Any] = [
            mock.Mock(target=Target(signal=one, protocol=GRPC, endpoint="x")) for one in SIGNALS_OF
        ]
        with GrpcLog(sendings):
            for one in SIGNALS_OF:
                text = "Failed to export %s to %s, error code: %s, error details: %s"
                logger.error(text, one.value, "x", grpc.StatusCode.UNIMPLEMENTED, "no such service")
        assert [one.grpc_said.call_args.args for one in sendings] == [
            ("UNIMPLEMENTED", "no such service")
        ] * 3
        assert logger.filters == [hush]
    finally:
        logger.removeFilter(hush)
