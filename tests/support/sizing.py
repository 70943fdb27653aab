"""A result of the bench with round figures, none of which was measured: for arithmetic by hand."""

from typing import Any

MIB = 2**20
GB = 10**9


def line(slope: float, to: float, **more: Any) -> dict[str, Any]:
    points = [{"at": 0, "value": 0.0}, {"at": to, "value": slope * to}]
    held = {"points": points, "slope": slope, "intercept": 0.0, "residual": 0.01}
    return {**held, "linear_to": to, "is_linear": True, **more}


def signal(
    us: float, *, to: float = 5000, received: float = 500, sent: float = 0, stored: float = 0
) -> dict[str, Any]:
    return {
        "cpu_us": line(us, to),
        "memory_mib": line(0.001, to),  # 1 MiB for 1,000 a second
        "received_bytes": received,
        "sent_bytes": sent,
        "stored_bytes": stored,
    }


def part(signals: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "origin": "measured",
        "processes": 1,
        "copies": 1,
        "idle": {"cpu_us": 10_000, "memory_mib": 50},
        "signals": signals,
        **changes,
    }


def growth(us: float, mib: float, to: float) -> dict[str, Any]:
    return {"signal": "logs", "rate": 2000, "cpu_us": line(us, to), "memory_mib": line(mib, to)}


def document(**changes: Any) -> dict[str, Any]:
    """Return a whole result."""
    three = {"logs": 20.0, "spans": 40.0, "metrics": 10.0}
    return {
        "schema": 1,
        "kind": "scale",
        "measured": "2026-11-28T01:00:00Z",
        "source": {"commit": "abcdef123456", "changed": False},
        "machine": {
            "processor": "A processor",
            "cores": 2,
            "memory_gib": 8,
            "kernel": "6",
            "python": "3.13",
        },
        "load_average": {"before": [0.1, 0.2, 0.3], "after": [1.0, 1.0, 1.0]},
        "versions": {"loki": "3"},
        "settings": {"process_cores": 1, "rounds": 3, "seconds": 8},
        "limits": {
            "queues": 3,
            "queue_bytes": 100 * MIB,
            "dead_letter_bytes": 20 * MIB,
            "service_records_per_second": 20_000,
            "services": 1000,
            "series": 60_000,
            "loki_bytes_per_second": 64 * MIB,
            "loki_stream_bytes": 2 * MIB,
            "loki_stream_s": 7200,
            "tempo_bytes_per_second": 64 * MIB,
            "prometheus_bytes": 10 * GB,
        },
        "parts": {
            "edge": part(
                {one: signal(us, sent=100) for one, us in three.items()},
                services=growth(100, 0.5, 100),
                series=growth(1, 0.001, 20_000),
            ),
            "gateway": part(
                {one: signal(us / 2, received=100, sent=600) for one, us in three.items()},
                services=growth(10, 0.1, 100),
            ),
            "kafka": part(
                {one: signal(5, received=100, sent=300, stored=300) for one in three},
                processes=3,
                copies=3,
            ),
            "loki": part(
                {"logs": signal(10, received=600, stored=200)}, services=growth(50, 0.2, 100)
            ),
            "tempo": part({"spans": signal(15, received=600, stored=250)}),
            "prometheus": part(
                {"metrics": signal(4, received=100, stored=2)}, series=growth(2, 0.004, 20_000)
            ),
        },
        **changes,
    }
