"""Who may send to the Collector: tokens, host names, and the two protocols alike."""

import json
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub

from support import collector_process, deployed, otlp
from support.collector_process import TOKEN, Collector
from support.otlp_sink import Sink
from support.waiting import until

CONFIG = deployed.CONFIG.read_text(encoding="utf-8")
NEXT = "the-token-that-comes-next-0123456789"
NO_TOKEN = (
    "no token that is accepted: send the header Authorization: Bearer, a space, "
    "and a line of the Collector's secret otlp_token"
)
FOREIGN_HOST = (
    "the host name of the request is not this Collector's: add it to GLASSHOUSE_HOSTS, "
    "or ask for a token (OTLP_AUTH=token)"
)


@pytest.fixture
def collector(
    request: pytest.FixtureRequest, program: Path, sink: Sink, tmp_path: Path
) -> Iterator[Collector]:
    """A Collector that asks for a token, or for what a test names."""
    asked = getattr(request, "param", "token")
    at = collector_process.place(tmp_path, CONFIG)
    with collector_process.running(program, at, CONFIG, sink=sink.url, auth=asked) as running:
        yield running


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def post(to: Collector, body: str, headers: dict[str, str]) -> httpx.Response:
    payload = {"resourceLogs": [{"scopeLogs": [{"logRecords": [otlp.log(body)]}]}]}
    with httpx.Client(trust_env=False, timeout=60) as client:
        return client.post(f"{to.otlp}/v1/logs", json=payload, headers=headers)


def call(to: Collector, body: str, headers: dict[str, str], authority: str = "") -> str:
    """Send one record over gRPC; return the name of the status, and the text that comes with it."""
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.body.string_value = body
    metadata = [(name.lower(), value) for name, value in headers.items()]
    options: list[tuple[str, int | str]] = [("grpc.enable_http_proxy", 0)]
    if authority:
        options.append(("grpc.default_authority", authority))
    with grpc.insecure_channel(to.grpc, options=options) as channel:
        try:
            LogsServiceStub(channel).Export(request, metadata=metadata, timeout=60)
        except grpc.RpcError as error:
            return f"{error.code().name}: {error.details()}"  # pyright: ignore[reportAttributeAccessIssue]
    return "OK"


def wait_for(sink: Sink, *bodies: str) -> None:
    """Wait until just these have arrived."""

    def probe() -> tuple[bool | None, object]:
        found = sorted(one["body"]["stringValue"] for one in sink.log_records())
        return found == sorted(bodies) or None, found

    until(probe, what=f"{bodies} arrive, and nothing else")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer("another-token"),
        bearer(TOKEN[:-1]),
        bearer(TOKEN + "x"),
        {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"},
        {"X-Authorization": f"Bearer {TOKEN}"},
    ],
    ids=["none", "wrong", "shorter", "longer", "bare", "basic", "other-header"],
)
def test_without_the_token_nothing_is_taken(
    collector: Collector, sink: Sink, headers: dict[str, str]
) -> None:
    answer = post(collector, "unwanted", headers)
    assert answer.status_code == httpx.codes.UNAUTHORIZED
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="OTLP"'
    assert answer.json()["message"] == NO_TOKEN
    assert call(collector, "unwanted", headers) == f"UNAUTHENTICATED: {NO_TOKEN}"
    # Control: with the token, both protocols take it.
    assert post(collector, "wanted over HTTP", bearer(TOKEN)).status_code == httpx.codes.OK
    assert call(collector, "wanted over gRPC", bearer(TOKEN)) == "OK"
    wait_for(sink, "wanted over HTTP", "wanted over gRPC")
    assert TOKEN not in collector.log.read_text(encoding="utf-8")


def test_who_reads_the_answer_as_text_reads_one_line(collector: Collector) -> None:
    answer = httpx.get(f"{collector.otlp}/", trust_env=False, timeout=60)
    assert answer.status_code == httpx.codes.UNAUTHORIZED
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.text == f"{NO_TOKEN}\n"


def test_the_log_has_one_line_of_many_that_were_turned_away(collector: Collector) -> None:
    for _ in range(20):
        post(collector, "unwanted", bearer("a-wrong-token"))
    lines = [
        json.loads(line)
        for line in collector.log.read_text(encoding="utf-8").splitlines()
        if "turned away" in line
    ]
    [line] = lines
    assert line["level"] == "warn"
    assert line["msg"] == f"A sender was turned away: {NO_TOKEN}"
    assert line["protocol"] == "http"
    assert "a-wrong-token" not in collector.log.read_text(encoding="utf-8")


