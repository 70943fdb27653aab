"""The bench of sizes measures an edge and a gateway that really pass on what is sent."""

from pathlib import Path

from glasshouse_bench.scale import collectors, measure, point, traffic
from glasshouse_bench.scale import plan as planned
from glasshouse_bench.scale.plan import SIGNALS, Plan
from support.deployed import ROOT

# Few and short: what is measured is of no use, only that it is.
PLAN = Plan(rates=(60, 120, 240), services=(1, 2, 3), labels=(50, 100, 200), at=60, seconds=1)


def test_what_is_sent_goes_through_edge_and_gateway_and_is_counted(program: Path) -> None:
    with collectors.chain(ROOT, program) as target:
        point.once(target, traffic.of("logs", 50), 2)
        before = {name: one.sent for name, one in target.counters.items()}
        requests = traffic.of("logs", 50, 4)
        sent = [requests.request() for _ in range(8)]
        point.once(target, requests, 8)
        grown = {name: one.sent - before[name] for name, one in target.counters.items()}
        size = sum(map(len, sent))
        # Compressed on the way to the gateway; with what it adds to it, and not, on the way behind.
        assert 0.05 * size < grown["edge"] < 0.9 * size
        assert 0.8 * size < grown["gateway"] < 3 * size
        found = measure.points(target, planned.of_collectors(PLAN), PLAN, lambda _: None)
    for name in ("edge", "gateway"):
        part = measure.part(name, [found], before=None if name == "edge" else "edge")
        assert part["idle"]["memory_mib"] > 10
        assert list(part["signals"]) == list(SIGNALS.values())
        for signal, held in part["signals"].items():
            points = held["cpu_us"]["points"]
            assert len(points) > 1, (name, signal)
            assert all(one["value"] > 0 and one["at"] > 0 for one in points), (name, signal, points)
            assert held["received_bytes"] > 10, (name, signal)
            assert held["sent_bytes"] > 10, (name, signal)
        assert [one["at"] for one in part["services"]["cpu_us"]["points"]] == [1, 2, 3]
        assert [one["at"] for one in part["series"]["memory_mib"]["points"]] == [50, 100, 200]
