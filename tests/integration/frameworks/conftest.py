"""Services of strangers under the distro: their environment, a sink, a table of what holds."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support import cells, frameworks, otlp_sink
from support.cells import Cells
from support.otlp_sink import Sink

_CELLS = pytest.StashKey[Cells]()
HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def environment() -> None:
    """The environment that the services run in."""
    frameworks.make_environment()


@pytest.fixture
def sink() -> Iterator[Sink]:
    """An OTLP receiver of one test's own."""
    with otlp_sink.running() as received:
        yield received


@pytest.fixture(scope="session")
def recorded(pytestconfig: pytest.Config) -> Cells:
    """What holds: `with recorded.checking("Flask, gunicorn", "one trace", section="Web"):`."""
    return pytestconfig.stash.setdefault(_CELLS, Cells())


@pytest.fixture(scope="session")
def write() -> bool:
    """Whether to write docs/compatibility.md instead of holding it against what was seen."""
    return os.environ.get("GLASSHOUSE_WRITE_COMPATIBILITY") == "1"


@pytest.fixture(scope="session")
def whole(pytestconfig: pytest.Config) -> bool:
    """Whether all tests of this folder run."""
    chosen = pytestconfig.getoption("keyword") or pytestconfig.getoption("lf")
    paths = [Path(argument) for argument in pytestconfig.args]
    return not chosen and all(HERE.is_relative_to(path.absolute()) for path in paths)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Hold the table against what was seen when everything was."""
    items.sort(key=lambda item: item.path == HERE / "test_table.py")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what holds for each service."""
    found = terminalreporter.config.stash.get(_CELLS, Cells())
    if found.table:
        terminalreporter.section("frameworks")
        for line in cells.summary(found.table):
            terminalreporter.write_line(line)
