"""`glasshouse up` on a machine with one fault ends with one line that names it and the remedy."""

import dataclasses
import errno
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glasshouse_cli import beside, cli, compose, host, project, readiness
from glasshouse_cli.components import DISTRIBUTED_PORT_VARIABLES, PORT_VARIABLES
from glasshouse_cli.errors import StackError
from support.hosts import GIB, LINUX, ROOT, Engine, Host, make
from support.ports import free

Capture = pytest.CaptureFixture[str]
Start = Callable[..., Host]
MAC = Engine(
    address="unix:///Users/me/.colima/default/docker.sock",
    context="colima",
    name="colima",
    architecture="aarch64",
)
DF = """Filesystem     1024-blocks    Used Available Capacity Mounted on
overlay           61202244 9876543  {free} 17% /
"""


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Start:
    """Turn this machine into another; `up` in this checkout then starts nothing, yet is content."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("GLASSHOUSE_STATE", str(tmp_path / "state"))
    for variable, port in free(PORT_VARIABLES).items():
        monkeypatch.setenv(variable, str(port))
    monkeypatch.setattr(host, "free_disk_bytes", lambda _: 100 * GIB)

    def ready(urls: dict[str, str], **_: object) -> dict[str, float]:
        return dict.fromkeys(urls, 0.1)

    monkeypatch.setattr(readiness, "wait", ready)

    def start(engine: Engine = LINUX, system: str = "Linux", **more: object) -> Host:
        made = make(monkeypatch, tmp_path / "host", engine, system=system, **more)  # type: ignore[arg-type]
        made.answer("image inspect --format {{.Size}}", "1000000\n")
        # As an engine that words its answers otherwise: it has to be asked one by one.
        made.answer("image inspect --format {{json .RepoTags}}", err="Error: which?\n", code=1)
        made.answer("volume inspect", err="Error response from daemon: no such volume\n", code=1)
        made.answer("compose --project-directory")
        made.answer("df backend -Pk", DF.format(free=50 * 1024**2))
        made.answer("--entrypoint=df", DF.format(free=50 * 1024**2))
        made.answer("--entrypoint=sh", "looked\n")
        return made

    return start


def up(capsys: Capture, *arguments: str) -> tuple[int, list[str]]:
    """Run the command; return its exit code and what people read on stderr."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments or ["up"])
    code = ended.value.code
    assert isinstance(code, int)
    return code, capsys.readouterr().err.splitlines()


def fault(capsys: Capture, *arguments: str) -> str:
    """As `up`, for a run that fails; return its one line."""
    code, lines = up(capsys, *arguments)
    assert code == 1, lines
    (line,) = [line for line in lines if line.startswith("error: ")]
    return line.removeprefix("error: ")


@pytest.fixture
def no_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_doctor", lambda *_, **__: None)


@pytest.mark.usefixtures("no_doctor")
@pytest.mark.parametrize(("engine", "system"), [(LINUX, "Linux"), (MAC, "Darwin")])
def test_without_a_fault_the_stack_is_started(
    engine: Engine, system: str, start: Start, capsys: Capture
):
    """The control of all below."""
    machine = start(engine, system)
    code, lines = up(capsys)
    assert (code, [line for line in lines if "error" in line]) == (0, [])
    assert any(call.endswith("up --detach --remove-orphans") for call in machine.calls)


def test_too_little_memory(start: Start, capsys: Capture):
    start(dataclasses.replace(MAC, memory=GIB), "Darwin")
    assert fault(capsys) == (
        "the stack needs 2 GiB of memory, the engine (Colima) has 1.0: `colima stop`, then "
        "`colima start --memory 4`"
    )


