"""One version, and one bounded range per dependency, over all packages of the workspace."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WORKSPACE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
MEMBERS = [ROOT / name for name in WORKSPACE["tool"]["uv"]["workspace"]["members"]]
BESIDE = [
    ROOT / one["path"] for one in WORKSPACE["tool"]["uv"]["sources"].values() if "path" in one
]
FILES = [folder / "pyproject.toml" for folder in (ROOT, *MEMBERS)]
PROJECTS: dict[str, dict[str, Any]] = {
    str(path.relative_to(ROOT)): tomllib.loads(path.read_text(encoding="utf-8"))
    for path in sorted(
        [ROOT / "pyproject.toml", *(one / "pyproject.toml" for one in (*MEMBERS, *BESIDE))]
    )
}
OURS = {project["project"]["name"] for project in PROJECTS.values()}


# What strangers bring to the distro: as wide as it holds, and the newest there is.
OF_STRANGERS = {"frameworks"}


def requirements() -> list[tuple[str, str, str]]:
    """Return file, name and range of each dependency that is not ours."""
    found: list[tuple[str, str, str]] = []
    for file, project in PROJECTS.items():
        groups = [
            project["project"].get("dependencies", []),
            *project["project"].get("optional-dependencies", {}).values(),
            *(
                lines
                for name, lines in project.get("dependency-groups", {}).items()
                if name not in OF_STRANGERS
            ),
        ]
        for line in (line for group in groups for line in group):
            parts = re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?\s*(.*)", line)
            assert parts is not None, line
            if parts[1] not in OURS:
                found.append((file, parts[1].lower(), parts[2]))
    return found


def test_every_dependency_is_seen() -> None:
    assert len(requirements()) > 50


def test_each_dependency_has_an_upper_bound() -> None:
    open_ended = [one for one in requirements() if not re.search(r"(^|,)\s*(<|==|~=)", one[2])]
    assert open_ended == []


def test_each_dependency_has_a_lower_bound() -> None:
    open_ended = [one for one in requirements() if not re.search(r"(^|,)\s*(>=|==|~=)", one[2])]
    assert open_ended == []


def test_each_dependency_has_one_range() -> None:
    ranges: dict[str, set[str]] = {}
    extras = PROJECTS["instrumentation/pyproject.toml"]["project"]["optional-dependencies"]
    wide = {line for lines in extras.values() for line in lines}
    for _, name, bounds in requirements():
        if f"{name}{bounds}" not in wide:
            ranges.setdefault(name, set()).add(bounds)
    assert {name: found for name, found in ranges.items() if len(found) > 1} == {}


def test_opentelemetry_moves_as_one_group() -> None:
    ranges = {bounds for _, name, bounds in requirements() if name.startswith("opentelemetry-")}
    assert len(ranges) == 2, "one range for the SDK (1.x), one for contrib (0.x)"


@pytest.mark.parametrize("file", PROJECTS)
def test_each_package_has_the_version_of_the_workspace(file: str) -> None:
    version = WORKSPACE["project"]["version"]
    assert PROJECTS[file]["project"]["version"] == version, "run make version VERSION=…"


def test_the_lock_has_the_version_of_the_workspace() -> None:
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    locked = {one["name"]: one.get("version") for one in lock["package"] if one["name"] in OURS}
    assert locked == dict.fromkeys(OURS, WORKSPACE["project"]["version"]), "run make version"


def test_the_lock_names_only_the_public_registry() -> None:
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")
    hosts = set(re.findall(r'"https?://([^/"]+)', lock))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}


def test_no_version_is_written_in_code() -> None:
    version = WORKSPACE["project"]["version"]
    sources = [path for member in MEMBERS for path in (member / "src").rglob("*.py")]
    assert len(sources) > 100
    written = [
        str(path.relative_to(ROOT))
        for path in sources
        if f'"{version}"' in path.read_text(encoding="utf-8")
    ]
    assert written == [], "take it from importlib.metadata"


def test_the_changelog_knows_the_version() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## \[([^\]]+)\]", changelog, flags=re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1] == WORKSPACE["project"]["version"]


def test_the_installer_itself_is_pinned_by_digest() -> None:
    lines = (ROOT / "dev" / "requirements-uv.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if re.match(r"\w", line)]
    assert len(pins) == 1
    assert re.fullmatch(r"uv==[0-9.]+ \\", pins[0])
    assert sum("--hash=sha256:" in line for line in lines) > 10
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "--require-hashes --only-binary :all: -r dev/requirements-uv.txt" in makefile


@pytest.mark.parametrize("digest", ["", f"@sha256:{'ab' * 32}"])
def test_renovate_finds_every_image_with_and_without_a_digest(digest: str) -> None:
    renovate = json.loads((ROOT / "renovate.json").read_text(encoding="utf-8"))
    assert "docker:pinDigests" in renovate["extends"]
    [images] = [
        one for one in renovate["customManagers"] if ".env" in one["managerFilePatterns"][0]
    ]
    line, image = (one.replace("(?<", "(?P<") for one in images["matchStrings"])
    env = (ROOT / ".env").read_text(encoding="utf-8")
    named = re.findall(r"^(\w+_IMAGE)=([^\s:@]+):([^\s@]+)", env, re.MULTILINE)
    assert len(named) > 8
    text = "".join(f"{variable}={name}:{tag}{digest}\n" for variable, name, tag in named)
    found = [re.search(image, one[0]) for one in re.finditer(line, text)]
    assert [
        (one["depName"], one["currentValue"], one["currentDigest"] or "") for one in found if one
    ] == [(name, tag, digest.removeprefix("@")) for _, name, tag in named]
