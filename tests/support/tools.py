"""Programs of the images, run on files of ours: promtool, amtool."""

import subprocess
from collections.abc import Mapping
from pathlib import Path


def run_tool(
    tag: str, program: str, *arguments: str, folders: Mapping[Path, str]
) -> subprocess.CompletedProcess[str]:
    """Run a program of an image without a network; ``folders`` are mounted read-only."""
    options = ["--rm", "--network=none", "--label=dev.glasshouse.part=tests"]
    for folder, inside in folders.items():
        options += ["--volume", f"{folder}:{inside}:ro"]
    return subprocess.run(
        ["docker", "run", *options, "--entrypoint", program, tag, *arguments],
        capture_output=True,
        text=True,
        timeout=1200,  # all rules with all their tests, on a loaded machine
        check=False,
    )
