"""Parts of the stack past one machine lost under load: what was accepted is not lost with them."""

import pytest

from support.chaos import report
from support.distributed import losses
from support.distributed.losses import LOSSES, Lost
from support.distributed.whole import IS_LONG, NEIGHBOURS, Whole

pytestmark = NEIGHBOURS


@pytest.mark.parametrize(
    "lost", [one for one in LOSSES if IS_LONG or one.in_short], ids=lambda lost: lost.name
)
def test_a_lost_part_costs_nothing_that_was_accepted(whole: Whole, lost: Lost) -> None:
    result = losses.run(lost, whole, lost.long_s if IS_LONG else lost.short_s)
    broken = result.broken(lost.allowed)
    if IS_LONG:
        report.note(lost.name, result, broken)
    assert broken == [], result
