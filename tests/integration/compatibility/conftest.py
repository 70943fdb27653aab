"""The compatibility tests: the Collector and the three backends, and what became of each row."""

import os
from collections.abc import Callable, Iterator

import httpx
import pytest

from glasshouse_cli.project import Project
from support.oddities import harness as harnesses
from support.oddities import report, trial
from support.oddities.counters import Counters
from support.oddities.harness import Harness, Outcome
from support.oddities.neighbour import Neighbour
from support.oddities.table import all_rows

FOUND_WITHIN_S = 240


# Of the package, not of the session: its containers end with it.
@pytest.fixture(scope="package")
def harness(
    project: Project,
    docker: None,
    http: httpx.Client,
    collector_config: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Harness]:
    state = tmp_path_factory.mktemp("compatibility")
    with harnesses.start(project, state, http, collector_config) as started:
        yield started


@pytest.fixture(scope="session")
def report_line(remark: Callable[[str, str], None]) -> Callable[[str], None]:
    """Print a line at the end of the run, whether or not it has failed."""
    return lambda line: remark("compatibility", line)


@pytest.fixture(scope="package")
def outcome(harness: Harness, project: Project, report_line: Callable[[str], None]) -> Outcome:
    """Send every row, one after the other, with a neighbour beside them; judge each."""
    run = trial.new_run()
    neighbour = Neighbour(harness.stack.otlp, f"neighbour-{run}", harness.stack.sender)
    counters = Counters(harness.own, neighbour.service)
    with neighbour, counters, harness.sender() as sender:
        sent = trial.send(all_rows(), sender, run, counters)
    verdicts = harness.looking.verdicts(sent, run, FOUND_WITHIN_S)
    reports = project.root / "reports"
    reports.mkdir(exist_ok=True)
    (reports / "compatibility.jsonl").write_text(report.dump(verdicts), encoding="utf-8")
    for line in report.summary(verdicts):
        report_line(line)
    return Outcome(verdicts=verdicts, neighbour=neighbour)


@pytest.fixture(scope="session")
def write() -> bool:
    """Whether to write docs/compatibility.md instead of holding it against what was seen."""
    return os.environ.get("GLASSHOUSE_WRITE_COMPATIBILITY") == "1"
