"""The package says which OpenTelemetry it found and which it was tested with."""

import itertools
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from glasshouse import versions

PROJECT = Path(__file__).parents[3] / "instrumentation" / "pyproject.toml"


def required() -> dict[str, Requirement]:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    return {one.name: one for one in map(Requirement, project["dependencies"])}


def test_what_is_found_is_what_is_installed() -> None:
    assert versions.found() == {
        name: version(name) for name in ("opentelemetry-sdk", "opentelemetry-instrumentation")
    }


def test_both_ends_of_what_was_tested_may_be_installed_and_nothing_older() -> None:
    for name, text in versions.tested().items():
        oldest, newest = text.split(" to ")
        specifier = required()[name].specifier
        assert specifier.contains(oldest, prereleases=True)
        assert specifier.contains(newest, prereleases=True)
        [lowest] = [one.version for one in specifier if one.operator == ">="]
        assert Version(lowest) == Version(oldest)


def test_what_is_installed_here_was_tested() -> None:
    assert versions.warning() is None


@pytest.mark.parametrize("there", ["1.43.0", "1.45.3", "2.0.0", "no version"])
def test_a_warning_names_what_was_not_tested(monkeypatch: pytest.MonkeyPatch, there: str) -> None:
    monkeypatch.setattr(
        versions, "version_of", lambda name: there if name == "opentelemetry-sdk" else "0.66b1"
    )
    assert versions.warning() == (
        f"Not tested with opentelemetry-sdk {there} (tested with 1.44.0 to 1.45.2):"
        " watch for missing telemetry"
    )


def test_a_range_holds_for_every_package_of_the_group() -> None:
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].values()
    lines = [*project["dependencies"], *itertools.chain.from_iterable(extras)]
    group = [one for one in map(Requirement, lines) if one.name.startswith("opentelemetry-")]
    stable, contrib = versions.tested().values()
    for one in group:
        oldest, newest = (contrib if "b" in str(one.specifier) else stable).split(" to ")
        assert one.specifier.contains(oldest, prereleases=True), one
        assert one.specifier.contains(newest, prereleases=True), one
