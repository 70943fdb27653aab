"""On each kind of machine the command finds the engine, and says in one line what is missing."""

import dataclasses
import platform
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from shlex import quote

import pytest

from glasshouse_cli import cli, commands, host, project
from glasshouse_cli.doctor import checks
from glasshouse_cli.engine import capacity, endpoint, facts, starting
from glasshouse_cli.errors import StackError
from support.hosts import GIB, LINUX, Engine, Host, make

WSL_KERNEL = "5.15.153.1-microsoft-standard-WSL2"
ROOTLESS = ("name=seccomp,profile=builtin", "name=rootless", "name=cgroupns")
PODMAN = ("Podman Engine", "Conmon", "OCI Runtime (crun)")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """One kind of host: its engine, its system, and what starts the engine there."""

    engine: Engine
    start: str
    memory: str
    system: str = "Linux"
    release: str = "6.8.0-60-generic"


DESKTOP = Engine(
    address="unix:///Users/me/.docker/run/docker.sock",
    context="desktop-linux",
    operating_system="Docker Desktop",
    platform="Docker Desktop 4.43.2 (199162)",
    name="docker-desktop",
    architecture="aarch64",
)


KINDS = {
    "Docker Desktop on macOS": Case(
        engine=DESKTOP,
        start="`open -a Docker`",
        memory="Settings > Resources > Memory limit in Docker Desktop",
        system="Darwin",
        release="24.5.0",
    ),
    "Colima": Case(
        engine=Engine(
            address="unix:///Users/me/.colima/default/docker.sock",
            context="colima",
            name="colima",
            architecture="aarch64",
        ),
        start="`colima start`",
        memory="`colima stop`, then `colima start --memory 4`",
        system="Darwin",
        release="24.5.0",
    ),
    "a second profile of Colima": Case(
        engine=Engine(
            address="unix:///Users/me/.colima/work/docker.sock",
            context="colima-work",
            name="colima-work",
        ),
        start="`colima start work`",
        memory="`colima stop work`, then `colima start work --memory 4`",
        system="Darwin",
        release="24.5.0",
    ),
    "OrbStack": Case(
        engine=Engine(
            address="unix:///Users/me/.orbstack/run/docker.sock",
            context="orbstack",
            name="orbstack",
            operating_system="OrbStack",
        ),
        start="`open -a OrbStack`",
        memory="`orb config set memory_mib 4096`, then start OrbStack again",
        system="Darwin",
        release="24.5.0",
    ),
    "Rancher Desktop": Case(
        engine=Engine(
            address="unix:///Users/me/.rd/docker.sock",
            context="rancher-desktop",
            name="lima-rancher-desktop",
            operating_system="Alpine Linux v3.20",
        ),
        start="`rdctl start`",
        memory="Preferences > Virtual Machine > Memory in Rancher Desktop",
        system="Darwin",
        release="24.5.0",
    ),
    "Podman's machine": Case(
        engine=Engine(
            address="unix:///var/folders/x/T/podman/podman-machine-default-api.sock",
            context="podman",
            version="5.5.2",
            platform="linux/arm64/fedora-42",
            components=PODMAN,
            operating_system="fedora",
            name="localhost.localdomain",
            architecture="arm64",
            security=("name=seccomp,profile=default", "name=rootless", "name=selinux"),
        ),
        start="`podman machine start`",
        memory="`podman machine stop`, then `podman machine set --memory 4096`",
        system="Darwin",
        release="24.5.0",
    ),
    "rootless Podman": Case(
        engine=Engine(
            address="unix:///run/user/1000/podman/podman.sock",
            context="podman",
            version="5.5.2",
            platform="linux/amd64/fedora-42",
            components=PODMAN,
            operating_system="fedora",
            name=socket.gethostname(),
            architecture="amd64",
            root="/home/me/.local/share/containers/storage",
            security=("name=seccomp,profile=default", "name=rootless", "name=selinux"),
        ),
        start="`systemctl --user start podman.socket`",
        memory="free some, or add some",
    ),
    "rootless Docker": Case(
        engine=dataclasses.replace(
            LINUX,
            address="unix:///run/user/1000/docker.sock",
            context="rootless",
            root="/home/me/.local/share/docker",
            security=ROOTLESS,
        ),
        start="`systemctl --user start docker`",
        memory="free some, or add some",
    ),
    "Docker Desktop from WSL2": Case(
        engine=dataclasses.replace(
            DESKTOP, address=LINUX.address, context="default", architecture="x86_64"
        ),
        start="`sudo service docker start`, or Docker Desktop",
        memory="memory= under [wsl2] in %UserProfile%\\.wslconfig, then `wsl --shutdown` in "
        "Windows",
        release=WSL_KERNEL,
    ),
    "Docker on Linux": Case(
        engine=LINUX, start="`sudo service docker start`", memory="free some, or add some"
    ),
    "another machine": Case(
        engine=Engine(address="ssh://me@build.example", context="build", name="build"),
        start="start it there",
        memory="give that machine more",
    ),
}
kinds = pytest.mark.parametrize("case", KINDS.values(), ids=KINDS.keys())


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, checkout: Path) -> Callable[..., Host]:
    """Turn this machine into one of a kind, inside a checkout."""
    monkeypatch.chdir(checkout)

    def become(case: Case, **more: object) -> Host:
        options = {"system": case.system, "release": case.release} | more
        return make(monkeypatch, tmp_path / "host", case.engine, **options)  # type: ignore[arg-type]

    return become


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and all that people read."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        cli.main(arguments)
    code = ended.value.code
    assert isinstance(code, int)
    return code, capsys.readouterr().err


