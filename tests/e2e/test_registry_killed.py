"""What the engine of a test leaves behind when the test is killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from support.registry import folder
from support.waiting import until

ROOT = Path(__file__).parents[1]
# Starts an engine with a container's worth of state, says so, and waits to be killed.
VICTIM = """
import sys, time
from pathlib import Path
from support.registry import daemon, folder
from support.registry.namespace import Namespace
with folder.alone() as place:
    (place / "settings").mkdir()
    with Namespace(place / "settings") as namespace, daemon.running(place / "one", namespace):
        print(place, flush=True)
        time.sleep(600)
"""


def processes(place: Path) -> list[str]:
    """Return the pids of this machine's processes that were started for the folder."""
    found: list[str] = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"{place}/".encode() in entry.read_bytes():
                found.append(entry.parent.name)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_a_killed_run_leaves_no_process_and_the_next_one_starts(registry_folder: Path) -> None:
    # Another name than that of this run, whose folder is in use.
    name = f"{folder.NAME}-killed"
    with subprocess.Popen(
        [sys.executable, "-c", VICTIM],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "GLASSHOUSE_TESTS_NAME": name},
        stdout=subprocess.PIPE,
    ) as victim:
        assert victim.stdout is not None
        place = Path(victim.stdout.readline().decode().strip())
        assert place.is_dir()
        assert len(processes(place)) >= 2  # dockerd and its containerd
        victim.send_signal(signal.SIGKILL)

    def gone() -> tuple[bool | None, object]:
        left = processes(place)
        return not left or None, left

    until(gone, what="no process is left")
    assert place.is_dir()
    with folder.alone(place.name) as again:
        assert again == place
        assert list(again.iterdir()) == []
    assert not place.exists()
