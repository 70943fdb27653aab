"""No statement of the service goes through a long queue, or a large table, row by row.

By the plans, not by time: they say the same on every machine.
"""

import pytest

from backend.platform.migrate import migrate
from glasshouse_bench.dashboards import backlog
from support import postgres

pytestmark = pytest.mark.slow

ROWS = 20_000
# A step that is taken once a waiting job.
MANY = ROWS // 10


@pytest.fixture(scope="module")
def conninfo(server: str) -> str:
    settings = postgres.new_database(server)
    migrate(settings)
    made = settings.conninfo()
    backlog.fill(made, ROWS)
    return made


def test_every_statement_has_an_index_to_take(conninfo: str) -> None:
    found = backlog.measure(conninfo, ROWS, repeats=1, unwilling=True)
    assert len(found) > 50
    assert {one.name for one in found} > backlog.WHOLE.keys()
    whole = [(one.name, one.scans) for one in found if one.scans and one.name not in backlog.WHOLE]
    assert whole == []


def test_the_gauges_look_no_job_up_by_itself(conninfo: str) -> None:
    found = {one.name: one for one in backlog.measure(conninfo, ROWS, repeats=1)}
    assert found["job_gauges"].turns < MANY
    assert found["job_status"].turns < MANY


def test_what_looks_each_job_up_or_reads_a_table_whole_is_noticed(conninfo: str) -> None:
    looked_up = """
        SELECT count(event.at) FROM procrastinate_jobs AS job
        CROSS JOIN LATERAL (
            SELECT at FROM procrastinate_events WHERE job_id = job.id ORDER BY id LIMIT 1
        ) AS event
    """
    assert backlog.ask(conninfo, "looked up", looked_up).turns >= ROWS
    whole = backlog.ask(conninfo, "whole", "SELECT * FROM payments WHERE amount = 1")
    assert [scan.table for scan in whole.scans] == ["payments"]
