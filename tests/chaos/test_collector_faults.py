"""Each fault of the Collector, its disk and its backends, under load, in its short form.

`make chaos` has the long one, and writes docs/guarantees.md.
"""

from pathlib import Path

import pytest

from support.chaos import faults, rig
from support.chaos.faults import FAULTS, Allowed, Fault

SHORT = [one for one in FAULTS if one.in_short]


@pytest.mark.parametrize("fault", SHORT, ids=lambda fault: fault.name)
def test_a_fault_costs_no_more_than_its_row_allows(
    program: Path, tmp_path: Path, fault: Fault
) -> None:
    if fault.disk_mib is not None and not rig.has_unshare():
        pytest.skip("no private file system can be mounted here")
    result = faults.run(fault, program, tmp_path, fault.short_s)
    assert result.broken(fault.allowed) == [], result


def test_the_plain_storage_loses_what_a_second_kill_meets(program: Path, tmp_path: Path) -> None:
    """The control: what is claimed above to be kept is lost without durable_storage."""
    fault = faults.BY_NAME["collector-killed-in-recovery"]
    result = faults.run(
        fault, program, tmp_path, fault.short_s, storage="file_storage", within_s=15
    )
    assert sum(one.lost for one in result.verdicts) > 0, result
    assert [one for one in result.broken(Allowed()) if "are lost" in one]
