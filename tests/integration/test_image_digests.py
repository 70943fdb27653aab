"""`glasshouse images --pin` against a real registry, and that a digest outlives a moved tag."""

import io
import os
import shutil
import signal
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from glasshouse_cli.cli import app
from glasshouse_cli.images import resolve
from glasshouse_cli.images.pin import DIGEST
from glasshouse_cli.project import load
from support import ports
from support.waiting import until

# Debian's package docker-registry.
PROGRAM = shutil.which("docker-registry")
pytestmark = pytest.mark.skipif(PROGRAM is None, reason="no docker-registry on PATH")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("registry")
    address = f"127.0.0.1:{ports.free(['registry'])['registry']}"
    config = folder / "config.yml"
    config.write_text(
        "version: 0.1\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\n"
        f"http: {{addr: {address}}}\n"
    )
    assert PROGRAM is not None
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [PROGRAM, "serve", str(config)],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, "OTEL_TRACES_EXPORTER": "none"},
        )

    def answers() -> tuple[bool | None, object]:
        try:
            found = httpx.get(f"http://{address}/v2/", timeout=5, trust_env=False)
        except httpx.HTTPError as error:
            return None, repr(error)
        return found.is_success or None, found.status_code

    try:
        until(answers, what="the registry answers")
        yield address
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def docker(*arguments: str, stdin: bytes = b"") -> str:
    ran = subprocess.run(
        ["docker", *arguments], input=stdin, capture_output=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stderr.decode()
    return ran.stdout.decode().strip()


@pytest.fixture
def push(registry: str, docker_engine: None) -> Iterator[Callable[[str], str]]:
    """Push an image with one file of this text as loki:1; return its id."""
    name = f"{registry}/loki:1"
    ids: list[str] = []

    def pushed(text: str) -> str:
        memory = io.BytesIO()
        with tarfile.open(fileobj=memory, mode="w") as archive:
            member = tarfile.TarInfo("file")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
        ids.append(docker("import", "-", name, stdin=memory.getvalue()))
        docker("push", name)
        docker("rmi", name)
        return ids[-1]

    yield pushed
    for one in ids:
        subprocess.run(
            ["docker", "rmi", "--force", one], capture_output=True, timeout=240, check=False
        )


@pytest.fixture
def docker_engine(docker: None) -> None:
    """Under a name that the helper above does not hide."""


@pytest.fixture
def checkout(registry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("LOKI_IMAGE", raising=False)
    (tmp_path / ".env").write_text(f"LOKI_IMAGE={registry}/loki:1\n")
    (tmp_path / "docker-compose.yml").write_text("services: {}\n")
    recipe = tmp_path / "dev" / "images" / "loki"
    recipe.mkdir(parents=True)
    # What cannot be built: so that nothing but the registry's image can be the answer.
    (recipe / "image.toml").write_text('variable = "LOKI_IMAGE"\nbuilder = "none"\n')
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pinned(checkout: Path) -> str:
    ran = CliRunner().invoke(app, ["images", "--pin"])
    assert ran.exit_code == 0, ran.output
    return (checkout / ".env").read_text().removeprefix("LOKI_IMAGE=").strip()


def obtained(checkout: Path) -> str:
    """The id of the image that `make up` would take."""
    tag = resolve(checkout=load(checkout))["LOKI_IMAGE"]
    return docker("image", "inspect", "--format", "{{.Id}}", tag)


def test_a_pinned_image_stays_what_it_was(
    registry: str, checkout: Path, push: Callable[[str], str]
) -> None:
    first = push("first")
    image = pinned(checkout)
    name, _, digest = image.partition("@")
    assert name == f"{registry}/loki:1"
    assert DIGEST.fullmatch(digest)
    assert obtained(checkout) == first

    docker("rmi", "--force", first)
    second = push("second")
    assert obtained(checkout) == first
    # By its tag alone, it is the other one.
    (checkout / ".env").write_text(f"LOKI_IMAGE={name}\n")
    assert obtained(checkout) == second
    # And pinned anew, it is pinned to that.
    assert pinned(checkout).partition("@")[2] not in {"", digest}


def test_an_image_that_the_registry_does_not_have_changes_nothing(
    registry: str, checkout: Path
) -> None:
    (checkout / ".env").write_text(f"LOKI_IMAGE={registry}/missing:1\n")
    ran = CliRunner().invoke(app, ["images", "--pin"])
    assert ran.exit_code == 1
    assert str(ran.exception) == f"{registry}/missing:1: {registry} answers 404"
    assert (checkout / ".env").read_text() == f"LOKI_IMAGE={registry}/missing:1\n"
