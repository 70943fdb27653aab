"""What asks for mutual TLS, and the compose file that wires it."""

import os
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from glasshouse_cli import certificates, compose, handing
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project, User
from support import deployed

OVERRIDE: dict[str, Any] = yaml.safe_load(
    (deployed.ROOT / compose.MTLS_FILE).read_text(encoding="utf-8")
)


def checkout(root: Path, **settings: str) -> Project:
    return Project(root=root, settings={"OTLP_HTTP_PORT": "4318", **settings})


@pytest.mark.parametrize(("value", "asked"), [("", False), ("off", False), ("mutual", True)])
def test_the_variable_decides(tmp_path: Path, value: str, asked: bool) -> None:
    project = checkout(tmp_path, OTLP_TLS=value)
    assert certificates.asked_for(project) is asked
    assert (str(tmp_path / compose.MTLS_FILE) in compose.command(project, "up")) is asked
    scheme = "https" if asked else "http"
    assert certificates.otlp_url(project) == f"{scheme}://127.0.0.1:4318"


def test_another_value_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"OTLP_TLS in .env must be off or mutual, not 'on'"):
        certificates.asked_for(checkout(tmp_path, OTLP_TLS="on"))


def test_without_the_files_the_command_is_named(tmp_path: Path) -> None:
    project = checkout(tmp_path, OTLP_TLS="mutual", GLASSHOUSE_STATE="state")
    with pytest.raises(StackError, match="no usable certificates: `glasshouse certificates`"):
        certificates.context(project)
    certificates.ensure(project.state)
    assert isinstance(certificates.context(project), ssl.SSLContext)


def test_without_openssl_its_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StackError, match=r"openssl is missing: `.+ install openssl`"):
        certificates.ensure(tmp_path)


def test_the_compose_file_hands_out_what_is_made(tmp_path: Path) -> None:
    made = certificates.of(tmp_path)
    certificates.ensure(tmp_path)
    wanted = {
        name: service["x-secrets"]
        for name, service in OVERRIDE["services"].items()
        if "x-secrets" in service
    }
    assert wanted.keys() == {"api", "worker", "collector"}
    (tmp_path / "secrets").mkdir()
    me = User(uid=os.geteuid(), gid=os.getegid())
    folders = {folder.name: folder for folder in handing.hand_out(tmp_path, wanted, me)}
    shown = made.variables
    for service in ("api", "worker"):
        given = OVERRIDE["services"][service]
        assert set(given["environment"]) == {*shown, "OTEL_EXPORTER_OTLP_ENDPOINT"}
        for variable, path in shown.items():
            secret = given["environment"][variable].removeprefix("/run/secrets/")
            assert (folders[service] / secret).read_bytes() == Path(path).read_bytes()
        assert not {"otlp_collector_key"} & set(wanted[service])
    assert "otlp_client_key" not in wanted["collector"]
    # With it anybody can be made to look like one of ours.
    key = made.authority_key.read_bytes()
    assert key not in {path.read_bytes() for one in folders.values() for path in one.iterdir()}
    named = (deployed.ROOT / "collector" / "mtls.yaml").read_text(encoding="utf-8")
    for secret in wanted["collector"]:
        assert f"/run/secrets/{secret}" in named


def subject(path: Path) -> str:
    asked = ["openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253", "-in", str(path)]
    ended = subprocess.run(asked, capture_output=True, text=True, timeout=60, check=True)
    return ended.stdout.strip().removeprefix("subject=")


def test_kafkas_own_are_distinguished_from_an_edge_of_the_same_name(tmp_path: Path) -> None:
    certificates.ensure(tmp_path, edges=["kafka-1"], gateways=["gateway-1"], brokers=["kafka-1"])
    made = certificates.of(tmp_path)
    # As server.properties maps them to names: ssl.principal.mapping.rules.
    assert subject(made.edge("kafka-1")) == "CN=kafka-1"
    assert subject(made.kafka_gateway("gateway-1")) == "CN=gateway-1"
    assert subject(made.broker("kafka-1")) == "CN=kafka-1,OU=kafka"
    assert subject(made.kafka_admin) == "CN=admin,OU=kafka"


@pytest.mark.parametrize(
    ("names", "line"),
    [
        ({"brokers": ["admin"]}, "--broker admin is the administrator's name"),
        ({"brokers": ["Kafka 1"]}, "--broker 'Kafka 1' is no name"),
        ({"gateways": ["a/b"]}, "--gateway 'a/b' is no name"),
        ({"edges": ["a"], "gateways": ["a"]}, "a names an edge and a gateway"),
    ],
)
def test_names_that_kafka_could_mistake_are_refused(
    tmp_path: Path, names: dict[str, list[str]], line: str
) -> None:
    with pytest.raises(StackError, match=line):
        certificates.ensure(
            tmp_path,
            edges=names.get("edges", ()),
            gateways=names.get("gateways", ()),
            brokers=names.get("brokers", ()),
        )


def test_a_name_stays_what_it_was(tmp_path: Path) -> None:
    certificates.ensure(tmp_path, edges=["one"])
    with pytest.raises(StackError, match="one names an edge and a gateway"):
        certificates.ensure(tmp_path, gateways=["one"])
