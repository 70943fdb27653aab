"""The integration tests: the deployed configuration in front of an OTLP sink."""

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from glasshouse_cli.project import Project
from support import collector

Start = Callable[[str], AbstractContextManager[collector.Rig]]


@pytest.fixture(scope="session")
def start(
    project: Project,
    collector_image: str,
    secrets_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Start:
    """Start a Collector with the configuration given, and a sink of its own."""

    @contextlib.contextmanager
    def running(config: str) -> Iterator[collector.Rig]:
        with collector.running(
            project=project,
            image=collector_image,
            secrets=secrets_folder,
            folder=tmp_path_factory.mktemp("collector"),
            config=config,
        ) as rig:
            yield rig

    return running


@pytest.fixture(scope="session")
def rig(redaction: str, collector_config: str, start: Start) -> Iterator[collector.Rig]:
    config = collector.for_corpus(collector_config)
    if redaction == "off":
        config = collector.without_redaction(config)
    with start(config) as running:
        yield running


@pytest.fixture(scope="session")
def redacting_rig(collector_config: str, start: Start) -> Iterator[collector.Rig]:
    """A Collector of its own, for tests that count what went through."""
    with start(collector_config) as running:
        yield running
