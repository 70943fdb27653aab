"""What the compose file promises about every container."""

import re
from typing import Any

import pytest
import yaml

from backend.notifications.contact_book import is_allowed
from backend.notifications.contacts import Contact
from support.deployed import ROOT, compose

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
STATE = "${GLASSHOUSE_STATE:-./.glasshouse}"
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
        # What is no named volume is a file of the checkout. `setup` makes what the others read.
        changes = source.startswith(".") and "ro" not in last.split(",")
        assert not changes or (name, volume) == ("setup", f"{STATE}:/state:z"), volume


OVERLAY: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "docker-compose.mtls.yml").read_text(encoding="utf-8")
)["services"]


@pytest.mark.parametrize("services", [SERVICES, OVERLAY], ids=["the stack", "with mutual TLS"])
def test_what_is_mounted_of_this_machine_has_a_label_for_selinux(
    services: dict[str, dict[str, Any]],
) -> None:
    mounted: dict[bool, set[str]] = {True: set(), False: set()}
    for name, service in services.items():
        for volume in service.get("volumes", []):
            # A path, or a variable that stands for one. The rest are named volumes, which the
            # engine labels itself.
            source, _, options = re.sub(r"\$\{[^}]+\}", "./", volume).partition(":")
            of_this_machine = source.startswith((".", "/", "~")) and "/dev/null" not in volume
            mounted[of_this_machine].add(f"{name}: {source}")
            # Shared, not Z: several containers mount the same folder.
            assert ("z" in options.rpartition(":")[2].split(",")) is of_this_machine, volume
    assert len(mounted[True]) >= (1 if services is OVERLAY else 12)
    assert bool(mounted[False]) is (services is SERVICES)


CONFIGURED = {
    name
    for name, service in SERVICES.items()
    if service["restart"] != "no"
    and any(volume.startswith("./") for volume in service.get("volumes", []))
}


@services
def test_what_reads_files_of_the_checkout_starts_again_when_they_change(name: str) -> None:
    labels = SERVICES[name]["labels"]
    digest = {"dev.glasshouse.configuration": "${GLASSHOUSE_CONFIGURATION:-}"}
    # Postgres reads its file once, when there is no database yet; Alertmanager's is made of one.
    configured = name in (CONFIGURED | {"alertmanager"}) - {"postgres"}
    assert labels == {"dev.glasshouse.part": "stack"} | (digest if configured else {})
    assert {"collector", "loki", "tempo", "prometheus", "proxy"} <= CONFIGURED


@services
def test_a_container_has_no_rights_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    if name == "setup":
        # Root, to give files away, whoever owns them: no network, gone in a second.
        assert (service["user"], service["cap_add"], service["network_mode"]) == (
            "0:0",
            ["CHOWN", "DAC_OVERRIDE", "FOWNER"],
            "none",
        )
    else:
        assert service["user"] == "${GLASSHOUSE_UID:-10001}:${GLASSHOUSE_GID:-10001}"
        assert "cap_add" not in service


@services
def test_what_a_container_takes_of_the_machine_is_bounded(name: str) -> None:
    service = SERVICES[name]
    assert mebibytes(service["mem_limit"]) <= 512
    assert 16 <= service["pids_limit"] <= 256
    # The engine refuses more than the machine has.
    assert 0 < float(service["cpus"]) <= 1
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


def test_loki_can_read_its_log_again_in_the_memory_that_it_has() -> None:
    distributed = yaml.safe_load((ROOT / "deploy/compose.distributed.yaml").read_text("utf-8"))
    for service, path in (
        (SERVICES["loki"], "loki/loki.yaml"),
        (distributed["services"]["loki-1"], "deploy/loki/loki.yaml"),
    ):
        wal = yaml.safe_load((ROOT / path).read_text("utf-8"))["ingester"]["wal"]
        ceiling = int(wal["replay_memory_ceiling"].removesuffix("MB"))
        # It counts the text of records. With eight attributes of random ids the rest took 20 times
        # as much: 512 MiB were enough for 16 MB of text, and too little for 200.
        assert 0 < 30 * ceiling <= mebibytes(service["mem_limit"]), path


# How long a check of what is healthy goes on, and how often it looks (dev/healthcheck).
STAYS_S, LOOKS_EVERY_S = 120, 15


