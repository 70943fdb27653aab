"""Parts of the running stack away, under load, in the short form."""

import pytest

from support.chaos import api_load, stack_faults
from support.chaos.stack_faults import FAULTS, StackFault
from support.stack import Stack


@pytest.mark.parametrize(
    "fault", [one for one in FAULTS if one.in_short], ids=lambda fault: fault.name
)
def test_a_part_away_costs_nothing_that_was_accepted(stack: Stack, fault: StackFault) -> None:
    result = stack_faults.run(fault, stack, fault.short_s)
    assert result.broken(fault.allowed) == [], result
    for kind in api_load.KINDS:
        assert result.reported[kind.name] > 0, result
