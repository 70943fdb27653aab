"""What containers read is readable to their user; secrets are so to nobody else."""

import dataclasses
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from glasshouse_cli import (
    alerting,
    compose,
    handing,
    host,
    images,
    ownership,
    project,
    runbooks,
    secrets,
)
from glasshouse_cli.engine import endpoint, facts
from glasshouse_cli.engine.facts import Facts
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import User
from support.hosts import LINUX, ROOT, Engine, Host, make

USER = User(uid=1000, gid=1000)
IMAGE = "glasshouse/backend:1"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def private() -> Iterator[None]:
    """As with `umask 077` in somebody's profile."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Host]:
    def become(*security: str, root: bool = False, engine: Engine = LINUX) -> Host:
        chosen = dataclasses.replace(engine, security=("name=cgroupns", *security))
        return make(monkeypatch, tmp_path / "host", chosen, root=root)

    return become


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Those of two containers with a secret each, private to their owner."""
    top = tmp_path / "my secrets"
    made = [top / "collector", top / "proxy"]
    for folder, name in zip(made, ("hmac_key", "password"), strict=True):
        folder.mkdir(mode=0o700, parents=True)
        (folder / name).write_text("secret")
        (folder / name).chmod(0o600)
    return made


def modes(folders: list[Path]) -> set[tuple[int, int]]:
    """Of each folder and file in it."""
    return {(mode(folder), mode(path)) for folder in folders for path in folder.iterdir()}


def found() -> Facts:
    return facts.read()


def containers(machine: Host) -> list[str]:
    return [call for call in machine.calls if call.startswith("run ")]


Become = Callable[..., Host]


@pytest.mark.usefixtures("private")
def test_settings_under_a_private_umask_become_readable_and_programs_stay_programs(tmp_path: Path):
    folder = tmp_path / "proxy"
    (folder / "deep").mkdir(parents=True)
    for name, text in (("start.sh", "#!/bin/sh\n"), ("deep/nginx.conf", "x")):
        (folder / name).write_text(text)
    (folder / "start.sh").chmod(0o700)
    (folder / "away").symlink_to(tmp_path / "nowhere")
    assert {mode(folder), mode(folder / "deep"), mode(folder / "deep/nginx.conf")} == {0o700, 0o600}
    ownership.let_all_read([folder])
    assert {mode(folder), mode(folder / "deep"), mode(folder / "start.sh")} == {0o755}
    assert mode(folder / "deep" / "nginx.conf") == 0o644


@pytest.mark.usefixtures("private")
def test_what_the_command_writes_for_containers_is_readable_and_its_secrets_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    credential = tmp_path / "pagerduty"
    credential.write_text("key")
    monkeypatch.setenv("GLASSHOUSE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PAGERDUTY_ROUTING_KEY_FILE", str(credential))
    checkout = project.load(ROOT)
    checkout.prepare()
    me = User(uid=os.geteuid(), gid=os.getegid())
    secrets.ensure(checkout.state, me)
    given = handing.hand_out(checkout.state, compose.secrets(checkout), me)
    for folder in (alerting.ensure(checkout), runbooks.write(checkout)):
        hidden = folder / "credentials"
        everything = [folder, *folder.rglob("*")]
        assert len(everything) > 2
        for path in everything:
            wanted = 0o600 if path.parent == hidden else 0o755 if path.is_dir() else 0o644
            assert mode(path) == wanted, path
    assert (checkout.state / "alertmanager" / "credentials" / "pagerduty_routing_key").is_file()
    assert mode(checkout.state / "secrets") == 0o700
    made = [path for path in (checkout.state / "secrets").iterdir() if path.is_file()]
    assert {mode(path) for path in made} == {0o600}
    assert modes(given) == {(0o700, 0o600)}


@pytest.mark.parametrize(
    ("root", "security", "widened"),
    [
        (False, (), False),  # the containers run as the owner
        (True, (), True),
        (False, ("name=rootless",), True),
        (False, ("name=userns",), True),
    ],
)
def test_settings_are_opened_only_where_the_owner_is_not_the_containers_user(
    root: bool, security: tuple[str, ...], widened: bool, become: Become, checkout: Path
):
    become(*security, root=root)
    file = checkout / "uv.lock"
    file.chmod(0o600)
    ownership.settings_files(project.load(checkout), ["./uv.lock"], found())
    assert mode(file) == (0o644 if widened else 0o600)


def test_all_that_the_stack_mounts_of_the_checkout_is_among_them():
    sources = compose.mounted(project.load(ROOT))
    assert {"./collector/config.yaml", "./prometheus", "./proxy", "./postgres/roles.sh"} <= set(
        sources
    )
    assert all((ROOT / source).exists() for source in sources)


def test_settings_that_may_not_be_opened_are_named(
    become: Become, checkout: Path, monkeypatch: pytest.MonkeyPatch
):
    become("name=rootless")
    file = checkout / "uv.lock"
    file.chmod(0o600)

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(StackError) as caught:
        ownership.settings_files(project.load(checkout), ["./uv.lock"], found())
    assert str(caught.value) == (
        f"{file} cannot be read by the containers' user: `chmod -R a+rX {file}`"
    )


