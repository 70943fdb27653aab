"""The Collector ring: the deployed configuration in front of an OTLP sink."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from glasshouse_stack.project import Project
from support import collector


@pytest.fixture(scope="session")
def collector_config(project: Project) -> str:
    return (project.root / "collector" / "config.yaml").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def rig(
    redaction: str,
    collector_config: str,
    project: Project,
    collector_image: str,
    secrets_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[collector.Rig]:
    config = collector_config
    if redaction == "off":
        config = collector.without_redaction(config)
    with collector.running(
        project=project,
        image=collector_image,
        secrets=secrets_folder,
        folder=tmp_path_factory.mktemp(f"collector-{redaction}"),
        config=config,
    ) as running:
        yield running


@pytest.fixture(scope="session")
def redacting_rig(
    collector_config: str,
    project: Project,
    collector_image: str,
    secrets_folder: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[collector.Rig]:
    """A Collector of its own, for tests that count what went through."""
    with collector.running(
        project=project,
        image=collector_image,
        secrets=secrets_folder,
        folder=tmp_path_factory.mktemp("collector"),
        config=collector_config,
    ) as running:
        yield running
