"""Mutual TLS on both OTLP ports, with the certificates that `glasshouse certificates` makes."""

import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub

from glasshouse_cli import certificates
from glasshouse_cli.certificates import Certificates
from glasshouse_cli.project import User
from support import collector_process, deployed, otlp
from support.collector_process import Collector
from support.otlp_sink import Sink
from support.waiting import until

CONFIG = deployed.CONFIG.read_text(encoding="utf-8")
MTLS = (deployed.ROOT / "collector" / "mtls.yaml").read_text(encoding="utf-8")
ME = User(uid=os.geteuid(), gid=os.getegid())
# By the secrets of docker-compose.mtls.yml that the Collector has.
FILES = {
    "otlp_authority": "authority.pem",
    "otlp_collector_certificate": "collector.pem",
    "otlp_collector_key": "collector.key",
}


@pytest.fixture
def ours(tmp_path: Path) -> Certificates:
    certificates.ensure(tmp_path / "ours", user=ME)
    return certificates.of(tmp_path / "ours")


@pytest.fixture
def theirs(tmp_path: Path) -> Certificates:
    """Of another authority."""
    certificates.ensure(tmp_path / "theirs", user=ME)
    return certificates.of(tmp_path / "theirs")


@pytest.fixture
def collector(program: Path, sink: Sink, tmp_path: Path, ours: Certificates) -> Iterator[Collector]:
    at = collector_process.place(tmp_path, CONFIG)
    for secret, name in FILES.items():
        (tmp_path / secret).write_bytes((ours.folder / name).read_bytes())
    with collector_process.running(program, at, CONFIG, MTLS, sink=sink.url) as running:
        yield running


def post(to: Collector, shown: Certificates | None, trusted: Certificates, **headers: str) -> int:
    """Send one record over HTTPS; return the status."""
    context = ssl.create_default_context(cafile=str(trusted.authority))
    if shown is not None:
        context.load_cert_chain(shown.client, shown.client_key)
    payload = {"resourceLogs": [{"scopeLogs": [{"logRecords": [otlp.log("over HTTP")]}]}]}
    url = to.otlp.replace("http://", "https://") + "/v1/logs"
    with httpx.Client(verify=context, trust_env=False, timeout=60) as client:
        return client.post(url, json=payload, headers=headers).status_code


def call(to: Collector, shown: Certificates | None, trusted: Certificates, **headers: str) -> str:
    """Send one record over gRPC with TLS; return the status."""
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.body.string_value = "over gRPC"
    chain, key = None, None
    if shown is not None:
        chain, key = shown.client.read_bytes(), shown.client_key.read_bytes()
    credentials = grpc.ssl_channel_credentials(trusted.authority.read_bytes(), key, chain)
    metadata = [(name.lower(), value) for name, value in headers.items()]
    options = [("grpc.enable_http_proxy", 0)]
    with grpc.secure_channel(to.grpc, credentials, options=options) as channel:
        try:
            LogsServiceStub(channel).Export(request, metadata=metadata, timeout=60)
        except grpc.RpcError as error:
            return error.code().name  # pyright: ignore[reportAttributeAccessIssue]
    return "OK"


def test_only_who_shows_a_certificate_of_the_authority_gets_in(
    collector: Collector, sink: Sink, ours: Certificates, theirs: Certificates
) -> None:
    for shown in (None, theirs):
        with pytest.raises(httpx.TransportError):
            post(collector, shown, ours, **collector.sender)
        assert call(collector, shown, ours, **collector.sender) == "UNAVAILABLE"
    # In clear text there is nobody; the answer may be lost with the connection.
    with contextlib.suppress(httpx.ReadError):
        plain = httpx.post(f"{collector.otlp}/v1/logs", json={}, trust_env=False, timeout=60)
        assert plain.status_code == httpx.codes.BAD_REQUEST
    # And who has the certificate has to show the token all the same.
    assert post(collector, ours, ours) == httpx.codes.UNAUTHORIZED
    assert call(collector, ours, ours) == "UNAUTHENTICATED"
    assert post(collector, ours, ours, **collector.sender) == httpx.codes.OK
    assert call(collector, ours, ours, **collector.sender) == "OK"

    def arrived() -> tuple[bool | None, object]:
        found = sorted(one["body"]["stringValue"] for one in sink.log_records())
        return found == ["over HTTP", "over gRPC"] or None, found

    until(arrived, what="the two that were let in, and no others")


def test_a_collector_of_another_authority_is_not_trusted(
    collector: Collector, ours: Certificates, theirs: Certificates
) -> None:
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        post(collector, ours, theirs, **collector.sender)
    assert call(collector, ours, theirs, **collector.sender) == "UNAVAILABLE"
    assert post(collector, ours, ours, **collector.sender) == httpx.codes.OK


def test_the_exporters_get_in_by_the_variables(
    collector: Collector, sink: Sink, ours: Certificates, tmp_path: Path
) -> None:
    command = [str(Path(sys.executable).with_name("glasshouse")), "check", "--timeout=60"]
    # This machine's own authorities would win over ours.
    others = ("OTEL_", "GLASSHOUSE_", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    environment = {
        **{name: text for name, text in os.environ.items() if not name.startswith(others)},
        **ours.variables,
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.otlp.replace("http://", "https://"),
        "GLASSHOUSE_OTLP_TOKEN_FILE": str(tmp_path / "otlp_token"),
        "NO_PROXY": "127.0.0.1",
    }
    ran = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    until(lambda: (bool(sink.spans()) or None, sink.requests), what="the span is stored")


def test_a_renewed_certificate_is_of_the_same_authority(ours: Certificates, tmp_path: Path) -> None:
    before = {path.name: path.read_bytes() for path in ours.folder.iterdir()}
    inodes = {path.name: path.stat().st_ino for path in ours.folder.iterdir()}
    assert certificates.ensure(tmp_path / "ours", user=ME) == []
    certificates.ensure(tmp_path / "ours", "otlp.shop.example, 192.0.2.7", anew=True, user=ME)
    after = {path.name: path.read_bytes() for path in ours.folder.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {
        "client.key",
        "client.pem",
        "collector.key",
        "collector.pem",
    }
    # In place: a container that has it mounted sees the new one.
    assert {path.name: path.stat().st_ino for path in ours.folder.iterdir()} == inodes
    assert {path.stat().st_mode & 0o777 for path in ours.folder.iterdir()} == {0o600}
    shown = ["openssl", "x509", "-noout", "-ext", "subjectAltName", "-in"]
    names = subprocess.run(
        [*shown, str(ours.folder / "collector.pem")], capture_output=True, text=True, check=True
    ).stdout
    assert "DNS:collector, DNS:localhost, IP Address:127.0.0.1" in names
    assert "DNS:otlp.shop.example, IP Address:192.0.2.7" in names
