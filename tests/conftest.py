"""Fixtures of all levels. Containers are made by testcontainers and swept by label."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

# Set before testcontainers is imported: its reaper is an image that cannot always be had.
os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")
# An event that is not what the catalogue says raises, in the processes that tests start, too.
os.environ["BACKEND_STRICT_EVENTS"] = "1"

from glasshouse_cli import engine, images, secrets
from glasshouse_cli.project import Project, load
from support import collector_process
from support.stack import Stack, running
from support.together import alone, groups, remarks

_TURN = pytest.StashKey[alone.Turn]()
# Of a run in several processes, in the one that has started them.
_LOCK = pytest.StashKey[Path]()


def _is_grouped(config: pytest.Config) -> bool:
    """Whether this is one of the processes that are given groups, `--dist loadgroup`."""
    return bool(config.getoption("loadgroup", default=False))


def pytest_configure(config: pytest.Config) -> None:
    if _is_grouped(config):
        run: dict[str, Any] = getattr(config, "workerinput")  # noqa: B009 (xdist's, of a process)
        config.stash[_TURN] = alone.Turn(alone.lock_of(run["testrunuid"]))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> groups.Scheduler | None:
    """Keep groups together where that is asked for: the unit tests share nothing."""
    return groups.Scheduler(config, log) if config.getoption("dist") == "loadgroup" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if _is_grouped(config):
        items.sort(
            key=lambda item: groups.place(
                item.nodeid, alone=item.get_closest_marker(alone.MARK) is not None
            )
        )


# Outside of all others: what a test waits for its turn is not its own time.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    turn = item.config.stash.get(_TURN, None)
    if turn is not None:
        turn.take(alone=item.get_closest_marker(alone.MARK) is not None)
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    remarks.hand_over(session.config)
    turn = session.config.stash.get(_TURN, None)
    if turn is not None:
        turn.end()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    remarks.take_over(node.config, node)
    node.config.stash[_LOCK] = alone.lock_of(node.workerinput["testrunuid"])


def pytest_unconfigure(config: pytest.Config) -> None:
    if _LOCK in config.stash:
        config.stash[_LOCK].unlink(missing_ok=True)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    remarks.write(terminalreporter)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark a test with its level, which is the folder it stands in."""
    level, *below = item.path.relative_to(Path(__file__).parent).parts
    item.add_marker(level)
    if "compatibility" in below:
        item.add_marker("compatibility")
    if level == "chaos":
        # What a fault delays is held to seconds.
        item.add_marker(alone.MARK)


@pytest.fixture(scope="session")
def remark(pytestconfig: pytest.Config) -> Callable[[str, str], None]:
    """Print a line at the end of the run: `remark("compatibility", "logs: 3 rows")`."""
    return lambda section, line: remarks.add(pytestconfig, section, [line])


@pytest.fixture(scope="session")
def project() -> Project:
    return load(Path(__file__).parent.parent)


@pytest.fixture(scope="session")
def docker(project: Project) -> None:
    engine.ensure(project)


@pytest.fixture(scope="session")
def collector_image(project: Project, docker: None) -> str:
    """The Collector's image; built when missing."""
    return images.resolve(["otelcol"], checkout=project)["COLLECTOR_IMAGE"]


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program of the Collector of this checkout, compiled once."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed: the Collector cannot be compiled (go.dev/doc/install)")
    return collector_process.build(tmp_path_factory.mktemp("otelcol"))


@pytest.fixture(scope="session")
def secrets_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Secrets of this run only."""
    state = tmp_path_factory.mktemp("state")
    secrets.ensure(state)
    return state / "secrets"


@pytest.fixture(scope="session", params=["on", "off"])
def redaction(request: pytest.FixtureRequest) -> str:
    """Whether redaction is in the pipelines: "off" is the positive control."""
    return request.param


@pytest.fixture(scope="session")
def stack(
    project: Project, docker: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """The running stack, one for all levels that need it."""
    with running(project, tmp_path_factory.mktemp("stack")) as started:
        yield started


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    # Reading everything back takes a backend on a busy machine longer than one record.
    with httpx.Client(timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="session")
def collector_config(project: Project) -> str:
    """The Collector's configuration as it is deployed."""
    return (project.root / "collector" / "config.yaml").read_text(encoding="utf-8")
