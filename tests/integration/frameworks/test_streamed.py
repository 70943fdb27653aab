"""A streamed body has the ids and the trace of its request; a bare WSGI application has both."""

from pathlib import Path
from typing import Any

import pytest

from support import frameworks

PROGRAM = Path(__file__).with_name("streamed_answers.py")


def run(**variables: str) -> dict[str, Any]:
    return frameworks.last_line_of(PROGRAM, **variables)


@pytest.fixture(scope="module")
def answered() -> dict[str, Any]:
    return run()


@pytest.mark.parametrize("framework", ["flask", "django", "django, asgi"])
def test_a_stream_is_in_its_request(answered: dict[str, Any], framework: str) -> None:
    assert answered[framework] == "request-1 True;" * 3


def test_a_bare_wsgi_application_answers_with_the_ids_of_its_request(
    answered: dict[str, Any],
) -> None:
    assert answered["wsgi"] == "request-1 True;"
    assert answered["wsgi headers"] == [
        ["X-Request-ID", "request-1"],
        ["X-Correlation-ID", "request-1"],
    ]


def test_nothing_is_left_of_it(answered: dict[str, Any]) -> None:
    assert answered["after"] == "None False;"


def test_the_stock_distro_knows_no_ids() -> None:
    """The control."""
    stock = run(
        OTEL_PYTHON_DISTRO="distro",
        OTEL_PYTHON_CONFIGURATOR="configurator",
        # Upstream's configures empty settings before the application names its own.
        OTEL_PYTHON_DISABLED_INSTRUMENTATIONS="django",
    )
    assert stock["flask"].count("None ") == 3
    assert stock["wsgi headers"] == [["X-Request-ID", "of-the-application"]]
