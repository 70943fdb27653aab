"""The command `glasshouse`: its own subcommands, and those of other packages."""

import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer

from glasshouse import command
from glasshouse_cli.cli import app
from glasshouse_cli.commands import SUMMARIES

SCRIPT = Path(sys.executable).parent / "glasshouse"


class Others:
    """Subcommands of another package."""

    def __init__(self) -> None:
        self.summaries = {"fly": "Fly 100 % higher.", "check": "Not ours."}
        self.given: list[Sequence[str]] = []

    def run(self, arguments: Sequence[str]) -> int:
        self.given.append(arguments)
        return 7


OTHERS = Others()


class Interrupted(Others):
    def __init__(self) -> None:
        super().__init__()
        self.summaries = {"wait": "Wait."}

    def run(self, arguments: Sequence[str]) -> int:
        raise KeyboardInterrupt


INTERRUPTED = Interrupted()


@pytest.fixture
def entries(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    found: list[EntryPoint] = []
    monkeypatch.setitem(sys.modules, "other_package", sys.modules[__name__])
    monkeypatch.setattr(metadata, "entry_points", lambda *, group: found if group else [])
    return found


def entry(value: str) -> EntryPoint:
    return EntryPoint(value.partition(":")[0], value, command.GROUP)


@pytest.mark.parametrize("start", [[str(SCRIPT)], [sys.executable, "-m", "glasshouse"]])
def test_help_lists_all_subcommands(start: list[str]) -> None:
    ran = subprocess.run([*start, "--help"], capture_output=True, text=True, timeout=60, check=True)
    listed = [line.split()[0] for line in ran.stdout.splitlines() if line.startswith("    ")]
    assert {"check", *SUMMARIES} <= set(listed)
    assert ran.stderr == ""
    again = subprocess.run(start, capture_output=True, text=True, timeout=60, check=True)
    assert again.stdout == ran.stdout


def test_the_operator_s_lines_are_those_of_its_command() -> None:
    there = typer.main.get_command(app)
    commands = getattr(there, "commands")  # noqa: B009 (typer says less of it than it is)
    lines = {
        name: " ".join((one.help or "").split("\n")[0].split()) for name, one in commands.items()
    }
    assert dict(SUMMARIES) == lines


def test_an_operator_s_subcommand_runs_in_its_own_package() -> None:
    ran = subprocess.run(
        [str(SCRIPT), "dead-letters", "--help"], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0
    assert "glasshouse dead-letters" in ran.stdout
    assert "--replay" in ran.stdout


def test_help_imports_nothing_of_others(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom glasshouse.command import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "sys.exit(', '.join({'typer', 'rich', 'requests', 'opentelemetry.sdk.trace.export'}"
        " & set(sys.modules)) or 0)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert (ran.returncode, ran.stderr) == (0, "")


def test_arguments_go_to_the_other_package_as_they_are(entries: list[EntryPoint]) -> None:
    entries.append(entry("other_package:OTHERS"))
    OTHERS.given.clear()
    assert command.main(["fly", "--help", "-x", "--", "a b"]) == 7
    assert OTHERS.given == [["fly", "--help", "-x", "--", "a b"]]


def test_another_package_cannot_take_a_name_of_ours(
    entries: list[EntryPoint], capsys: pytest.CaptureFixture[str]
) -> None:
    entries.append(entry("other_package:OTHERS"))
    OTHERS.given.clear()
    with pytest.raises(SystemExit):
        command.main(["check", "--help"])
    assert OTHERS.given == []
    assert "usage: glasshouse check" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("not_there:X", "ModuleNotFoundError: No module named 'not_there'"),
        ("other_package:NOTHING", "AttributeError: "),
        ("other_package:SCRIPT", "AttributeError: "),
    ],
)
def test_a_package_that_cannot_be_loaded_is_named_and_no_more(
    entries: list[EntryPoint], capsys: pytest.CaptureFixture[str], value: str, why: str
) -> None:
    entries += [entry(value), entry("other_package:OTHERS")]
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    out = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert "fly Fly 100 % higher." in out
    assert f"cannot be loaded: {value.partition(':')[0]} ({value}): {why}" in out


def test_an_unknown_subcommand_is_refused(
    entries: list[EntryPoint], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["chek"])
    assert ended.value.code == 2
    assert "invalid choice: 'chek'" in capsys.readouterr().err


def test_an_interrupt_ends_without_a_traceback(entries: list[EntryPoint]) -> None:
    entries.append(entry("other_package:INTERRUPTED"))
    assert command.main(["wait"]) == 130


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == metadata.version("glasshouse") + "\n"
