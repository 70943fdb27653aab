"""What promtool has to say of the committed rules, wherever it runs."""

from collections.abc import Callable
from pathlib import Path

from support.deployed import ROOT

PROMETHEUS = ROOT / "prometheus"
# Runs promtool with these arguments; returns its exit code and all that it wrote.
Run = Callable[..., tuple[int, str]]


def _files(folder: str, place: str) -> list[str]:
    return [
        f"{place}/{folder}/{path.name}" for path in sorted((PROMETHEUS / folder).glob("*.yaml"))
    ]


def assert_every_lint_passes(run: Run, place: str | Path = PROMETHEUS) -> None:
    """Check the rules. place: the path of the folder prometheus/ where promtool runs."""
    names = _files("rules", str(place))
    code, output = run("check", "rules", "--lint=all", "--lint-fatal", *names)
    assert code == 0, output
    assert output.count("SUCCESS") == len(names) > 0


def assert_every_test_passes(run: Run, place: str | Path = PROMETHEUS) -> None:
    """Run the rules' own tests. place: the path of the folder prometheus/ where promtool runs."""
    names = _files("tests", str(place))
    code, output = run("test", "rules", *names)
    assert code == 0, output
    assert output.count("SUCCESS") == len(names) > 0
