"""The end-to-end tests: everything at once, as `make up` runs it."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from glasshouse_cli import host, images
from glasshouse_cli.project import Project
from support import collector
from support.registry import contents, folder, standin
from support.stack import PROJECT_NAME, Stack


@pytest.fixture(scope="session")
def otlp_endpoint(
    redaction: str,
    stack: Stack,
    collector_config: str,
    collector_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The stack's Collector, or one beside it without redaction, into the same backends."""
    if redaction == "on":
        yield stack.otlp
        return
    with collector.in_stack(
        image=collector_image,
        project=PROJECT_NAME,
        folder=tmp_path_factory.mktemp("unredacted"),
        config=collector.without_redaction(collector_config),
    ) as endpoint:
        yield endpoint


@dataclass(frozen=True, kw_only=True)
class Demo:
    """A finished run of the demo traffic: when it began, its exit code, and what it wrote."""

    began: float
    code: int
    output: str
    errors: str


@pytest.fixture(scope="session")
def demo(stack: Stack) -> Demo:
    """Some seconds of `make demo`, with faults, once for all tests of the level."""
    command = [sys.executable, "-m", "glasshouse_loadgen", "--faults"]
    command += ["--host", stack.api, "--sandbox", stack.url("sandbox")]
    command += ["--key-file", str(stack.state / "secrets" / "api_key")]
    # Each fault has five seconds: of a shorter one a busy machine may notice nothing.
    # Not in pounds: another test counts those.
    command += ["--duration", "48", "--rate", "20", "--currencies", "EUR,JPY,USD"]
    began = time.time()
    ran = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    return Demo(began=began, code=ran.returncode, output=ran.stdout, errors=ran.stderr)


@pytest.fixture(scope="module")
def registry_folder() -> Iterator[Path]:
    """An empty folder for engines of a test's own; skips where there can be none."""
    missing = [
        program
        for program in ("dockerd", "nsenter", "unshare", "mount")
        if shutil.which(program) is None
    ]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: an engine of its own cannot be started")
    if not (host.is_linux() and host.is_root()):
        pytest.skip("namespaces need root on Linux")
    with folder.alone() as place:
        yield place


@pytest.fixture(scope="session")
def registry_tags(project: Project, docker: None) -> dict[str, str]:
    """The images of the main engine that a registry is to serve, by variable."""
    tags = images.resolve(checkout=project)
    python = tags["PYTHON_IMAGE"]
    tags["PYTHON_IMAGE"] = standin.python(python, project.root / ".uv")
    # Where the real one is there, it is served.
    tags.setdefault("GRAFANA_IMAGE", standin.grafana(python))
    return tags


@pytest.fixture(scope="session")
def registry_storage(project: Project, registry_tags: dict[str, str]) -> Path:
    """What a registry serves: every image of the stack, by its official name or as a release."""
    storage = project.state / "registry-of-tests" / "storage"
    names = contents.names(project)
    contents.fill(storage, {names[variable]: tag for variable, tag in registry_tags.items()})
    return storage


@pytest.fixture(scope="session")
def registry_ids(registry_storage: Path) -> dict[str, str]:
    """The id of each image that the registry serves, by its name there."""
    return contents.stored(registry_storage)
