"""The Collector of this checkout, compiled once."""

import shutil
from pathlib import Path

import pytest

from support import collector_process


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Collector's program."""
    if shutil.which("go") is None:
        pytest.skip("Go is not installed: the Collector cannot be compiled (go.dev/doc/install)")
    return collector_process.build(tmp_path_factory.mktemp("otelcol"))
