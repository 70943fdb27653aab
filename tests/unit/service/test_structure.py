"""Which parts of the backend may load which."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import backend

# What only a worker needs: the tasks, and what they alone call.
WORKER_ONLY = {
    "backend.automation.execution",
    "backend.jobs.tasks",
    "backend.jobs.worker",
    "backend.notifications.delivery",
    "backend.payments.chain",
    "backend.payments.confirmation",
}


def loaded_by(module: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after this one."""
    code = f"import sys, {module}; print(*sys.modules, sep='\\n')"
    return set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
        ).stdout.split()
    )


def test_the_api_loads_the_queue_and_nothing_that_only_a_worker_needs():
    loaded = loaded_by("backend.api.app")
    assert "backend.jobs.queue" in loaded
    assert loaded & WORKER_ONLY == set()


def test_the_worker_loads_every_part_of_its_own():
    # Else the names above have become others, and the test above proves nothing.
    assert loaded_by("backend.jobs.worker") >= WORKER_ONLY


# A package imports those to its left, and itself.
LAYERS = [
    "platform",
    "telemetry",
    "notifications",
    "payments",
    "automation",
    "jobs",
    "operations",
    "api",
]
SOURCE = Path(backend.__path__[0])


def imports_of(package: str) -> set[str]:
    """The packages of the backend that the files of one import, also for types alone."""
    files = sorted((SOURCE / package).rglob("*.py"))
    assert files, package
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    modules = {
        *(node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module),
        *(name.name for node in nodes if isinstance(node, ast.Import) for name in node.names),
    }
    return {one.split(".")[1] for one in modules if one.startswith("backend.")}


@pytest.mark.parametrize("package", LAYERS)
def test_a_package_imports_only_those_below_it(package: str):
    assert imports_of(package) <= {*LAYERS[: LAYERS.index(package) + 1]}


def test_every_package_has_its_layer():
    assert {folder.parent.name for folder in SOURCE.glob("*/__init__.py")} == {*LAYERS}
