"""A result of `make bench` with figures that are easy to reckon with."""

from typing import Any

VARIANTS = {"off": "no telemetry", "glasshouse": "glasshouse", "stock": "stock <distro>"}
SERVERS = {"h11": "h11 + asyncio", "httptools": "httptools + uvloop"}
LOADS = {"post": "POST /payments", "trivial": "trivial GET"}
# CPU µs a request by round: ratios of 0.9, 0.8, 0.5 and of 0.5, 0.4, 0.25.
US = {
    "off": (90.0, 160.0, 100.0),
    "glasshouse": (100.0, 200.0, 200.0),
    "stock": (180.0, 400.0, 400.0),
}


def line(stop_ms: float, *, garbage: float = 0.0) -> dict[str, float]:
    """What one long line did to the loop."""
    return {
        "stop_ms": stop_ms,
        "work_ms": stop_ms - garbage,
        "garbage_ms": garbage,
        "caller_ms": 0.1,
    }


def run(
    turn: int, server: str, variant: str, us: float, *, loads: dict[str, str] = LOADS
) -> dict[str, Any]:
    """What one process cost; all loads cost the same."""
    sent = {} if variant == "off" else {"spans": 200, "bytes": 50_000}
    each = {"requests": 100, "us": us, "other_threads_us": us / 10, "sent": sent}
    found = {
        "round": turn,
        "server": server,
        "variant": variant,
        "loads": {name: dict(each) for name in loads},
        "resident_mb": {"off": 100.0, "glasshouse": 112.0, "stock": 120.0}[variant] + turn,
        "start_cpu_ms": 1000.0 + turn,
    }
    if turn == 0:
        burst = 4.0 if server == "h11" else 6.0
        batches = {
            paths: [
                {"burst_ms": 10.0, "hold_ms": burst + more + one / 10, "stop_ms": 1.0}
                for one in range(3)
            ]
            for paths, more in (("known", 0), ("new", 3))
        }
        lines = {
            "words": [line(2.0), line(9.0, garbage=8.0), line(3.0)],
            "json": [line(7.5)],
        }
        found["stops"] = {
            "batch_spans": 512,
            "batches": {} if variant == "off" else batches,
            "line_bytes": 262144,
            "lines": lines,
            "machine": {"work_ms": 6.5},
        }
    return found


def document(**changes: Any) -> dict[str, Any]:
    """A whole result."""
    imported = {"median_ms": 120.0, "least_ms": 110.0, "most_ms": 130.0, "pairs": 15}
    made = {
        "schema": 1,
        "measured": "2026-01-02T03:04:05Z",
        "source": {"commit": "0123456789ab", "changed": False},
        "machine": {
            "processor": "Example 9000",
            "cores": 2,
            "memory_gib": 7.8,
            "kernel": "6.1.0",
            "python": "3.11.7",
        },
        "load_average": {"before": [0.1, 0.2, 0.3], "after": [1.0, 0.5, 0.4]},
        "versions": {name: {"fastapi": "0.165.0"} for name in VARIANTS},
        "settings": {
            "variants": VARIANTS,
            "servers": SERVERS,
            "loads": LOADS,
            "rounds": 3,
            "requests": dict.fromkeys(LOADS, 100),
            "settle_s": 1.2,
        },
        "imports": {"glasshouse": imported},
        "runs": [
            run(turn, server, variant, US[variant][turn])
            for turn in range(3)
            for server in SERVERS
            for variant in VARIANTS
        ],
    }
    return {**made, **changes}