@services
def test_what_hangs_is_noticed_and_ended(name: str) -> None:
    service = SERVICES[name]
    if service["restart"] == "no":
        assert "healthcheck" not in service
        return
    assert service["restart"] == "unless-stopped"
    assert service["init"] is True  # its child is the program that is ended
    check = service["healthcheck"]
    assert check["test"][:2] == ["CMD", "/healthcheck/healthcheck"]
    assert "healthcheck:/healthcheck:ro" in service["volumes"]
    # The state of one check for the next.
    assert any(mount.partition(":")[0] == "/tmp" for mount in service["tmpfs"])  # noqa: S108
    settings = dict(part.removeprefix("-").split("=", 1) for part in check["test"] if "=" in part)
    kill_after = int(settings.get("kill-after", "5"))
    # Answers and pauses of all its checks, and the time until a file is too old. The first that has
    # no answer may be a look of a check that stays.
    pause, answer = seconds(check["interval"]), seconds(settings.get("timeout", "8s"))
    worst = max(pause, LOOKS_EVERY_S) + answer + (kill_after - 1) * (pause + answer)
    worst += seconds(settings["age"]) if "file" in settings else 0
    assert worst <= 75
    # The engine's limit is not the one that ends a check: what it has found would be lost.
    questions = 1 + ("alive" in settings)
    assert seconds(check["timeout"]) > STAYS_S + questions * answer


def before(name: str) -> set[str]:
    """All services that one starts after."""
    found = set(SERVICES[name].get("depends_on", ()))
    return found.union(*map(before, found))


@services
def test_what_stays_starts_after_what_it_is_given_is_made(name: str) -> None:
    if SERVICES[name]["restart"] != "no":
        assert "setup" in before(name)


def test_compose_waits_for_the_end_of_each_service_that_runs_once() -> None:
    once = {name for name, one in SERVICES.items() if one["restart"] == "no"}
    waited_for = {
        other
        for one in SERVICES.values()
        for other, how in one.get("depends_on", {}).items()
        if how["condition"] == "service_completed_successfully" and "profiles" not in one
    }
    # Else `up --wait` takes its end, even a good one, for a fault.
    assert once - waited_for == {"forget", "migrate"}
    demo = SERVICES["api"]["depends_on"]
    assert demo == {"migrate": {"condition": "service_completed_successfully"}}


def seconds(text: str) -> int:
    assert text.endswith("s"), text
    return int(text[:-1])


NETWORKS: dict[str, dict[str, Any]] = compose()["networks"]
INTERNAL = {"ingest", "backends", "data"}


def test_networks_that_need_no_way_out_have_none() -> None:
    internal = {name for name, one in NETWORKS.items() if one.get("internal")}
    assert internal == INTERNAL
    masquerade = "com.docker.network.bridge.enable_ip_masquerade"
    assert NETWORKS["published"]["driver_opts"][masquerade] == "false"


@services
def test_every_container_names_its_networks(name: str) -> None:
    service = SERVICES[name]
    if service.get("network_mode") == "none":
        assert "networks" not in service
    else:
        assert set(service["networks"]) <= NETWORKS.keys()
        # The engine publishes no port of a container that has internal networks only.
        assert not service.get("ports") or set(service["networks"]) - INTERNAL


def test_the_backends_ports_are_the_proxys() -> None:
    published = {name for name, service in SERVICES.items() if service.get("ports")}
    assert published == {"api", "sandbox", "collector", "proxy", "grafana"}
    assert not {"loki", "tempo", "prometheus", "alertmanager"} & published


@services
def test_a_container_gets_no_secret_that_it_does_not_use(name: str) -> None:
    service = SERVICES[name]
    files = {str(value) for value in service.get("environment", {}).values()}
    used = {file.removeprefix("/run/secrets/") for file in files if file.startswith("/run/secrets")}
    # Named in its configuration, not in its environment.
    used |= {"hmac_key", "otlp_token"} if name == "collector" else set()
    assert set(service.get("x-secrets", [])) == used
    # A folder for each service: what another gets is not in it.
    folder = f"{STATE}/secrets/for/{name}:/run/secrets:ro,z"
    mounted = [one for one in service.get("volumes", []) if "/secrets" in one]
    assert mounted == ([folder] if used else [])


@services
def test_no_secret_is_in_the_environment(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if any(word in variable for word in ("PASSWORD", "TOKEN", "KEY", "SECRET")):
            # Files that setup copies, if there are such.
            given = name == "setup" and str(value).startswith("/given/")
            assert given or str(value).startswith("/run/secrets/"), variable


def test_every_image_is_pinned_in_env() -> None:
    names = {line.partition("=")[0] for line in (ROOT / ".env").read_text().splitlines()}
    for name, service in SERVICES.items():
        variable = service["image"].removeprefix("${").partition(":?")[0]
        assert variable in names, name


def test_nobody_can_register_a_domain_that_needs_no_registration() -> None:
    text = SERVICES["api"]["environment"]["CONTACTS_ALLOWED"]
    patterns = text.removeprefix("${CONTACTS_ALLOWED-").removesuffix("}").split(",")

    def allowed(address: str) -> bool:
        return is_allowed(Contact(channel="email", to=address), patterns)

    # Reserved for documentation and tests: RFC 2606, and 6761.
    assert all(allowed(f"a@{name}") for name in ("example.com", "example.org", "shop.example"))
    others = ("a@example.evil.com", "a@evil.com", "a@example.de", "a@xexample.com", "a@example")
    assert [one for one in others if allowed(one)] == []
