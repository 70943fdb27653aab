"""Which parts of the backend may load which."""

import subprocess
import sys

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
