"""What the Collector sends to."""

from collections.abc import Iterator

import pytest

from support import otlp_sink


@pytest.fixture
def sink() -> Iterator[otlp_sink.Sink]:
    """A receiver that stands for every backend."""
    with otlp_sink.running() as sink:
        yield sink
