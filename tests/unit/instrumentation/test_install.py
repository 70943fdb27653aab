"""What is built is what a stranger installs: clean environments, each Python that there is.

The packages come from the index or from uv's cache; without both these tests are skipped.
"""

import email
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import otlp_sink, shop_process

ROOT = Path(__file__).parents[3]
# Records one of each signal in the main thread, and a log in another one.
SCRIPT = """
import logging, threading
from opentelemetry import metrics, trace
with trace.get_tracer("script").start_as_current_span("step"):
    logging.getLogger("script").error("Mail to jane@example.com")
thread = threading.Thread(target=logging.getLogger("script").error, args=("From a thread",))
thread.start()
thread.join()
metrics.get_meter("script").create_counter("steps").add(1)
"""
UNREACHABLE = ("dns error", "Failed to fetch", "Connection refused", "error sending request")

pytestmark = pytest.mark.slow  # installs packages


def uv() -> str:
    return os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")


def run(*arguments: str | Path, cwd: Path | None = None) -> str:
    """Run uv; return its output. Without an index the test is skipped."""
    done = subprocess.run(
        [uv(), *arguments], capture_output=True, text=True, timeout=550, check=False, cwd=cwd
    )
    if done.returncode and any(words in done.stderr for words in UNREACHABLE):
        pytest.skip(f"no package index: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return done.stdout


def python(version: str) -> str:
    """Return an interpreter, or skip the test."""
    installed = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    if installed:
        return str(installed[-1])
    done = subprocess.run(
        [uv(), "python", "find", "--no-project", "--python-preference", "only-system", version],
        capture_output=True,
        text=True,
        check=False,
        env={name: value for name, value in os.environ.items() if name != "UV_PYTHON"},
    )
    if done.returncode:
        pytest.skip(f"there is no Python {version} on this machine")
    return done.stdout.strip()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run("build", "--quiet", "-o", folder, ROOT / "instrumentation")
    return folder


@pytest.fixture
def sink() -> Iterator[otlp_sink.Sink]:
    with otlp_sink.running() as sink:
        yield sink


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13", "3.14"])
def test_a_script_in_a_clean_environment_sends_all_signals(
    version: str, kind: str, built: Path, tmp_path: Path, sink: otlp_sink.Sink
) -> None:
    folder = tmp_path / "environment"
    run("venv", "--quiet", "--no-project", "--python", python(version), folder)
    [distribution] = built.glob(kind)
    run("pip", "install", "--quiet", "--python", folder, distribution, "pip")
    environment = shop_process.environment(sink.url)
    # Our own environment's, which the interpreter of the new one would look into.
    for name in ("PYTHONPATH", "VIRTUAL_ENV"):
        environment.pop(name, None)
    done = subprocess.run(
        [folder / "bin" / "opentelemetry-instrument", folder / "bin" / "python", "-c", SCRIPT],
        env={**environment, "PATH": f"{folder / 'bin'}:{environment['PATH']}"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert {body_of(one) for one in logs(sink)} >= {"From a thread"}
    assert "jane@example.com" not in done.stdout + repr([one.body for one in sink.requests])
    assert {one.path for one in sink.requests} == {"/v1/traces", "/v1/logs", "/v1/metrics"}


def logs(sink: otlp_sink.Sink) -> list[dict[str, object]]:
    return [
        record
        for request in sink.stored("logs")
        for resource in request["resourceLogs"]
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]


def body_of(record: dict[str, object]) -> object:
    body = record["body"]
    assert isinstance(body, dict)
    return body.get("stringValue")


def test_the_wheel_holds_what_it_should(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [metadata] = [name for name in names if name.endswith(".dist-info/METADATA")]
        folder = metadata.removesuffix("/METADATA")
        described = email.message_from_string(archive.read(metadata).decode())
        licence = archive.read(f"{folder}/licenses/LICENSE")
    tops = {name.split("/", 1)[0] for name in names}
    assert tops == {"glasshouse", "glasshouse.pth", "_glasshouse_pytest.py", folder}
    assert {"glasshouse/py.typed", "glasshouse/redaction/rules.yaml"} <= set(names)
    assert any(name.startswith("glasshouse/testing/containers/files/") for name in names)
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert described["License-Expression"] == "Apache-2.0"
    assert described["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in described.get_all("Classifier", [])
    readme = (ROOT / "instrumentation" / "README.md").read_text(encoding="utf-8")
    assert described.get_payload() == readme
    # Where it is shown there is nothing else of this repository.
    assert re.findall(r"\]\((?!https?://|#)[^)]*\)", readme) == []
    extras = set(described.get_all("Provides-Extra", []))
    assert {"all", "celery", "django", "fastapi", "flask", "grpc", "prometheus"} <= extras
    assert {"containers", "testing"} <= extras


def test_the_source_distribution_holds_what_the_wheel_is_made_of(built: Path) -> None:
    [source] = built.glob("*.tar.gz")
    top = source.name.removesuffix(".tar.gz")
    with tarfile.open(source) as archive:
        names = set(archive.getnames())
    assert {f"{top}/LICENSE", f"{top}/README.md", f"{top}/src/glasshouse.pth"} <= names
    assert f"{top}/src/glasshouse/py.typed" in names


@pytest.mark.parametrize(
    "neighbours",
    [
        ["opentelemetry-sdk==1.45.2"],
        ["opentelemetry-sdk==1.44.0"],
        ["opentelemetry-instrumentation-requests==0.65b0"],
        ["logfire"],
        ["opentelemetry-instrumentation-flask", "flask"],
        ["opentelemetry-instrumentation-fastapi", "fastapi"],
        ["fastapi", "celery", "django", "sqlalchemy", "redis"],
    ],
    ids=" ".join,
)
def test_it_resolves_beside(neighbours: list[str], built: Path, tmp_path: Path) -> None:
    [wheel] = built.glob("*.whl")
    wanted = tmp_path / "requirements.in"
    wanted.write_text("\n".join([f"glasshouse @ {wheel.as_uri()}", *neighbours]), encoding="utf-8")
    found = run("pip", "compile", "--quiet", "--no-header", "--prerelease", "allow", wanted)
    for neighbour in neighbours:
        assert neighbour.split("==")[0] in found
        assert "==" not in neighbour or f"{neighbour}\n" in found


@pytest.mark.parametrize("extra", ["all", "celery", "django", "fastapi", "flask", "grpc"])
def test_each_extra_resolves(extra: str, built: Path, tmp_path: Path) -> None:
    [wheel] = built.glob("*.whl")
    wanted = tmp_path / "requirements.in"
    wanted.write_text(f"glasshouse[{extra}] @ {wheel.as_uri()}\n", encoding="utf-8")
    found = run("pip", "compile", "--quiet", "--no-header", "--prerelease", "allow", wanted)
    assert "opentelemetry-sdk==" in found
