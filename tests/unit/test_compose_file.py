"""What the compose file promises about every container."""

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
)["services"]
services = pytest.mark.parametrize("name", SERVICES)


@services
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert port.startswith("127.0.0.1:${"), port


@services
def test_a_container_has_no_rights_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name == "volumes":
        # Root, to give the volumes away: one capability, no network, gone in a second.
        assert (service["user"], service["cap_add"], service["network_mode"]) == (
            "0:0",
            ["CHOWN"],
            "none",
        )
    else:
        assert service["user"].startswith("${GLASSHOUSE_UID:?")
        assert "cap_add" not in service


@services
def test_memory_and_logs_are_bounded(name: str) -> None:
    service = SERVICES[name]
    assert name == "volumes" or service["mem_limit"]
    assert service["logging"]["options"]["max-size"]


@services
def test_no_secret_is_in_the_environment(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if any(word in variable for word in ("PASSWORD", "TOKEN", "KEY", "SECRET")):
            assert str(value).startswith("/run/secrets/"), variable


def test_every_image_is_pinned_in_env() -> None:
    names = {line.partition("=")[0] for line in (ROOT / ".env").read_text().splitlines()}
    for name, service in SERVICES.items():
        variable = service["image"].removeprefix("${").partition(":?")[0]
        assert variable in names, name
