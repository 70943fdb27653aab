"""Who reaches whom, tried from inside each container: all pairs, at each port that listens."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx
import pytest

from glasshouse_cli import images
from glasshouse_cli.components import PORT_VARIABLES
from glasshouse_cli.project import Project
from support import backends
from support.inside import Inside
from support.stack import Stack
from support.waiting import until

# Enough for an answer on a slow machine; what is cut off says nothing at all.
TIMEOUT_S = 5.0
DATABASE, CACHE, COLLECTOR, SANDBOX = "postgres", "valkey", "collector", "sandbox"
BACKENDS = frozenset({"alertmanager", "loki", "prometheus", "tempo"})
# For each container those that it reaches, over any network. What is not named is cut off.
REACHES = {
    "api": {"worker", DATABASE, CACHE, COLLECTOR, SANDBOX},
    "worker": {"api", DATABASE, CACHE, COLLECTOR, SANDBOX},
    "sandbox": {"api", "worker", "alertmanager"},
    "postgres": {"api", "worker", CACHE},
    "valkey": {"api", "worker", DATABASE},
    "collector": {"api", "worker", "proxy", *BACKENDS},
    "proxy": {COLLECTOR, *BACKENDS},
    "loki": {COLLECTOR, "proxy", *BACKENDS} - {"loki"},
    "tempo": {COLLECTOR, "proxy", *BACKENDS} - {"tempo"},
    "prometheus": {COLLECTOR, "proxy", *BACKENDS} - {"prometheus"},
    "alertmanager": {COLLECTOR, "proxy", SANDBOX, *BACKENDS} - {"alertmanager"},
}
# Those with a way out: to call providers, or to notify.
GOES_OUT = {"api", "worker", "sandbox", "alertmanager"}
# A port of each that listens, so that the matrix cannot become empty unnoticed.
KNOWN = {
    "api": 8000,
    "sandbox": 8025,
    "postgres": 5432,
    "valkey": 6379,
    "collector": 4318,
    "proxy": 3100,
    "loki": 3100,
    "tempo": 3200,
    "prometheus": 9090,
    "alertmanager": 9093,
}


@dataclass(frozen=True)
class Looked:
    """One container, with what is known of it from outside."""

    service: str
    inside: Inside
    inspected: dict[str, Any]

    @property
    def addresses(self) -> list[str]:
        networks = self.inspected["NetworkSettings"]["Networks"].values()
        return [network["IPAddress"] for network in networks]

    @property
    def gateways(self) -> list[str]:
        """Addresses of this machine, as the container sees it."""
        found: list[str] = []
        for name in self.inspected["NetworkSettings"]["Networks"]:
            command = ["docker", "network", "inspect", name]
            answer = subprocess.run(command, capture_output=True, check=True, timeout=240)
            [network] = json.loads(answer.stdout)
            found += [one["Gateway"] for one in network["IPAM"]["Config"] if "Gateway" in one]
        return found

    @cached_property
    def ports(self) -> list[int]:
        return self.inside.listening()


@pytest.fixture(scope="module")
def containers(project: Project, stack: Stack) -> dict[str, Looked]:
    image = images.resolve(["backend"], checkout=project)["BACKEND_IMAGE"]
    found: dict[str, Looked] = {}
    for one in stack.compose.get_containers():
        command = ["docker", "inspect", str(one.ID)]
        answer = subprocess.run(command, capture_output=True, check=True, timeout=240)
        [inspected] = json.loads(answer.stdout)
        service = str(one.Service)
        inside = Inside(container=inspected["Id"], image=image)
        found[service] = Looked(service=service, inside=inside, inspected=inspected)
    return found


def test_the_table_has_every_container(containers: dict[str, Looked]) -> None:
    assert containers.keys() == REACHES.keys()
    for service, port in KNOWN.items():
        assert port in containers[service].ports, service


def test_each_container_reaches_those_that_it_needs_and_no_others(
    containers: dict[str, Looked],
) -> None:
    # By address: a name that cannot be resolved is no protection.
    def look(one: Looked) -> dict[str, set[str]]:
        targets = [
            (other.service, (address, port))
            for other in containers.values()
            if other is not one
            for address in other.addresses
            # A port that nobody listens on answers, too, where there is a way: a refusal.
            for port in (*other.ports, 1)
        ]
        answers = one.inside.connect([target for _, target in targets], timeout_s=TIMEOUT_S)
        reached: dict[str, set[str]] = {"open": set(), "answered": set()}
        for (service, _), answer in zip(targets, answers, strict=True):
            if answer == "open":
                reached["open"].add(service)
            if answer != "unreachable":
                reached["answered"].add(service)
        return reached

    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(containers, pool.map(look, containers.values()), strict=True))
    assert {name: reached["answered"] for name, reached in found.items()} == REACHES
    # The worker listens nowhere; everybody else who may be reached is open.
    assert {name: reached["open"] | {"worker"} for name, reached in found.items()} == {
        name: reached | {"worker"} for name, reached in REACHES.items()
    }


@pytest.mark.parametrize("service", sorted(REACHES))
def test_no_published_port_of_this_machine_is_reached_from_a_container(
    service: str, containers: dict[str, Looked], stack: Stack
) -> None:
    one = containers[service]
    targets = [(gateway, stack.ports[name]) for gateway in one.gateways for name in PORT_VARIABLES]
    answers = one.inside.connect(targets, timeout_s=TIMEOUT_S)
    assert targets
    assert "open" not in answers


@pytest.mark.parametrize("service", ["api", "worker"])
def test_a_service_finds_no_backend_by_name(service: str, containers: dict[str, Looked]) -> None:
    inside = containers[service].inside
    backends = [(name, KNOWN[name]) for name in sorted(BACKENDS)]
    answers = inside.connect([("collector", 4318), *backends], timeout_s=TIMEOUT_S)
    assert answers == ["open"] + ["unreachable"] * len(backends)


def test_only_those_that_call_others_have_a_way_out(
    containers: dict[str, Looked], outside: tuple[str, int]
) -> None:
    def look(one: Looked) -> str:
        [answer] = one.inside.connect([outside], timeout_s=TIMEOUT_S)
        return answer

    with ThreadPoolExecutor(4) as pool:
        answers = dict(zip(containers, pool.map(look, containers.values()), strict=True))
    assert {name for name, answer in answers.items() if answer != "unreachable"} == GOES_OUT


def test_the_others_have_only_networks_that_lead_nowhere(containers: dict[str, Looked]) -> None:
    # So that this holds where the test above finds no address outside.
    for service in REACHES.keys() - GOES_OUT:
        for name in containers[service].inspected["NetworkSettings"]["Networks"]:
            command = ["docker", "network", "inspect", name]
            answer = subprocess.run(command, capture_output=True, check=True, timeout=240)
            [network] = json.loads(answer.stdout)
            # Published ports need a network that is not internal. Without masquerading no answer
            # from outside finds back into it.
            masquerades = network["Options"].get("com.docker.network.bridge.enable_ip_masquerade")
            assert network["Internal"] or masquerades == "false", (service, name)


@pytest.fixture(scope="module")
def outside(containers: dict[str, Looked]) -> tuple[str, int]:
    """An address that is not on this machine, and answers the API's container."""
    candidates = [("1.1.1.1", 443), ("9.9.9.9", 53), *((name, 53) for name in name_servers())]
    answers = containers["api"].inside.connect(candidates, timeout_s=TIMEOUT_S)
    for candidate, answer in zip(candidates, answers, strict=True):
        if answer != "unreachable":
            return candidate
    pytest.skip("this machine has no way out itself")


def name_servers() -> list[str]:
    with open("/etc/resolv.conf", encoding="utf-8") as file:
        lines = [line.split() for line in file]
    return [
        words[1]
        for words in lines
        if words[:1] == ["nameserver"] and not words[1].startswith("127.")
    ]


def test_the_collector_still_hands_on(http: httpx.Client, stack: Stack) -> None:
    # The other half of the matrix: what is allowed is used.
    wanted = dict.fromkeys(("collector", "loki", "tempo", "alertmanager"), 1.0)

    def probe() -> tuple[bool | None, object]:
        # One scrape may be too late.
        query = 'up{job=~"collector|loki|tempo|alertmanager"}'
        series = backends.prometheus_query(http, stack.url("prometheus"), query)
        found = {one["labels"]["job"]: one["value"] for one in series}
        return (found == wanted) or None, found

    until(probe, what="each of them is scraped")
