"""One version for all packages: read from the workspace, written into each member."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from glasshouse_cli import version
from glasshouse_cli.cli import app
from glasshouse_cli.errors import StackError


@pytest.fixture
def workspace(checkout: Path) -> Path:
    members = '[tool.uv.workspace]\nmembers = ["service"]\n'
    members += '[tool.uv.sources]\nother = { path = "dev" }\nown = { workspace = true }\n'
    (checkout / "pyproject.toml").write_text(f'[project]\nversion = "1.2.3"\n{members}')
    (checkout / "dev").mkdir(exist_ok=True)
    (checkout / "dev" / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\n')
    # A version that is not the package's stays.
    (checkout / "service" / "pyproject.toml").write_text(
        '[project]\nversion = "1.2.3"\n\n[tool.other]\nversion = "9.9"\n'
    )
    return checkout


def test_the_workspace_states_the_version(workspace: Path) -> None:
    assert version.read(workspace) == "1.2.3"


@pytest.mark.parametrize("new", ["2.0.0", "2.0.0rc1"])
def test_each_package_gets_the_new_version(workspace: Path, new: str) -> None:
    written = version.write(workspace, new)
    assert [str(path.relative_to(workspace)) for path in written] == [
        "pyproject.toml",
        "service/pyproject.toml",
        "dev/pyproject.toml",
    ]
    assert version.read(workspace) == new
    member = (workspace / "service" / "pyproject.toml").read_text()
    assert member == f'[project]\nversion = "{new}"\n\n[tool.other]\nversion = "9.9"\n'


@pytest.mark.parametrize(("new", "semantic"), [("2.0.0", "2.0.0"), ("2.0.0rc1", "2.0.0-rc1")])
def test_the_chart_gets_it_as_helm_writes_versions(
    workspace: Path, new: str, semantic: str
) -> None:
    chart = workspace / "deploy" / "chart" / "Chart.yaml"
    chart.parent.mkdir(parents=True)
    chart.write_text("apiVersion: v2\nversion: 1.2.3 # of all\nappVersion: 1.2.3\n")
    assert version.write(workspace, new)[-1] == chart
    assert chart.read_text() == (
        f"apiVersion: v2\nversion: {semantic} # of all\nappVersion: {semantic}\n"
    )


@pytest.mark.parametrize("bad", ["", "2", "v2.0.0", "2.0.0-rc1", '2.0.0"'])
def test_what_is_no_version_is_refused(workspace: Path, bad: str) -> None:
    with pytest.raises(StackError) as refused:
        version.write(workspace, bad)
    assert str(refused.value) == (
        f"{bad!r} is no version: write it as 1.2.3, or 1.2.3rc1 before it"
    )
    assert version.read(workspace) == "1.2.3"


def test_nothing_is_written_when_one_package_has_no_version(workspace: Path) -> None:
    member = workspace / "service" / "pyproject.toml"
    member.write_text("[project]\n")
    with pytest.raises(StackError, match=r"service/pyproject\.toml: no line version"):
        version.write(workspace, "2.0.0")
    assert version.read(workspace) == "1.2.3"


def test_the_command_sets_and_prints_it(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(workspace)
    assert CliRunner().invoke(app, ["version", "3.0.0"]).exit_code == 0
    # On stdout: the release workflow reads it from there.
    assert CliRunner().invoke(app, ["version"]).stdout == "3.0.0\n"
    assert version.read(workspace) == "3.0.0"
