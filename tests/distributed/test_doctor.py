"""The doctor past one machine: all is healthy, or it names the part that is not."""

import pytest

from glasshouse_cli.console import Terminal
from glasshouse_cli.doctor import examine
from glasshouse_cli.doctor.checks import Check
from support.distributed.whole import IS_LONG, NEIGHBOURS, Whole
from support.stack import with_variables

pytestmark = NEIGHBOURS


def rows(whole: Whole) -> dict[str, Check]:
    with with_variables(whole.variables):
        return {row.name: row for row in examine.examine(whole.checkout, Terminal(quiet=True))}


def test_a_canary_arrives_from_each_edge_at_each_backend(whole: Whole) -> None:
    found = rows(whole)
    assert {name: row.detail for name, row in found.items() if row.status == "failed"} == {}
    for edge in whole.edges:
        for signal, backend in (("logs", "Loki"), ("traces", "Tempo"), ("metrics", "Prometheus")):
            row = found[f"{signal} → {edge.name} → {backend}"]
            assert row.status == "ok"
            assert "redacted" in row.detail
        tenant = found[f"tenant of {edge.name}"]
        assert (tenant.status, tenant.detail) == (
            "ok",
            f"{edge.tenant} has it, whatever the sender claims; no other tenant sees it",
        )


@pytest.mark.skipif(not IS_LONG, reason="waits two minutes for what cannot arrive")
def test_the_part_that_fails_is_named(whole: Whole) -> None:
    whole.docker("stop", "tempo-distributor")
    try:
        found = rows(whole)
    finally:
        whole.docker("start", "tempo-distributor")
        whole.wait_healthy(["tempo-distributor"])
    failed = {name: row for name, row in found.items() if row.status == "failed"}
    # Only what goes that way, from both edges, and the container itself.
    assert failed.keys() == {
        "tempo-distributor",
        *(f"traces → {edge.name} → Tempo" for edge in whole.edges),
    }
    for name, row in failed.items():
        assert "exited, exit code" in row.detail, name
        assert row.next == "make logs-distributed PART=tempo-distributor", name
    for edge in whole.edges:
        assert "tempo-distributor: exited" in failed[f"traces → {edge.name} → Tempo"].detail
        assert found[f"logs → {edge.name} → Loki"].status == "ok"
