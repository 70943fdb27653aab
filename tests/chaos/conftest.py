"""What the faults of this level need."""

from pathlib import Path

import pytest

from support import collector_process


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Collector, compiled."""
    return collector_process.build(tmp_path_factory.mktemp("collector"))
