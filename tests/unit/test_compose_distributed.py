"""What deploy/compose.distributed.yaml promises about every container, as the other file does."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from glasshouse_cli import components, compose, distributed, project
from support.deployed import ROOT

CHECKOUT = project.load(ROOT, shape=project.DISTRIBUTED)
SERVICES = compose.services(CHECKOUT)
FILE: dict[str, dict[str, Any]] = yaml.safe_load(CHECKOUT.compose_file.read_text(encoding="utf-8"))
NETWORKS = FILE["networks"]
# The others are those of docker-compose.yml, which has tests of its own.
OWN = {name: service for name, service in FILE["services"].items() if "extends" not in service}
INTERNAL = {name for name, one in NETWORKS.items() if one.get("internal")}
STATE = "${GLASSHOUSE_STATE:-./.glasshouse}"
services = pytest.mark.parametrize("name", SERVICES)
own_services = pytest.mark.parametrize("name", OWN)


@services
def test_ports_are_published_on_loopback_only(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\$\{[A-Z_]+_PORT:\?\}:[0-9]+", port), port


def test_the_ports_are_those_of_one_machine_and_one_more() -> None:
    published = [
        port.partition("${")[2].partition(":?")[0]
        for service in SERVICES.values()
        for port in service.get("ports", [])
    ]
    assert sorted(published) == sorted(components.DISTRIBUTED_PORT_VARIABLES)
    publishing = {name for name, service in SERVICES.items() if service.get("ports")}
    assert publishing == {"api", "sandbox", "edge-1", "edge-2", "proxy", "grafana"}


@own_services
def test_a_container_has_no_rights_that_it_does_not_need(name: str) -> None:
    service = OWN[name]
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"privileged", "pid", "ipc", "devices", "userns_mode"}
    if name == "setup":
        assert (service["user"], service["network_mode"]) == ("0:0", "none")
    else:
        assert service["user"] == "${GLASSHOUSE_UID:-10001}:${GLASSHOUSE_GID:-10001}"
        assert "cap_add" not in service


@own_services
def test_what_a_container_takes_of_the_machine_is_bounded(name: str) -> None:
    service = OWN[name]
    assert int(service["mem_limit"].removesuffix("m")) <= 640
    assert service["pids_limit"] <= 256
    assert 0 < float(service["cpus"]) <= 1
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "3"}
    soft = service.get("environment", {}).get("GOMEMLIMIT")
    if soft:
        share = int(soft.removesuffix("MiB")) / int(service["mem_limit"].removesuffix("m"))
        assert 0.5 <= share <= 0.8, name


@own_services
def test_what_hangs_is_noticed_and_ended(name: str) -> None:
    service = OWN[name]
    if service["restart"] == "no":
        assert "healthcheck" not in service
        return
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][:2] == ["CMD", "/healthcheck/healthcheck"]
    assert "healthcheck:/healthcheck:ro" in service["volumes"]
    assert any(mount.partition(":")[0] == "/tmp" for mount in service["tmpfs"])  # noqa: S108


@services
def test_a_container_gets_the_secrets_that_it_names_and_no_others(name: str) -> None:
    service = SERVICES[name]
    mounted = [one for one in service.get("volumes", []) if "/secrets" in one]
    folder = f"{STATE}/secrets/for/{name}:/run/secrets:ro,z"
    assert mounted == ([folder] if service.get("x-secrets") else [])
    for variable, value in service.get("environment", {}).items():
        if any(word in variable for word in ("PASSWORD", "TOKEN", "KEY", "SECRET")):
            assert str(value).startswith("/run/secrets/"), variable


@services
def test_what_is_mounted_of_this_machine_is_read_only_and_labelled(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source, _, options = re.sub(r"\$\{[^}]+\}", "./", volume).partition(":")
        if source.startswith("."):
            assert set(options.rpartition(":")[2].split(",")) >= {"ro", "z"}, volume


def networks(name: str) -> set[str]:
    return set(SERVICES[name].get("networks", ()))


def test_networks_that_need_no_way_out_have_none() -> None:
    assert NETWORKS.keys() - INTERNAL == {"outside", "alerts", "published"}
    masquerade = "com.docker.network.bridge.enable_ip_masquerade"
    assert NETWORKS["published"]["driver_opts"][masquerade] == "false"


def test_who_shares_no_network_cannot_reach_each_other() -> None:
    """Services reach an edge alone, edges Kafka alone, and only gateways reach both sides."""
    members = {
        network: {name for name in SERVICES if network in networks(name)} for network in NETWORKS
    }
    edges, gateways = {"edge-1", "edge-2"}, {"gateway-1", "gateway-2"}
    brokers = {"kafka-1", "kafka-2", "kafka-3"}
    assert members["ingest"] == {"api", "worker", *edges}
    assert members["kafka"] == edges | gateways | brokers | {"kafka-topics"}
    assert members["tempo-ingest"] - brokers == {
        name for name in SERVICES if name.startswith("tempo-") and "tempo-ingest" in networks(name)
    }
    backends = members["backends"]
    assert not backends & (edges | brokers | {"api", "worker", "s3"})
    assert gateways < backends
    assert members["storage"] - {"s3"} <= backends
    assert "s3" in members["storage"]


def test_gateways_are_found_by_certificate_and_each_edge_has_a_tenant() -> None:
    for edge in distributed.edges(CHECKOUT):
        assert SERVICES[edge.name]["environment"]["EDGE_TENANT"] == edge.tenant
        assert SERVICES[edge.name]["environment"]["EDGE_NAME"] == edge.name
        assert f"edge_certificate:edge-{edge.name}.pem" in SERVICES[edge.name]["x-secrets"]
    asked = SERVICES["kafka-topics"]["environment"]["KAFKA_GATEWAYS"].split(",")
    assert asked == [name for name in SERVICES if name.startswith("gateway-")]
    assert SERVICES["proxy"]["environment"]["GLASSHOUSE_TENANT"] in {
        edge.tenant for edge in distributed.edges(CHECKOUT)
    }


def test_volumes_are_given_to_the_containers_user() -> None:
    given = {
        volume.partition(":")[0]
        for volume in SERVICES["setup"]["volumes"]
        if not volume.startswith("./")
    }
    used = {
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", ())
        if re.match(r"[a-z0-9-]+:", volume)
    }
    assert given == used == set(FILE["volumes"])


def test_compose_reads_the_file_as_we_do() -> None:
    if shutil.which("docker") is None:
        pytest.skip("docker is not installed")
    line = ["docker", "compose", "--project-directory", str(ROOT)]
    line += ["--file", str(CHECKOUT.compose_file), "--env-file", str(ROOT / ".env")]
    line += ["--profile", "*", "config", "--format", "json"]
    ran = subprocess.run(line, capture_output=True, text=True, timeout=120, check=False)
    if "is not a docker command" in ran.stderr or "unknown flag" in ran.stderr:
        pytest.skip("there is no compose plugin")
    assert ran.returncode == 0, ran.stderr
    read: dict[str, dict[str, Any]] = json.loads(ran.stdout)["services"]
    assert read.keys() == SERVICES.keys()
    for name, service in read.items():
        ours = SERVICES[name]
        assert sorted(service.get("depends_on", ())) == sorted(ours.get("depends_on", ())), name
        assert sorted(service.get("networks", ())) == sorted(networks(name)), name
        assert sorted(service.get("profiles", ())) == sorted(ours.get("profiles", ())), name
        assert service.get("environment", {}).keys() == ours.get("environment", {}).keys(), name
        targets = [re.sub(r"\$\{[^}]+\}", "", one).split(":")[1] for one in ours.get("volumes", [])]
        assert sorted(one["target"] for one in service.get("volumes", ())) == sorted(targets), name
        assert service.get("command") == ours.get("command") or "$" in str(ours["command"]), name
