"""The pytest plugin of `glasshouse.testing`, as pytest finds it.

Beside the package, not in it: pytest imports this in each run of each project that has Glasshouse
installed, and whatever a test does not ask for is not to cost it the import of the SDK.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from glasshouse.testing import Telemetry


@pytest.fixture
def telemetry() -> Iterator[Telemetry]:
    """What this test's code sends: redacted spans, log records and metrics, in memory."""
    from glasshouse.testing import capture

    with capture() as captured:
        yield captured


@pytest.fixture(scope="class")
def class_telemetry() -> Iterator[Telemetry]:
    """As `telemetry`, from the first test of the class that asks for it to the last."""
    from glasshouse.testing import capture

    with capture() as captured:
        yield captured


@pytest.fixture(scope="session")
def session_telemetry() -> Iterator[Telemetry]:
    """As `telemetry`, from the first test of the session that asks for it to the last."""
    from glasshouse.testing import capture

    with capture() as captured:
        yield captured
