"""`service.version`: of the service's own package, never of the server that runs it."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from glasshouse.errors import ConfigurationError
from glasshouse.version import service_version

OURS = version("glasshouse-backend")
SCRIPTS = Path(sys.executable).parent
PRINT = (
    "from opentelemetry import trace; "
    "print(trace.get_tracer_provider().resource.attributes.get('service.version'))"
)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_RESOURCE_ATTRIBUTES", "GLASSHOUSE_SERVICE_PACKAGE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python /opt/venv/bin/backend api", OURS),
        ("python -W ignore /opt/venv/bin/backend worker", None),
        ("python -m backend api", OURS),
        ("python -m backend.worker", OURS),
        ("python /opt/venv/bin/uvicorn backend.api.app:create_app --factory", OURS),
        ("python -m uvicorn backend.api.app:create_app", OURS),
        ("python -m procrastinate worker", version("procrastinate")),
        ("python -m httpx", version("httpx")),
        # What runs somebody else's code, without saying whose.
        ("python /opt/venv/bin/uvicorn --factory", None),
        ("python -m pytest tests", None),
        ("python /opt/venv/bin/opentelemetry-instrument backend", None),
        # Bare files.
        ("python shop.py 8000", None),
        ("python -m no_such_module", None),
        ("python -c pass", None),
        ("python -m", None),
        ("python", None),
    ],
)
def test_the_version_of_a_command(command: str, expected: str | None) -> None:
    assert service_version(command.split()) == expected


def test_the_package_that_is_named_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSHOUSE_SERVICE_PACKAGE", "httpx")
    assert service_version(["python", "-m", "backend"]) == version("httpx")


def test_a_package_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSHOUSE_SERVICE_PACKAGE", "no-such-package")
    with pytest.raises(ConfigurationError) as refused:
        service_version(["python", "-m", "backend"])
    assert str(refused.value) == (
        "GLASSHOUSE_SERVICE_PACKAGE: no such package is installed: no-such-package; "
        "write the name that `pip list` shows"
    )


def test_what_the_environment_says_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.namespace=x,service.version=2.0")
    assert service_version(["python", "-m", "backend"]) is None


def resource_version(**variables: str) -> str:
    """What the distro gives the resource of a real process."""
    ended = subprocess.run(
        [SCRIPTS / "opentelemetry-instrument", sys.executable, "-c", PRINT],
        env={
            **os.environ,
            "OTEL_PYTHON_DISTRO": "glasshouse",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[-1]


def test_the_distro_sets_it() -> None:
    assert resource_version(GLASSHOUSE_SERVICE_PACKAGE="glasshouse-backend") == OURS


def test_the_distro_leaves_what_is_set() -> None:
    set_already = "service.version=2.0"
    assert (
        resource_version(
            GLASSHOUSE_SERVICE_PACKAGE="glasshouse-backend", OTEL_RESOURCE_ATTRIBUTES=set_already
        )
        == "2.0"
    )
