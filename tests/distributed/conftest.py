"""Brokers, edges and gateways that the tests of this folder share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from support import otlp_sink
from support.behind_kafka import GATEWAYS, TENANTS, Estate


@pytest.fixture(scope="session")
def estate(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """Three brokers that run, with the topics and rights of two edges and two gateways."""
    folder = tmp_path_factory.mktemp("kafka")
    with otlp_sink.running() as sink:
        estate = Estate(program, folder, sink)
        with estate.kafka.running():
            estate.kafka.make_topics(TENANTS, GATEWAYS)
            yield estate
