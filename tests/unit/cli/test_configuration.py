"""The digest by which compose sees that a file which a container reads has changed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from glasshouse_cli import compose
from glasshouse_cli.project import Project

COMPOSE = """\
services:
  loki:
    volumes: [./loki/loki.yaml:/etc/loki.yaml:ro, loki-data:/var/lib/loki]
  prometheus:
    volumes: [./prometheus:/etc/prometheus:ro]
  setup:
    restart: "no"
    volumes: [./runbooks:/runbooks:ro]
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Project:
    for file, text in {
        "docker-compose.yml": COMPOSE,
        "docker-compose.mtls.yml": "services: {loki: {volumes: [./loki/tls.yaml:/tls.yaml:ro]}}",
        "loki/loki.yaml": "a: 1",
        "loki/tls.yaml": "a: 1",
        "prometheus/rules/api.yaml": "b: 1",
        "runbooks/ApiDown.md": "# ApiDown",
        "README.md": "read me",
        ".glasshouse/alertmanager/alertmanager.yaml": "c: 1",
    }.items():
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Project(root=tmp_path, settings={})


def edit(file: str) -> Callable[[Path], object]:
    return lambda root: (root / file).write_text("changed")


def move(file: str) -> Callable[[Path], object]:
    return lambda root: (root / file).rename(root / file.replace("api", "other"))


@pytest.mark.parametrize(
    ("change", "notices"),
    [
        (edit("loki/loki.yaml"), True),
        (edit("prometheus/rules/api.yaml"), True),
        (edit("prometheus/rules/new.yaml"), True),
        (move("prometheus/rules/api.yaml"), True),
        (edit(".glasshouse/alertmanager/alertmanager.yaml"), True),
        # Nobody who runs on reads these.
        (edit("runbooks/ApiDown.md"), False),
        (edit("README.md"), False),
        (edit("loki/tls.yaml"), False),
    ],
)
def test_only_what_is_read_changes_the_digest(
    checkout: Project, change: Callable[[Path], object], notices: bool
) -> None:
    before = compose.configuration(checkout)
    assert compose.configuration(checkout) == before
    change(checkout.root)
    assert (compose.configuration(checkout) != before) is notices


def test_with_mutual_tls_its_files_count(checkout: Project) -> None:
    mutual = Project(root=checkout.root, settings={"OTLP_TLS": "mutual"})
    before = compose.configuration(mutual)
    edit("loki/tls.yaml")(checkout.root)
    assert compose.configuration(mutual) != before
