"""The one version of all packages, as the workspace's pyproject.toml states it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from glasshouse_cli.errors import StackError

_VERSION = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")
_LINE = re.compile(r'^version = "[^"]*"$', re.MULTILINE)
# Of the Helm chart: its own version, and that of what it runs.
_CHART = Path("deploy", "chart", "Chart.yaml")
_CHART_LINES = re.compile(r"^(version|appVersion): \S+", re.MULTILINE)


def read(root: Path) -> str:
    """The version. Raises StackError when the file has none."""
    version = _workspace(root)["project"].get("version")
    if not isinstance(version, str):
        raise StackError(
            f'{root / "pyproject.toml"}: [project] has no version: write version = "…"'
        )
    return version


def write(root: Path, version: str) -> list[Path]:
    """Set the version in every package, beside them and in the chart; return the files.

    Raises StackError when it is no version, or a file has no line for it; nothing is written then.
    """
    if not _VERSION.fullmatch(version):
        raise StackError(f"{version!r} is no version: write it as 1.2.3, or 1.2.3rc1 before it")
    uv = _workspace(root)["tool"]["uv"]
    beside = [one["path"] for one in uv.get("sources", {}).values() if "path" in one]
    members = [*uv["workspace"]["members"], *beside]
    changed: dict[Path, str] = {}
    for file in (root / "pyproject.toml", *(root / name / "pyproject.toml" for name in members)):
        text, found = _LINE.subn(
            f'version = "{version}"', file.read_text(encoding="utf-8"), count=1
        )
        if not found:
            raise StackError(f'{file}: no line version = "…": add it to [project]')
        changed[file] = text
    if (chart := root / _CHART).is_file():
        # Helm asks for SemVer, where a release candidate has a hyphen.
        semantic = re.sub(r"(a|b|rc)(\d+)$", r"-\1\2", version)
        changed[chart] = _CHART_LINES.sub(rf"\1: {semantic}", chart.read_text(encoding="utf-8"))
    for file, text in changed.items():
        file.write_text(text, encoding="utf-8")
    return list(changed)


def _workspace(root: Path) -> dict[str, Any]:
    return tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