def fault(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run the command, which fails with one line; return that line."""
    code, said = run(capsys, *arguments)
    assert code == 1
    (line,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert "Traceback" not in said
    return line.removeprefix("error: ")


Capture = pytest.CaptureFixture[str]
Become = Callable[..., Host]


@kinds
def test_an_engine_that_answers_is_enough(case: Case, become: Become, capsys: Capture):
    become(case)
    code, said = run(capsys, "engine")
    name = "Podman" if case.engine.components is PODMAN else "Docker"
    assert (code, said.splitlines()[-1]) == (0, f"{name} {case.engine.version}, compose 2.40.3")


@kinds
def test_an_engine_that_does_not_run_is_started_by_people(
    case: Case, become: Become, capsys: Capture
):
    become(case).stopped()
    line = fault(capsys, "engine")
    assert re.search(r"(does not run|does not answer): ", line)
    assert case.start in line
    # The engine's own words stay: they name the address.
    assert f"Cannot connect to the Docker daemon at {case.engine.address}" in line


@pytest.mark.parametrize("release", ["6.8.0-60-generic", WSL_KERNEL])
def test_where_systemd_runs_it_starts_the_engine(release: str, become: Become, capsys: Capture):
    case = dataclasses.replace(KINDS["Docker on Linux"], release=release)
    become(case, systemd=True).stopped()
    assert fault(capsys, "engine").startswith(
        "the Docker engine does not run: `sudo systemctl start docker` (Cannot connect"
    )


@kinds
def test_memory_is_the_engines_and_names_its_setting(case: Case, become: Become, capsys: Capture):
    small = dataclasses.replace(case.engine, memory=GIB)
    become(dataclasses.replace(case, engine=small))
    with pytest.raises(StackError, match=r"needs 2 GiB of memory.* has 1\.0: ") as caught:
        capacity.check(facts.read(), endpoint.find())
    assert str(caught.value).endswith(f": {case.memory}")


@pytest.mark.parametrize(
    ("case", "wanted"),
    [
        ("OrbStack", "install Docker Desktop or OrbStack, or Colima (`brew install colima docker "),
        ("Docker Desktop from WSL2", "install Docker Desktop in Windows and switch this distribut"),
        ("Docker on Linux", "see https://docs.docker.com/engine/install/, or run this as root on"),
    ],
)
def test_no_docker_at_all(case: str, wanted: str, become: Become, capsys: Capture):
    become(KINDS[case], docker=False)
    assert fault(capsys, "engine").startswith(f"the Docker engine is not installed: {wanted}")


@pytest.mark.parametrize(
    "name", [name for name, case in KINDS.items() if case.engine.context != "default"]
)
def test_root_does_not_start_an_engine_beside_the_chosen_one(
    name: str, become: Become, capsys: Capture
):
    machine = become(KINDS[name], root=True)
    machine.program("dockerd", f"echo started >{quote(str(machine.programs / 'started'))}")
    machine.stopped()
    assert KINDS[name].start in fault(capsys, "engine")
    assert not (machine.programs / "started").exists()


@pytest.mark.filterwarnings("ignore:subprocess:ResourceWarning")  # it is to outlive us
def test_root_on_linux_starts_the_engine_that_nobody_chose_another_for(
    become: Become, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """The control of the test above."""
    machine = become(KINDS["Docker on Linux"], root=True)
    machine.stopped()
    client = machine.programs / "docker"
    stopped = client.read_text()
    machine.runs()
    client.rename(running := client.with_name("running"))
    client.write_text(stopped)
    client.chmod(0o755)
    machine.program("dockerd", f"/bin/mv {quote(str(running))} {quote(str(client))}")
    monkeypatch.setattr(starting, "_LOG", tmp_path / "dockerd.log")
    monkeypatch.setattr(starting, "_PID", tmp_path / "docker.pid")
    code, said = run(capsys, "engine")
    assert (code, said.splitlines()) == (
        0,
        ["starting the Docker engine ...", "Docker 28.3.2, compose 2.40.3"],
    )


def test_a_chosen_engine_that_does_not_answer_is_named_by_its_setting(
    become: Become, capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    machine = become(KINDS["Docker on Linux"], root=True)
    machine.fails("error during connect: Get x: dial tcp 192.0.2.1:2376: i/o timeout")
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2376")
    assert fault(capsys, "engine") == (
        "the engine at DOCKER_HOST=tcp://192.0.2.1:2376 does not answer: start it there, or choose "
        "another engine (error during connect: Get x: dial tcp 192.0.2.1:2376: i/o timeout)"
    )


@pytest.mark.parametrize("system", ["Linux", "Darwin"])
def test_a_socket_of_somebodys_own_is_started_by_them(
    system: str, become: Become, capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    become(KINDS["Docker on Linux"], system=system).stopped()
    monkeypatch.setenv("DOCKER_HOST", "unix:///srv/engine.sock")
    assert fault(capsys, "engine").startswith(
        "the engine at DOCKER_HOST=unix:///srv/engine.sock does not run: start it, or choose "
        "another engine (Cannot connect"
    )


@pytest.mark.parametrize("exempt", ["", "localhost"])
def test_a_proxy_between_client_and_engine_is_named(
    exempt: str, become: Become, capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    become(KINDS["Docker on Linux"]).fails("proxyconnect tcp: connection refused")
    monkeypatch.setenv("DOCKER_HOST", "tcp://build.example:2376")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", exempt)
    hint = "add build.example to NO_PROXY (HTTPS_PROXY is set)"
    assert hint in fault(capsys, "engine")
    monkeypatch.setenv("NO_PROXY", f"{exempt},build.example")
    assert "NO_PROXY" not in fault(capsys, "engine")


@pytest.mark.parametrize("chosen", [True, False])
def test_a_context_that_does_not_exist(
    chosen: bool, become: Become, capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    machine = become(KINDS["Docker on Linux"])
    missing = 'context "gone": context not found: open meta.json: no such file or directory'
    machine.answer("context inspect", "[]\n", err=f"{missing}\n", code=1)
    machine.fails(f"Failed to initialize: unable to resolve docker endpoint: {missing}")
    if chosen:
        monkeypatch.setenv("DOCKER_CONTEXT", "gone")
    name, remedy = (
        ("gone", "correct DOCKER_CONTEXT")
        if chosen
        else ("chosen with `docker context use`", "`docker context use` chooses one")
    )
    assert fault(capsys, "engine") == (
        f"the Docker context {name} does not exist: `docker context ls` lists them, {remedy}"
    )


FAULTS = {
    "WSL2 without Docker Desktop's integration": (
        "The command 'docker' could not be found in this WSL 2 distro.",
        "Docker Desktop does not serve this WSL2 distribution: switch it on in Docker Desktop, "
        "Settings > Resources > WSL integration",
    ),
    "an engine older than the client": (
        "Error response from daemon: client version 1.52 is too new. Maximum supported API "
        "version is 1.41",
        "Docker's client and engine do not fit together: upgrade the engine, or unset "
        "DOCKER_API_VERSION",
    ),
    "a client older than the engine": (
        "Error response from daemon: client version 1.24 is too old. Minimum supported API "
        "version is 1.44, please upgrade your client to a newer version",
        "Docker's client and engine do not fit together: upgrade the Docker client, or unset "
        "DOCKER_API_VERSION",
    ),
    "no right to use the socket": (
        "permission denied while trying to connect to the Docker daemon socket at "
        "unix:///var/run/docker.sock",
        "no permission to use Docker: `sudo usermod -aG docker $USER`, then log in again",
    ),
}


@pytest.mark.parametrize(("said", "wanted"), FAULTS.values(), ids=FAULTS.keys())
def test_what_no_start_would_fix(said: str, wanted: str, become: Become, capsys: Capture):
    become(KINDS["Docker on Linux"]).fails(said)
    assert fault(capsys, "engine").startswith(wanted)


def test_an_address_that_is_none(become: Become, capsys: Capture, monkeypatch: pytest.MonkeyPatch):
    become(KINDS["Docker on Linux"]).fails("unable to parse docker host `localhost`")
    monkeypatch.setenv("DOCKER_HOST", "localhost")
    assert fault(capsys, "engine").startswith(
        "DOCKER_HOST=localhost is no engine's address: write unix:///path/of/docker.sock or tcp://"
    )


def test_podmans_imitation_of_the_client_is_not_taken_for_docker(become: Become, capsys: Capture):
    machine = become(KINDS["rootless Podman"])
    machine.answer("--version", "podman version 5.5.2\n")
    machine.answer(
        "context inspect", err="Error: unrecognized command `podman context`\n", code=125
    )
    machine.answer("version --format {{json .Server}}", "null\n")
    assert fault(capsys, "engine").startswith("`docker` here is Podman's imitation, which compose")


@pytest.mark.parametrize(
    ("kind", "version", "line"),
    [
        ("Docker on Linux", "19.03.15", "Docker 19.03.15, which is too old: upgrade it to 20.10"),
        ("rootless Podman", "4.3.1", "Podman 4.3.1, which is too old: upgrade it to 4.4"),
        ("Docker on Linux", "20.10.0", None),
        ("rootless Podman", "4.4.0", None),
        ("Docker on Linux", "dev", None),
    ],
)
def test_an_old_engine(kind: str, version: str, line: str | None, become: Become, capsys: Capture):
    engine = dataclasses.replace(KINDS[kind].engine, version=version)
    become(dataclasses.replace(KINDS[kind], engine=engine))
    if line is None:
        assert run(capsys, "engine")[0] == 0
    else:
        assert fault(capsys, "engine") == f"the engine is {line} or newer"


@pytest.mark.parametrize("version", ["v2.16.0", "2.2.3", "1.29.2"])
def test_an_old_compose_plugin(version: str, become: Become, capsys: Capture):
    machine = become(KINDS["Docker on Linux"])
    machine.answer("compose version --short", f"{version}\n")
    assert fault(capsys, "engine") == (
        f"docker compose {version} is too old: upgrade the compose plugin to 2.17 or newer"
    )
    for new in ("v2.17.0", "2.20.2+ds1-0ubuntu1", "5.0.0"):
        machine.answer("compose version --short", f"{new}\n")
        assert run(capsys, "engine")[0] == 0


def test_a_mac_without_compose_reads_where_to_get_it(become: Become, capsys: Capture):
    machine = become(KINDS["Colima"])
    unknown = "docker: 'compose' is not a docker command.\n"
    machine.answer("compose version --short", err=unknown, code=1)
    assert fault(capsys, "engine").startswith(
        "`docker compose` is missing: `brew install docker-compose`"
    )


@pytest.mark.parametrize(
    ("system", "release", "kind"),
    [
        ("Linux", "6.8.0-60-generic", host.Kind.LINUX),
        ("Linux", WSL_KERNEL, host.Kind.WSL),
        ("Linux", "4.4.0-19041-Microsoft", host.Kind.WSL),
        ("Darwin", "24.5.0", host.Kind.MACOS),
        ("FreeBSD", "14.2-RELEASE", host.Kind.OTHER),
    ],
)
def test_the_kind_of_the_machine(
    system: str, release: str, kind: host.Kind, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(platform, "release", lambda: release)
    assert host.kind() is kind


def test_windows_itself_is_refused_before_anything_is_loaded(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "glasshouse_cli.cli", None)  # importing it would fail
    assert commands.OPERATOR.run(["up"]) == 1
    assert capsys.readouterr().err.startswith(
        "error: Windows itself is not supported: install WSL2"
    )


@pytest.mark.parametrize("kind", [name for name, case in KINDS.items() if case.system != "Linux"])
def test_a_mac_is_asked_for_nothing_of_linux(
    kind: str, become: Become, capsys: Capture, monkeypatch: pytest.MonkeyPatch
):
    become(KINDS[kind], root=True)
    assert not host.can_install()
    assert not host.has_service_manager()
    assert host.available_memory_bytes() is None
    found = facts.read()
    assert not found.is_here
    # No path of the engine's machine is read here.
    monkeypatch.setattr("shutil.disk_usage", lambda _: pytest.fail("read of this machine"))
    assert capacity.free_disk_bytes(found) is None


def test_the_machine_of_the_engine_is_this_one_only_when_it_is(
    become: Become, monkeypatch: pytest.MonkeyPatch
):
    become(KINDS["Docker on Linux"])
    assert facts.read().is_here
    # What is really free changes between two looks, so each path has a figure of its own.
    monkeypatch.setattr(host, "free_disk_bytes", {Path("/var/lib/docker"): 7 * GIB}.__getitem__)
    assert capacity.free_disk_bytes(facts.read()) == 7 * GIB


def rows(checkout: Path) -> dict[str, tuple[str, str]]:
    return {row.name: (row.status, row.detail) for row in checks.machine(project.load(checkout))}


def test_the_doctor_asks_a_virtual_machine_inside_it(become: Become, checkout: Path):
    machine = become(KINDS["Colima"])
    unknown = "only the engine knows it, and there is no image yet to ask with"
    assert rows(checkout) == {
        "engine": ("ok", "Docker 28.3.2"),
        "compose plugin": ("ok", "2.40.3"),
        "memory": ("ok", "the engine has 8.0 GiB"),
        "disk": ("skipped", unknown),
    }
    (checkout / ".glasshouse").mkdir()
    (checkout / ".glasshouse" / "images.env").write_text("CLI_IMAGE=cli:1\n")
    df = "Filesystem 1024-blocks Used Available Capacity Mounted on\noverlay 9 9 {} 9% /\n"
    for free, row in ((4 * 1024**2, ("failed", "4.0")), (6 * 1024**2, ("ok", "6.0"))):
        machine.answer("--entrypoint=df cli:1 -Pk /", df.format(free))
        assert rows(checkout)["disk"] == (row[0], f"{row[1]} GiB free")


def test_the_doctor_reads_what_this_machine_has_left(
    become: Become, checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    become(KINDS["Docker on Linux"])
    memory = tmp_path / "meminfo"
    monkeypatch.setattr(host, "_MEMORY", memory)
    monkeypatch.setattr(host, "free_disk_bytes", lambda _: 7 * GIB)
    memory.write_text("MemTotal:  8388608 kB\nMemFree: 1 kB\nMemAvailable:  1048576 kB\n")
    assert rows(checkout)["memory"] == ("ok", "1.0 of 8.0 GiB available")
    assert rows(checkout)["disk"] == ("ok", "7.0 GiB free")
    memory.write_text("MemTotal:  8388608 kB\nMemAvailable:  262144 kB\n")
    assert rows(checkout)["memory"] == ("failed", "0.2 of 8.0 GiB available")


def test_the_doctor_goes_on_without_an_engine(become: Become, checkout: Path):
    become(KINDS["OrbStack"]).stopped()
    found = rows(checkout)
    assert found["engine"][0] == "failed"
    assert "memory" not in found


@pytest.mark.parametrize(
    ("case", "program", "command"),
    [
        ("OrbStack", None, "`brew install openssl`"),
        ("rootless Podman", "dnf", "`sudo dnf install openssl`"),
        ("Docker on Linux", None, "`sudo apt-get install openssl`"),
    ],
)
def test_a_missing_program_comes_from_the_machines_own_packages(
    case: str, program: str | None, command: str, become: Become, capsys: Capture
):
    machine = become(KINDS[case])
    if program:
        machine.program(program, "exit 1")
    assert fault(capsys, "certificates") == f"the program openssl is missing: {command}"