def test_an_engine_that_maps_nobody_is_asked_nothing(become: Become, folders: list[Path]):
    machine = become()
    ownership.secret_folders(folders, USER, found(), endpoint.find(), IMAGE)
    assert containers(machine) == []
    assert modes(folders) == {(0o700, 0o600)}


def test_a_rootless_engine_gets_the_files_by_a_group_of_its_own(
    become: Become, folders: list[Path], monkeypatch: pytest.MonkeyPatch
):
    machine = become("name=rootless")
    ended: list[str] = []
    real = ownership.run

    def run(argv: list[str], *, timeout: float) -> object:
        ended.append(" ".join(argv))
        if "--entrypoint=sh" in argv:
            first = not any("--entrypoint=chgrp" in call for call in ended)
            out = "0/hmac_key denied\n1/password denied\nlooked\n" if first else "looked\n"
            return SimpleNamespace(ok=True, out=out, last_line="")
        return real(argv, timeout=timeout)

    monkeypatch.setattr(ownership, "run", run)
    machine.answer("--entrypoint=chgrp")
    ownership.secret_folders(folders, USER, found(), endpoint.find(), IMAGE)
    first, given, again = ended
    assert first == again
    volumes = [f"--volume={path}:/given/{number}:ro,z" for number, path in enumerate(folders)]
    assert all(volume in first for volume in volumes)
    assert f"--user=1000:1000 --entrypoint=sh {IMAGE}" in first
    assert first.endswith(" look 0/hmac_key 1/password")
    assert given.endswith(
        f"--user=0:0 --cap-add=CHOWN --entrypoint=chgrp {IMAGE} -R 1000 /given/0 /given/1"
    )
    assert modes(folders) == {(0o750, 0o640)}


def test_an_engine_that_remaps_users_gets_them_by_this_machines_number(
    become: Become, folders: list[Path]
):
    machine = become("name=userns")
    machine.answer("--entrypoint=sh", "0/hmac_key denied\nlooked\n")
    machine.answer("--entrypoint=cat", "         0     100000      65536\n")
    machine.answer("--entrypoint=chgrp")
    with pytest.raises(
        StackError, match=r"containers cannot read .*hmac_key as user 1000: the eng"
    ):
        ownership.secret_folders(folders, USER, found(), endpoint.find(), IMAGE)
    (given,) = [call for call in machine.calls if "--entrypoint=chgrp" in call]
    assert given.endswith("--entrypoint=chgrp glasshouse/backend:1 -R 101000 /given/0 /given/1")
    assert "--user=0:0 --cap-add=CHOWN --userns=host --cap-add=DAC_OVERRIDE" in given


def test_too_few_groups_for_containers_are_named(become: Become, folders: list[Path]):
    machine = become("name=userns")
    machine.answer("--entrypoint=sh", "0/hmac_key denied\nlooked\n")
    machine.answer("--entrypoint=cat", "0 100000 500\n")
    with pytest.raises(StackError, match=r"has no group 1000 for containers: .* /etc/subgid"):
        ownership.secret_folders(folders, USER, found(), endpoint.find(), IMAGE)


def test_selinux_is_given_its_label_and_nothing_else(become: Become, folders: list[Path]):
    machine = become("name=selinux")
    machine.answer("--entrypoint=sh", "looked\n")
    ownership.secret_folders(folders, USER, found(), endpoint.find(), IMAGE)
    (call,) = containers(machine)
    assert all(f"{path}:/given/{n}:ro,z" in call for n, path in enumerate(folders))
    assert modes(folders) == {(0o700, 0o600)}


VIRTUAL = dataclasses.replace(LINUX, name="colima")
ELSEWHERE = {
    "a folder that is not shared": (
        "0/hmac_key missing\n1/password missing\nlooked\n",
        "",
        "the engine's machine does not see {folder}: share that folder with it (docs/hosts.md), or "
        "move the checkout below your home folder",
    ),
    "a folder that Docker Desktop refuses": (
        "",
        "docker: Error response from daemon: Mounts denied: \nThe path {folder} is not shared "
        "from the host and is not known to Docker.\n",
        "the engine may not use {folder}: share it (Docker Desktop: Settings > Resources > File "
        "sharing), or move the checkout below your home folder",
    ),
    "an image that does not run": (
        "",
        "exec /bin/sh: exec format error\n",
        "the secrets cannot be shown to a container: exec /bin/sh: exec format error",
    ),
}


