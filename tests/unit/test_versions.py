"""Where the former version's history is missing, the upgrade's test says why."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from glasshouse_cli import project as projects
from support import versions
from support.deployed import ROOT


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(
        ["git", "-C", str(folder), *arguments], check=True, capture_output=True, timeout=60
    )


def tree(folder: Path) -> Path:
    """A checkout that has nothing but the name of the former version."""
    file = folder / versions.FILE
    file.parent.mkdir(parents=True)
    file.write_text((ROOT / versions.FILE).read_text(encoding="ascii"), encoding="ascii")
    return folder


def missing(folder: Path, target: Path) -> versions.Missing:
    target.mkdir()
    checkout = replace(projects.load(ROOT), root=folder)
    with pytest.raises(versions.Missing) as caught:
        versions.previous(checkout, target, {})
    assert list(target.iterdir()) == []
    return caught.value


def test_what_is_no_clone_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    found = missing(tree(tmp_path / "copy"), tmp_path / "target")
    assert found.shallow is False
    assert "is no clone" in str(found)


def test_a_clone_without_its_history_can_fetch_it(tmp_path: Path) -> None:
    folder = tree(tmp_path / "clone")
    git(folder, "init", "--quiet")
    found = missing(folder, tmp_path / "target")
    assert found.shallow is True
    assert "git fetch --unshallow" in str(found)
