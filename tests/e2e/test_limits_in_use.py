"""The limits in the configuration files are those that the running backends use."""

import json
from typing import Any

import pytest
import yaml

from glasshouse_cli.limits import pairs
from glasshouse_cli.limits.settings import LOKI, PROMETHEUS, TEMPO, Ref, load, step
from glasshouse_cli.project import Project
from support import inside
from support.stack import Stack


@pytest.fixture(scope="module")
def in_use(project: Project, stack: Stack) -> dict[str, Any]:
    """What each program says it runs with, by the file it was configured with."""
    # The proxy does not let these through.
    network = inside.of(project, stack, "prometheus")
    answer = json.loads(network.read("http://prometheus:9090/api/v1/status/config"))
    return {
        LOKI: yaml.safe_load(network.read("http://loki:3100/config")),
        # Its first line is the request.
        TEMPO: list(yaml.safe_load_all(network.read("http://tempo:3200/status/config")))[-1],
        PROMETHEUS: yaml.safe_load(answer["data"]["yaml"]),
    }


@pytest.mark.parametrize("ref", pairs.BACKENDS, ids=lambda ref: f"{ref.file}: {ref.path[-1]}")
def test_a_backend_uses_what_its_file_says(project: Project, in_use: dict[str, Any], ref: Ref):
    setting = ref.find(load(project.root))
    used = step(in_use[ref.file], ref.path)

    assert used is not None, f"{setting} is not among what the program reports"
    if isinstance(setting.value, bool):
        assert used is setting.value
    else:
        assert ref.parse(used) == ref.parse(setting.value), f"{setting}: used is {used}"


def test_late_logs_have_streams_of_an_hour(in_use: dict[str, Any]):
    # STREAMS_PER_SERVICE counts on it: half of the age at which a chunk is full.
    assert step(in_use[LOKI], ("ingester", "max_chunk_age")) == "2h0m0s"
