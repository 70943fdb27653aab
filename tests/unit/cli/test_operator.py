"""The operator's password goes to the proxy's ports and nowhere else."""

from pathlib import Path

import httpx
import pytest

from glasshouse_cli import operator
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project

PORTS = {
    "SERVICE_PORT": "8000",
    "SANDBOX_PORT": "8025",
    "COLLECTOR_HEALTH_PORT": "13133",
    "PROMETHEUS_PORT": "9090",
    "LOKI_PORT": "3100",
    "TEMPO_PORT": "3200",
    "ALERTMANAGER_PORT": "9093",
    "GRAFANA_PORT": "3000",
}
PROXIED = {"9090", "3100", "3200", "9093"}


@pytest.fixture
def checkout(tmp_path: Path) -> Project:
    secret = tmp_path / ".glasshouse" / "secrets" / operator.SECRET
    secret.parent.mkdir(parents=True)
    secret.write_text("current\nprevious\n")
    return Project(root=tmp_path, settings=PORTS)


@pytest.mark.parametrize("port", PORTS.values())
def test_only_the_proxy_is_given_the_password(port: str, checkout: Project) -> None:
    request = httpx.Request("GET", f"http://127.0.0.1:{port}/")

    [sent] = operator.Operator(checkout).auth_flow(request)

    expected = "Basic Z2xhc3Nob3VzZTpjdXJyZW50" if port in PROXIED else None
    assert sent.headers.get("Authorization") == expected


def test_without_a_password_the_error_names_the_file_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"operator_password cannot be read: `make up` makes it"):
        operator.headers(tmp_path)


def test_an_empty_file_is_no_password(checkout: Project) -> None:
    (checkout.state / "secrets" / operator.SECRET).write_text("\n")
    with pytest.raises(StackError, match=r"operator_password is empty: delete it, then `make up`"):
        operator.headers(checkout.state)
