"""What the compose file promises about every container."""

import re
from typing import Any

import pytest

from support.deployed import ROOT, compose

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
MIB = {"m": 1, "g": 1024}
services = pytest.mark.parametrize("name", SERVICES)


@services
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+_PORT:\?\}:[0-9]+", port), port


def test_no_port_is_published_twice() -> None:
    ports = [port.split(":${")[1] for one in SERVICES.values() for port in one.get("ports", [])]
    variables = [port.partition(":?")[0] for port in ports]
    assert len(variables) == len(set(variables)) > 0


@services
def test_a_container_sees_no_more_of_the_host_than_it_needs(name: str) -> None:
    service = SERVICES[name]
    assert not service.keys() & {"privileged", "pid", "ipc", "devices", "userns_mode"}
    assert service.get("network_mode", "none") == "none"
    for volume in service.get("volumes", []):
        source, *_, last = re.sub(r"\$\{[^}]+\}", "./", volume).split(":")
        assert not source.startswith("/"), volume
        # What is no named volume is a file of the checkout.
        assert not source.startswith(".") or last == "ro", volume


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
    assert name == "volumes" or mebibytes(service["mem_limit"]) <= 512
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}


def mebibytes(limit: str) -> int:
    return int(limit[:-1]) * MIB[limit[-1]]


@pytest.mark.parametrize("name", ["collector", "loki", "tempo", "prometheus"])
def test_garbage_is_collected_before_the_kernel_kills(name: str) -> None:
    service = SERVICES[name]
    soft = service["environment"]["GOMEMLIMIT"]
    assert soft.endswith("MiB")
    share = int(soft.removesuffix("MiB")) / mebibytes(service["mem_limit"])
    # Go's limit leaves out the stacks of C and files in memory.
    assert 0.5 <= share <= 0.8


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
