"""The chart's objects, each way rendered once."""

import functools
from collections.abc import Callable
from pathlib import Path

import pytest

from support import chart_cases
from support.chart import Document
from support.kubernetes import schemas


@pytest.fixture(scope="session")
def rendered() -> Callable[[str], list[Document]]:
    """The objects of one of `chart_cases.CASES`; not to be changed."""
    return functools.cache(lambda name: chart_cases.CASES[name].rendered())


@pytest.fixture(scope="session")
def schema_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The schemas of Kubernetes and of Prometheus' operator, as kubeconform reads them."""
    folder = tmp_path_factory.mktemp("schemas")
    assert schemas.write(folder) > 300
    return folder
