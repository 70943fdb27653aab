"""The stack ring: everything at once, as `make up` runs it."""

from collections.abc import Iterator

import pytest

from support import collector
from support.stack import PROJECT_NAME, Stack


@pytest.fixture(scope="session")
def otlp_endpoint(
    redaction: str,
    stack: Stack,
    collector_config: str,
    collector_image: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The stack's Collector, or one beside it without redaction, into the same backends."""
    if redaction == "on":
        yield stack.otlp
        return
    with collector.in_stack(
        image=collector_image,
        network=f"{PROJECT_NAME}_default",
        folder=tmp_path_factory.mktemp("unredacted"),
        config=collector.without_redaction(collector_config),
    ) as endpoint:
        yield endpoint
