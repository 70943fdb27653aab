"""What the tests of this folder share: the whole stack past one machine, and parts of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from glasshouse_cli.project import Project
from support import otlp_sink
from support.behind_kafka import GATEWAYS, TENANTS, Estate
from support.distributed import whole as wholes
from support.distributed.whole import Whole
from support.stack import PROJECT_NAME


@pytest.fixture(scope="session")
def whole(
    project: Project, docker: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Whole]:
    """The running stack, from deploy/compose.distributed.yaml."""
    state = tmp_path_factory.mktemp("distributed")
    with wholes.running(project.root, state, name=PROJECT_NAME) as started:
        yield started


@pytest.fixture(scope="session")
def estate(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """Three brokers that run, with the topics and rights of two edges and two gateways."""
    folder = tmp_path_factory.mktemp("kafka")
    with otlp_sink.running() as sink:
        estate = Estate(program, folder, sink)
        with estate.kafka.running():
            estate.kafka.make_topics(TENANTS, GATEWAYS)
            yield estate