def test_each_line_of_the_file_is_taken_and_a_change_is_seen(
    collector: Collector, sink: Sink, tmp_path: Path
) -> None:
    file = tmp_path / "otlp_token"
    assert post(collector, "too early", bearer(NEXT)).status_code == httpx.codes.UNAUTHORIZED
    # In place: a mounted file is the same file still.
    file.write_text(f"{NEXT}\n{TOKEN}\n", encoding="utf-8")

    def both() -> tuple[bool | None, object]:
        states = [post(collector, "rotated", bearer(one)).status_code for one in (NEXT, TOKEN)]
        return states == [200, 200] or None, states

    until(both, what="both tokens are taken")
    assert call(collector, "rotated", bearer(NEXT)) == "OK"
    assert call(collector, "rotated", bearer(TOKEN)) == "OK"
    file.write_text(f"{NEXT}\n", encoding="utf-8")

    def ended() -> tuple[bool | None, object]:
        state = post(collector, "rotated", bearer(TOKEN)).status_code
        return state == httpx.codes.UNAUTHORIZED or None, state

    until(ended, what="the old token is refused")
    assert call(collector, "late", bearer(TOKEN)).startswith("UNAUTHENTICATED")
    assert post(collector, "last", bearer(NEXT)).status_code == httpx.codes.OK
    assert "too early" not in {one["body"]["stringValue"] for one in sink.log_records()}


@pytest.mark.parametrize(("state", "fault"), [("missing", "failed to read"), ("empty", "is empty")])
def test_without_a_token_file_it_does_not_start(
    program: Path, sink: Sink, tmp_path: Path, state: str, fault: str
) -> None:
    at = collector_process.place(tmp_path, CONFIG)
    file = tmp_path / "otlp_token"
    file.unlink() if state == "missing" else file.write_text("\n", encoding="utf-8")
    with (
        pytest.raises(AssertionError) as ended,
        collector_process.running(program, at, CONFIG, sink=sink.url),
    ):
        pass
    lines = [line for line in str(ended.value).splitlines() if fault in line]
    assert any(str(file) in line and line.startswith("Error: ") for line in lines), ended.value


@pytest.mark.parametrize("asked", ["", "mtls", "Token"])
def test_what_it_may_ask_for_is_said(program: Path, sink: Sink, tmp_path: Path, asked: str) -> None:
    at = collector_process.place(tmp_path, CONFIG)
    with (
        pytest.raises(AssertionError, match=r"access.ask_for: is .* must be token or none"),
        collector_process.running(program, at, CONFIG, sink=sink.url, auth=asked),
    ):
        pass


@pytest.mark.parametrize("collector", ["none"], indirect=True)
class TestWhereNoTokenIsAskedFor:
    """OTLP_AUTH=none, to try things out."""

    def test_anything_is_taken(self, collector: Collector, sink: Sink) -> None:
        assert post(collector, "over HTTP", {}).status_code == httpx.codes.OK
        assert call(collector, "over gRPC", {}) == "OK"
        wait_for(sink, "over HTTP", "over gRPC")
        assert '"level":"warn"' in collector.log.read_text(encoding="utf-8")
        assert "takes anything from anybody" in collector.log.read_text(encoding="utf-8")

    @pytest.mark.parametrize(
        "host", ["evil.example", "evil.example:4318", "localhost.evil.example"]
    )
    def test_a_name_that_is_not_ours_is_refused(
        self, collector: Collector, sink: Sink, host: str
    ) -> None:
        answer = post(collector, "rebound", {"Host": host})
        assert answer.status_code == httpx.codes.MISDIRECTED_REQUEST
        assert answer.json()["message"] == FOREIGN_HOST
        assert call(collector, "rebound", {}, host) == f"PERMISSION_DENIED: {FOREIGN_HOST}"
        assert post(collector, "ours", {"Host": "localhost"}).status_code == httpx.codes.OK
        wait_for(sink, "ours")

    @pytest.mark.parametrize(
        "host",
        [
            "localhost",
            "LOCALHOST:4318",
            "127.0.0.1:4318",
            "[::1]:4318",
            "collector:4318",
            "10.1.2.3",
        ],
    )
    def test_our_names_and_addresses_are_taken(self, collector: Collector, host: str) -> None:
        assert post(collector, "ours", {"Host": host}).status_code == httpx.codes.OK
        assert call(collector, "ours", {}, host) == "OK"
