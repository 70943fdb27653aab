"""Services of strangers under the distro: their environment, a sink, a table of what holds."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from psycopg.conninfo import conninfo_to_dict

from glasshouse_cli import images
from support import cells, frameworks, job_cells, otlp_sink, postgres
from support import valkey as servers
from support.cells import Cells
from support.job_cells import Service
from support.otlp_sink import Sink
from support.together import remarks

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
def recorded(pytestconfig: pytest.Config) -> Iterator[Cells]:
    """What holds: `with recorded.checking("Flask, gunicorn", "one trace", section="Web"):`.

    What holds for each service is printed at the end.
    """
    found = Cells()
    yield found
    remarks.add(pytestconfig, "frameworks", cells.summary(found.table))


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


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a database without tables, with a password in it."""
    with contextlib.ExitStack() as stack:
        folder = postgres.programs()
        if folder is not None:
            server = stack.enter_context(postgres.installed(folder))
        else:
            image = _image(request, "postgres", "POSTGRES_IMAGE")
            server = stack.enter_context(postgres.contained(image))
        parts = conninfo_to_dict(postgres.new_database(server).conninfo())
        place = urlencode({"host": parts["host"], "port": parts.get("port", 5432)})
        yield f"postgresql://backend:{job_cells.PASSWORD}@/{parts['dbname']}?{place}"


@pytest.fixture(scope="session")
def valkey(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a Valkey or Redis server, with a password in it."""
    program = servers.program()
    if program is not None:
        with servers.installed(program) as address:
            yield address
        return
    with servers.contained(_image(request, "valkey", "VALKEY_IMAGE")) as address:
        yield address


@pytest.fixture(scope="session")
def service() -> Iterator[Service]:
    """A service that the examples of clients call."""
    with job_cells.serving() as service:
        yield service


def _image(request: pytest.FixtureRequest, name: str, variable: str) -> str:
    request.getfixturevalue("docker")
    checkout = request.getfixturevalue("project")
    return images.resolve([name], checkout=checkout)[variable]