@pytest.mark.parametrize(("out", "err", "wanted"), ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_a_virtual_machine_that_does_not_see_the_files(
    out: str, err: str, wanted: str, become: Become, folders: list[Path]
):
    machine = become(engine=VIRTUAL)
    folder = folders[0]
    machine.answer("--entrypoint=sh", out, err=err.format(folder=folder), code=125 if err else 0)
    with pytest.raises(StackError) as caught:
        ownership.secret_folders(folders, USER, found(), endpoint.find(), IMAGE)
    assert str(caught.value) == wanted.format(folder=folder)


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("DOCKER_HOST", "ssh://me@build.example", "DOCKER_HOST"),
        ("DOCKER_CONTEXT", "build", "DOCKER_CONTEXT"),
    ],
)
def test_another_machine_has_no_files_of_this_one(
    variable: str,
    value: str,
    named: str,
    become: Become,
    folders: list[Path],
    monkeypatch: pytest.MonkeyPatch,
):
    far = dataclasses.replace(
        LINUX, name="build", address="ssh://me@build.example", context="build"
    )
    machine = become(engine=far)
    machine.answer("--entrypoint=sh", "0/hmac_key missing\n1/password missing\nlooked\n")
    monkeypatch.setenv(variable, value)
    with pytest.raises(StackError) as caught:
        ownership.secret_folders(folders, USER, found(), endpoint.find(), IMAGE)
    assert str(caught.value) == (
        "the engine at ssh://me@build.example is on another machine, without this checkout: run "
        f"this there, or unset {named}"
    )


def test_root_is_not_the_user_of_a_rootless_engine(become: Become, folders: list[Path]):
    become("name=rootless", root=True)
    with pytest.raises(StackError, match=r"belongs to another user .* run this as that user"):
        ownership.secret_folders(folders, USER, found(), endpoint.find(), IMAGE)


@pytest.mark.parametrize(
    ("bits", "gid", "kept"), [(0o640, 4242, True), (0o640, None, False), (0o644, 4242, False)]
)
def test_the_next_start_leaves_files_to_the_containers_group(
    bits: int, gid: int | None, kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    me = User(uid=os.geteuid(), gid=os.getegid())
    made = secrets.ensure(tmp_path, me)
    made["hmac_key"].chmod(bits)
    if gid is not None:  # the group of a container, which is none of ours
        monkeypatch.setattr(os, "getegid", lambda: gid)
        monkeypatch.setattr(os, "getgroups", list[int])
        monkeypatch.setattr(os, "geteuid", lambda: 1000)
    secrets.ensure(tmp_path, me)
    assert mode(made["hmac_key"]) == (bits if kept else 0o600)
    assert mode(made["otlp_token"]) == 0o600


def test_the_script_that_looks_reports_what_it_sees(tmp_path: Path):
    """In a real shell, with what a container would have in its folders."""
    script = ownership._LOOK.replace("/given/", f"{tmp_path}/")
    for name in ("0/seen", "1/closed", "2/seen"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("secret")
    (tmp_path / "1" / "closed").chmod(0)
    (tmp_path / "2").chmod(0)
    asked = ("0/seen", "0/lost", "1/closed", "2/seen")
    said = ownership.run(["sh", "-c", script, "look", *asked], timeout=20).out
    (tmp_path / "2").chmod(0o700)
    denied = "" if os.geteuid() == 0 else "1/closed denied\n2/seen denied\n"
    assert said == f"0/lost missing\n{denied}looked\n"


@pytest.mark.usefixtures("private")
def test_an_image_built_under_a_private_umask_is_its_users(
    become: Become, checkout: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    machine = become()
    machine.answer("image inspect", err="Error: No such image\n", code=1)
    machine.answer("pull ", err="dial tcp: lookup registry.example: no such host\n", code=1)
    (checkout / "dev" / "images" / "python" / "entrypoint.sh").write_text("#!/bin/sh\n")
    (checkout / "dev" / "images" / "python" / "entrypoint.sh").chmod(0o700)
    (checkout / ".env").write_text((checkout / ".env").read_text() + "PYTHON_IMAGE=python:3.13\n")
    seen: dict[str, int] = {}

    def stage(recipe: object, work: Path, *_: object) -> dict[str, str]:
        (work / "rootfs" / "usr").mkdir(parents=True)
        (work / "rootfs" / "usr" / "program").write_text("x")
        (work / "rootfs" / "usr" / "program").chmod(0o700)
        (work / "rootfs" / "usr" / "data").write_text("x")
        return {}

    def build(argv: list[str], **_: object) -> int:
        work = Path(argv[-1])
        seen.update({str(p.relative_to(work)): mode(p) for p in work.rglob("*")})
        return 0 if argv[1] == "build" else 1

    # The package has a function of the module's name.
    module = sys.modules["glasshouse_cli.images.resolve"]
    monkeypatch.setattr(module, "_STAGE", {"debian": stage})
    monkeypatch.setattr(module, "run_logged", build)
    monkeypatch.setattr(host, "free_disk_bytes", lambda _: 2**40)
    (image,) = images.obtain(["python"], checkout=project.load(checkout))
    assert image.how == "built"
    assert {name: seen[name] for name in ("rootfs", "rootfs/usr", "rootfs/usr/data")} == {
        "rootfs": 0o755,
        "rootfs/usr": 0o755,
        "rootfs/usr/data": 0o644,
    }
    assert {seen["rootfs/usr/program"], seen["entrypoint.sh"]} == {0o755}
