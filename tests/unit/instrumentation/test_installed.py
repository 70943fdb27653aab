"""What is read of installed packages is what the standard library reads."""

import importlib.metadata
from pathlib import Path

import pytest

from glasshouse import installed, version


def test_every_version_is_the_one_of_the_standard_library() -> None:
    names = [one.name for one in importlib.metadata.distributions()]
    assert len(names) > 20
    for name in names:
        assert installed.version_of(name) == importlib.metadata.version(name), name


def test_what_is_not_installed_has_no_version() -> None:
    assert installed.version_of("no-such-package") is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Metadata-Version: 2.1\nname: x\nversion:  1.2.3rc1 \n\nVersion: 9\n", "1.2.3rc1"),
        ("Name: x\n\nVersion: 9\n", None),
    ],
    ids=["a header", "a description"],
)
def test_the_version_stands_among_the_headers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, wanted: str | None
) -> None:
    folder = tmp_path / "oddly_named-0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    installed.version_of.cache_clear()
    assert installed.version_of("oddly-named") == wanted


def test_every_entry_point_is_found_by_its_group() -> None:
    for group in ("console_scripts", "opentelemetry_instrumentor", "no_such_group"):
        wanted = set(importlib.metadata.entry_points(group=group))
        assert set(installed.entry_points(group=group)) == wanted
    [found] = installed.entry_points(group="opentelemetry_distro", name="glasshouse")
    assert found.value == "glasshouse.start:distro"


def test_bare_files_are_not_looked_up_in_each_distribution(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bare_app").mkdir()
    (tmp_path / "bare_app" / "__init__.py").touch()
    (tmp_path / "bare_module.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def read() -> dict[str, list[str]]:
        pytest.fail("reads two files of each distribution")

    monkeypatch.setattr(version, "packages_distributions", read)
    for name in ("bare_app:app", "bare_module:app", "not_there:app", "not_there.app:app"):
        assert version.service_version(["python", "uvicorn", name]) is None
    monkeypatch.undo()
    wanted = importlib.metadata.version("httpx")
    assert version.service_version(["python", "uvicorn", "httpx:app"]) == wanted
