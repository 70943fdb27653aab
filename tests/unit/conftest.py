"""Fixtures of the unit tests: a run goes one way of the distro, `make test-switches` each."""

import pytest

from support import switches


def pytest_configure() -> None:
    switches.apply()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what is about another way than the chosen one."""
    way = switches.chosen()
    for item in items if way else ():
        assert way is not None
        for part, reason in way.leaves_out.items():
            if part in item.nodeid:
                item.add_marker(pytest.mark.skip(reason=f"{way.name}: {reason}"))