def test_too_little_disk_of_this_machines_engine(
    start: Start, capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    start()
    asked: list[Path] = []

    def small(path: Path) -> int:
        asked.append(path)
        return 3 * GIB

    monkeypatch.setattr(host, "free_disk_bytes", small)
    assert fault(capsys) == (
        "the stack needs 5 GiB of free disk, the engine (Docker) has 3.0 at /var/lib/docker: "
        "`docker system df` shows what takes it, `docker system prune` deletes what is not in use"
    )
    assert asked == [Path("/var/lib/docker")]


def test_too_little_disk_of_a_virtual_machine_is_asked_inside_it(start: Start, capsys: Capture):
    machine = start(MAC, "Darwin")
    machine.answer("--entrypoint=df", DF.format(free=2 * 1024**2))
    assert fault(capsys) == (
        "the stack needs 5 GiB of free disk, the engine (Colima) has 2.0: `colima stop`, then "
        "`colima start --disk 60`"
    )


@pytest.mark.usefixtures("no_doctor")
def test_a_disk_of_unknown_size_stops_nothing(start: Start, capsys: Capture):
    machine = start(MAC, "Darwin")
    machine.answer("--entrypoint=df", err="exec: df: not found\n", code=127)
    assert up(capsys)[0] == 0


def test_no_control_of_processor_time(start: Start, capsys: Capture):
    start(dataclasses.replace(LINUX, limits_processor=False))
    assert fault(capsys).startswith(
        "the engine (Docker) may not limit processor time, which the stack asks for: give your "
        "user the controller cpu (Delegate=cpu"
    )


@pytest.fixture
def taken(start: Start, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The port of Loki, which this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        monkeypatch.setenv("LOKI_PORT", str(port))
        yield port


HOLDERS = {
    "a container of another checkout": (
        "Linux",
        "ps --filter publish=",
        "shop-loki-1\t/home/me/shop\n",
        "the container shop-loki-1 of /home/me/shop",
    ),
    "a container of nobody": ("Linux", "ps --filter publish=", "loki\t\n", "the container loki"),
    "a program on Linux": (
        "Linux",
        "ss",
        'LISTEN 0 5 127.0.0.1:3100 0.0.0.0:* users:(("python3",pid=4711,fd=3))',
        "python3 (process 4711)",
    ),
    "a program on macOS": (
        "Darwin",
        "lsof",
        "p812\ncControlCenter\nf9\n",
        "ControlCenter (process 812)",
    ),
    "a program of somebody else": ("Linux", "ss", "", "another program"),
}


@pytest.mark.parametrize(("system", "asked", "out", "holder"), HOLDERS.values(), ids=HOLDERS.keys())
def test_a_port_that_is_taken_names_who_has_it(
    system: str, asked: str, out: str, holder: str, taken: int, start: Start, capsys: Capture
):
    machine = start(LINUX if system == "Linux" else MAC, system)
    if " " in asked:
        machine.answer(asked, out)
    else:
        machine.program(asked, "\n".join(f"echo '{line}'" for line in out.splitlines()))
    assert fault(capsys) == (
        f"port {taken} (LOKI_PORT) is taken by {holder}: stop it, or change LOKI_PORT in .env"
    )


REFUSALS = {
    "of Windows, seen from WSL2": (
        "Error response from daemon: Ports are not available: exposing port TCP 127.0.0.1:{port} "
        "-> 127.0.0.1:0: listen tcp4 127.0.0.1:{port}: bind: Only one usage of each socket address "
        "is normally permitted.",
        "another program has it: stop what uses it, or change LOKI_PORT in .env",
    ),
    "kept by Windows for itself": (
        "Error response from daemon: Ports are not available: exposing port TCP 127.0.0.1:{port} "
        "-> 127.0.0.1:0: listen tcp 127.0.0.1:{port}: bind: An attempt was made to access a socket "
        "in a way forbidden by its access permissions.",
        "Windows reserves it: change LOKI_PORT in .env",
    ),
    "below 1024, rootless": (
        "Error response from daemon: driver failed programming external connectivity on endpoint "
        "x: error while calling PortManager.AddPort(): cannot expose privileged port {port}, you "
        "can add 'net.ipv4.ip_unprivileged_port_start={port}' to /etc/sysctl.conf (currently 1024)",
        "a rootless engine may use those from 1024 on: change LOKI_PORT in .env",
    ),
    "of another container": (
        "Error response from daemon: driver failed programming external connectivity on endpoint "
        "x (abc): Bind for 127.0.0.1:{port} failed: port is already allocated",
        "another container has it: stop what uses it, or change LOKI_PORT in .env",
    ),
}


@pytest.mark.parametrize(("said", "remedy"), REFUSALS.values(), ids=REFUSALS.keys())
def test_a_port_that_only_the_engine_knows_to_be_taken(
    said: str, remedy: str, start: Start, capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    machine = start()
    port = os.environ["LOKI_PORT"]
    machine.answer("up --detach", err=said.format(port=port) + "\n", code=1)

    def wait(*_: object, give_up: Callable[[], None], **__: object) -> None:
        while True:
            give_up()

    monkeypatch.setattr(readiness, "wait", wait)
    assert fault(capsys) == f"port {port} (LOKI_PORT) cannot be published: {remedy}"


@pytest.mark.parametrize("exempt", ["", "localhost,.corp.example", "*", None])
def test_a_proxy_that_the_client_gives_to_every_container(
    exempt: str | None,
    start: Start,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    start()
    names = compose.lasting_services(project.load())
    assert {"collector", "loki", "postgres", "api"} <= set(names)
    chosen = {"httpProxy": "http://proxy.example:3128", "noProxy": exempt}
    if exempt is None:
        chosen["noProxy"] = ",".join(names)
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"auths": {}, "proxies": {"default": chosen}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setattr(cli, "_doctor", lambda *_, **__: None)
    if exempt in (None, "*"):
        assert up(capsys)[0] == 0
    else:
        assert fault(capsys) == (
            f"{file} puts the proxy http://proxy.example:3128 between the containers: add "
            f"{','.join(names)} to noProxy there"
        )


PULLS = {
    "it is not there": (
        "Error response from daemon: manifest for prom/prometheus:v3 not found: manifest unknown: "
        "manifest unknown",
        "the registry refuses {image}: there is none of this name: correct PROMETHEUS_IMAGE in "
        ".env",
    ),
    "it is somebody's": (
        "Error response from daemon: pull access denied for prom/prometheus, repository does not "
        "exist or may require 'docker login': denied: requested access to the resource is denied",
        "the registry refuses {image}: there is none, or it wants a password: correct "
        "PROMETHEUS_IMAGE in .env, or `docker login`",
    ),
    "too many pulls": (
        "Error response from daemon: toomanyrequests: You have reached your unauthenticated pull "
        "rate limit.",
        "the registry refuses {image}: it limits how often: `docker login`",
    ),
    "another architecture": (
        "Error response from daemon: no matching manifest for linux/arm64/v8 in the manifest list "
        "entries",
        "the registry refuses {image}: it has none for linux/arm64/v8: correct PROMETHEUS_IMAGE in "
        ".env",
    ),
    "the registry's own fault": (
        "Error response from daemon: received unexpected HTTP status: 503 Service Unavailable",
        "the registry refuses {image}: it has a fault of its own: try again later",
    ),
    "a proxy that answers in its place": (
        'Error response from daemon: Get "https://registry.example/v2/": Forbidden',
        "{image} cannot be pulled: the proxy http://proxy.example:3128, which the engine uses, "
        'refuses: "proxies" in /etc/docker/daemon.json, then `sudo systemctl restart docker`',
    ),
    "a proxy": (
        'Error response from daemon: Get "https://registry.example/v2/": proxyconnect tcp: dial '
        "tcp 192.0.2.1:3128: connect: connection refused",
        "{image} cannot be pulled: the proxy http://proxy.example:3128, which the engine uses, "
        'refuses: "proxies" in /etc/docker/daemon.json, then `sudo systemctl restart docker`',
    ),
    "an authority of one's own": (
        'Error response from daemon: Get "https://registry.example/v2/": tls: failed to verify '
        "certificate: x509: certificate signed by unknown authority",
        "{image} cannot be pulled: the engine does not trust the registry's certificate. Give its "
        "authority to the engine's machine (docs/hosts.md)",
    ),
}


@pytest.mark.parametrize(("said", "wanted"), PULLS.values(), ids=PULLS.keys())
def test_one_image_that_a_registry_refuses(said: str, wanted: str, start: Start, capsys: Capture):
    machine = start(dataclasses.replace(LINUX, proxy="http://proxy.example:3128"))
    image = project.load().settings["PROMETHEUS_IMAGE"]
    for name in ("prom/prometheus", "glasshouse/prometheus"):
        machine.answer(f"{{{{.Size}}}} {name}", err="Error: No such image\n", code=1)
    machine.answer(f"pull {image}", err=f"{said}\n", code=1)
    code, lines = up(capsys, "images", "prometheus")
    assert wanted.format(image=image) in lines
    # And goes on to build it, for which this host has no compiler.
    assert code == 1
    assert lines[-1].startswith("error: building prometheus needs Go")


def test_an_engine_whose_disk_is_full_builds_nothing_either(start: Start, capsys: Capture):
    machine = start()
    for name in ("prom/prometheus", "glasshouse/prometheus"):
        machine.answer(f"{{{{.Size}}}} {name}", err="Error: No such image\n", code=1)
    full = "failed to register layer: write /usr/lib/x: no space left on device"
    machine.answer("pull ", "v3: Pulling from prom/prometheus\n", err=f"{full}\n", code=1)
    assert fault(capsys, "images", "prometheus").endswith(
        "cannot be pulled, the engine's disk is full: `docker system df` shows what takes it, "
        "`docker system prune` deletes what is not in use"
    )


def test_a_proxy_that_this_shell_has_and_the_engine_not(
    start: Start, capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    machine = start(MAC, "Darwin")
    for name in ("prom/prometheus", "glasshouse/prometheus"):
        machine.answer(f"{{{{.Size}}}} {name}", err="Error: No such image\n", code=1)
    machine.answer("pull ", err="dial tcp: lookup registry.example: no such host\n", code=1)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    _, lines = up(capsys, "images", "prometheus")
    assert (
        "HTTPS_PROXY is set here, but the engine pulls, without it: set it there, too, by "
        "HTTPS_PROXY under env in `colima start --edit`"
    ) in lines


@pytest.mark.parametrize("number", [errno.EROFS, errno.EACCES])
def test_a_checkout_that_cannot_be_written(
    number: int, start: Start, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    start()
    made = Path.mkdir

    def refuse(self: Path, *arguments: object, **options: object) -> None:
        if self == tmp_path / "state":
            raise OSError(number, os.strerror(number), str(self))
        made(self, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert fault(capsys) == (
        f"{tmp_path / 'state'} cannot be written ({os.strerror(number)}): make it writable, or set "
        "GLASSHOUSE_STATE to a folder that is"
    )


@pytest.fixture
def copy(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Make a checkout of a given name, with what `up` reads, and change into it."""

    def copy(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        names = ["docker-compose.yml", "docker-compose.mtls.yml", ".env"]
        names += ["collector/config.yaml", "collector/mtls.yaml", "collector/event_families.yaml"]
        for file in names:
            (folder / file).parent.mkdir(exist_ok=True)
            shutil.copy2(ROOT / file, folder / file)
        for part in (
            "alertmanager",
            "loki",
            "tempo",
            "prometheus",
            "proxy",
            "runbooks",
            "redaction",
        ):
            shutil.copytree(ROOT / part, folder / part)
        shutil.copytree(ROOT / "dev" / "images", folder / "dev" / "images")
        monkeypatch.chdir(folder)
        monkeypatch.setenv("GLASSHOUSE_STATE", "./.glasshouse")
        return folder

    return copy


@pytest.mark.usefixtures("no_doctor")
@pytest.mark.parametrize("name", ["my glass house", "Größe", "it's", "a$b", "50%"])
def test_a_path_with_blanks_and_the_like(
    name: str, start: Start, copy: Callable[[str], Path], capsys: Capture
):
    machine = start(MAC, "Darwin")
    folder = copy(name)
    code, lines = up(capsys)
    assert code == 0, lines
    assert any(
        f"--project-directory {folder} --file {folder}/docker" in one for one in machine.calls
    )
    assert (folder / ".glasshouse" / "secrets" / "hmac_key").is_file()


def test_a_path_with_a_colon_cannot_be_mounted(
    start: Start, copy: Callable[[str], Path], capsys: Capture
):
    start()
    folder = copy("a:b")
    assert fault(capsys) == f"{folder}: Docker mounts no path with a colon: rename the folder"


OWNERS = {
    "another checkout": ("other", True),
    "this one": (".", False),
    "one that was moved or deleted": ("gone", False),
}


@pytest.mark.parametrize("command", [["up"], ["down"], ["clean", "--yes"]])
@pytest.mark.parametrize(("owner", "refused"), OWNERS.values(), ids=OWNERS.keys())
def test_the_containers_of_another_checkout_are_left_alone(
    owner: str,
    refused: bool,
    command: list[str],
    start: Start,
    copy: Callable[[str], Path],
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    machine = start()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "docker-compose.yml").touch()
    here = copy("here")
    folder = here if owner == "." else tmp_path / owner
    machine.answer("ps --all --filter label=com.docker.compose.project=glasshouse ", f"{folder}\n")
    monkeypatch.setattr(cli, "_doctor", lambda *_, **__: None)
    changes = [" up --detach", " down"]
    if refused:
        assert fault(capsys, *command) == (
            f"the containers called glasshouse are those of the checkout {folder}: `make clean` "
            "there, or give this one a name and ports of its own: `glasshouse beside`"
        )
        assert not any(change in call for change in changes for call in machine.calls)
    else:
        assert up(capsys, *command)[0] == 0
        assert any(change in call for change in changes for call in machine.calls)


def test_a_name_of_the_environment_is_taken_at_its_word(
    start: Start,
    copy: Callable[[str], Path],
    capsys: Capture,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    machine = start()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "docker-compose.yml").touch()
    copy("here")
    machine.answer("ps --all --filter", f"{tmp_path / 'other'}\n")
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "glasshouse-ci")
    assert up(capsys, "down")[0] == 0


@pytest.mark.usefixtures("no_doctor")
def test_a_second_checkout_gets_a_name_and_ports_of_its_own(
    start: Start, copy: Callable[[str], Path], capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    machine = start()
    folder = copy("Second Copy")
    for variable in PORT_VARIABLES:
        monkeypatch.delenv(variable)
    before = {name: project.load().port(name) for name in DISTRIBUTED_PORT_VARIABLES}
    # By 100 Grafana's would be the other's Loki's, by 200 its Tempo's; 300 further one is taken.
    held = before["SANDBOX_PORT"] + 300
    monkeypatch.setattr("glasshouse_cli.ports._taken", lambda port: port == held)
    capsys.readouterr()
    with pytest.raises(SystemExit):
        cli.main(["beside"])
    printed = dict(line.split("=") for line in capsys.readouterr().out.splitlines())
    after = {name: project.load().port(name) for name in DISTRIBUTED_PORT_VARIABLES}
    assert after == {name: port + 400 for name, port in before.items()}
    wanted = {name: str(port) for name, port in after.items()}
    assert printed == {"COMPOSE_PROJECT_NAME": "glasshouse-second-copy", **wanted}
    changed = set((folder / ".env").read_text().splitlines()) - set(
        (ROOT / ".env").read_text().splitlines()
    )
    assert changed == {f"{name}={value}" for name, value in printed.items()}
    assert up(capsys)[0] == 0
    asked = "ps --all --filter label=com.docker.compose.project=glasshouse-second-copy "
    assert any(call.startswith(asked) for call in machine.calls)


def test_no_ports_are_left(
    start: Start, copy: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
):
    start()
    copy("second")
    monkeypatch.setenv("LOKI_PORT", "65500")
    with pytest.raises(StackError, match=r"^no free ports above those in \.env: choose lower"):
        beside.separate(project.load())
