"""Grafana as it is provisioned: on loopback, behind a generated password, read-only."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def grafana() -> dict[str, Any]:
    return read("docker-compose.yml")["services"]["grafana"]


def test_it_listens_on_loopback_only(grafana: dict[str, Any]) -> None:
    assert grafana["ports"] == ["127.0.0.1:${GRAFANA_PORT:?}:3000"]


def test_nobody_is_let_in_without_the_generated_password(grafana: dict[str, Any]) -> None:
    settings = grafana["environment"]
    assert settings["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_password"
    assert grafana["x-secrets"] == ["grafana_password"]
    assert settings["GF_AUTH_ANONYMOUS_ENABLED"] == "false"
    assert settings["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert not any("ADMIN_PASSWORD" in name and "__FILE" not in name for name in settings)


def test_it_calls_nobody(grafana: dict[str, Any]) -> None:
    settings = grafana["environment"]
    for name in ("REPORTING_ENABLED", "CHECK_FOR_UPDATES", "CHECK_FOR_PLUGIN_UPDATES"):
        assert settings[f"GF_ANALYTICS_{name}"] == "false"


def test_what_is_provisioned_cannot_be_changed_in_it(grafana: dict[str, Any]) -> None:
    mounts = [volume for volume in grafana["volumes"] if volume.startswith("./")]
    assert {mount.split(":")[0] for mount in mounts} == {
        "./grafana/provisioning",
        "./grafana/dashboards",
    }
    assert all(mount.endswith(":ro,z") for mount in mounts)
    sources = read("grafana/provisioning/datasources/stack.yaml")
    assert sources["prune"] is True
    assert all(source["editable"] is False for source in sources["datasources"])
    assert all(source["uid"] == source["type"] for source in sources["datasources"])
    providers = read("grafana/provisioning/dashboards/files.yaml")["providers"]
    # Ours, and those of who runs the stack.
    assert [provider["allowUiUpdates"] for provider in providers] == [False, False]
