"""The console shows a record once, whoever else writes it there."""

import io
import logging
import sys
from collections.abc import Iterator

import pytest

from glasshouse.capture.consoles import written_twice

RECORD = logging.makeLogRecord({"name": "shop.orders", "levelno": logging.WARNING})


@pytest.fixture
def shop() -> Iterator[logging.Logger]:
    logger = logging.getLogger("shop")
    yield logger
    logger.handlers, logger.propagate = [], True


@pytest.mark.parametrize(
    ("handler", "level", "expected"),
    [
        (lambda: logging.StreamHandler(sys.stdout), logging.INFO, True),
        (lambda: logging.StreamHandler(sys.stderr), logging.WARNING, True),
        (lambda: logging.StreamHandler(sys.stderr), logging.ERROR, False),
        (lambda: logging.StreamHandler(io.StringIO()), logging.INFO, False),
        (logging.NullHandler, logging.INFO, False),
    ],
)
def test_a_handler_on_the_way_to_root_counts_if_it_writes_there(
    shop: logging.Logger, handler: type[logging.Handler], level: int, expected: bool
) -> None:
    own = logging.StreamHandler(sys.stdout)
    added = handler()
    added.setLevel(level)
    shop.handlers = [added, own]
    assert written_twice(own, RECORD) is expected


def test_a_handler_that_the_record_does_not_reach_does_not_count(shop: logging.Logger) -> None:
    own = logging.StreamHandler(sys.stdout)
    shop.addHandler(logging.StreamHandler(sys.stdout))
    child = logging.getLogger("shop.orders")
    child.propagate = False
    try:
        assert not written_twice(own, RECORD)
    finally:
        child.propagate = True
    # Nor does it write twice what its own handler does not get.
    assert not written_twice(own, RECORD)
    shop.addHandler(own)
    assert written_twice(own, RECORD)


def test_what_others_cannot_write_is_not_there_twice(shop: logging.Logger) -> None:
    own = logging.StreamHandler(sys.stdout)
    shop.handlers = [logging.StreamHandler(sys.stdout), own]
    odd = logging.makeLogRecord({"name": "shop", "levelno": 30, "msg": "%d", "args": ("x",)})
    assert not written_twice(own, odd)
