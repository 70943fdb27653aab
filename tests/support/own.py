"""The worked example of docs/own.md, made by following it."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from glasshouse_cli import ownership
from glasshouse_cli.project import Project

PAGE = "docs/own.md"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# (\S+\.(?:yaml|py))\n")
COMMAND = [sys.executable, "-c", "from glasshouse_cli.cli import main; main()"]


def written_by_hand(root: Path) -> dict[str, str]:
    """Return the files that the page's reader writes, by the name in their first line."""
    text = (root / PAGE).read_text(encoding="utf-8")
    found = (body for language, body in _BLOCK.findall(text) if language in {"yaml", "python"})
    return {match[1]: body for body in found if (match := _FILE.match(body))}


def commands(root: Path) -> list[list[str]]:
    """Return the arguments of each `glasshouse` that the page's reader runs, in order."""
    text = (root / PAGE).read_text(encoding="utf-8")
    lines = (line for language, body in _BLOCK.findall(text) for line in body.splitlines())
    program = ".venv/bin/glasshouse "
    return [shlex.split(line.removeprefix(program)) for line in lines if line.startswith(program)]


def glasshouse(project: Project, own: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run our command with this folder for the user's own."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=project.root,
        env={**os.environ, "GLASSHOUSE_OWN": str(own)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def follow(project: Project, own: Path, *, until: str) -> None:
    """Do what the page says in the folder `own`, up to the command `until`, which is not run."""
    for arguments in commands(project.root):
        if arguments[0] == until:
            break
        ran = glasshouse(project, own, *arguments)
        assert ran.returncode == 0, ran.stderr
        for name, text in written_by_hand(project.root).items():
            if name.startswith("own/"):
                (own / name.removeprefix("own/")).write_text(text, encoding="utf-8")
    ownership.let_all_read([own])  # the containers' user is another
