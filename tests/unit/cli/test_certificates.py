"""What asks for mutual TLS, and the compose file that wires it."""

import ssl
from pathlib import Path
from typing import Any

import pytest
import yaml

from glasshouse_cli import certificates, compose
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project
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
    certificates.ensure(tmp_path)
    files = {
        name: Path(one["file"].replace("${GLASSHOUSE_STATE:?}", str(tmp_path)))
        for name, one in OVERRIDE["secrets"].items()
    }
    assert all(path.is_file() for path in files.values())
    # With it anybody can be made to look like one of ours.
    assert certificates.of(tmp_path).authority_key not in files.values()
    shown = certificates.of(tmp_path).variables
    for service in ("api", "worker"):
        given = OVERRIDE["services"][service]
        assert set(given["environment"]) == {*shown, "OTEL_EXPORTER_OTLP_ENDPOINT"}
        for variable, path in shown.items():
            secret = given["environment"][variable].removeprefix("/run/secrets/")
            assert secret in given["secrets"]
            assert files[secret] == Path(path)
        assert not {"otlp_collector_key"} & set(given["secrets"])
    assert "otlp_client_key" not in OVERRIDE["services"]["collector"]["secrets"]
    named = (deployed.ROOT / "collector" / "mtls.yaml").read_text(encoding="utf-8")
    for secret in OVERRIDE["services"]["collector"]["secrets"]:
        assert f"/run/secrets/{secret}" in named
