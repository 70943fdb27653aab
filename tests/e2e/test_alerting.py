"""An alert's way: Prometheus fires it, Alertmanager routes it, the sandbox receives it."""

from typing import Any

import httpx

from support.stack import Stack
from support.waiting import until


def test_the_watchdog_reaches_the_receiver(http: httpx.Client, stack: Stack) -> None:
    def probe() -> tuple[dict[str, Any] | None, object]:
        groups = http.get(f"{stack.url('sandbox')}/received/alerts").json()
        alerts = [alert for group in groups for alert in group["alerts"]]
        found = [alert for alert in alerts if alert["labels"]["alertname"] == "Watchdog"]
        return (found[0] if found else None), groups

    alert = until(probe, what="Watchdog in the sandbox")
    assert alert["status"] == "firing"
    assert alert["labels"] == {"alertname": "Watchdog", "severity": "none", "area": "pipeline"}
    # The links lead to this stack, whatever its ports are.
    notes = alert["annotations"]
    assert notes["runbook_url"] == f"{stack.address('prometheus')}/user/Watchdog.md"
    assert notes["dashboard"] == f"http://127.0.0.1:{stack.ports['GRAFANA_PORT']}/d/start"
    assert http.get(notes["runbook_url"], headers=stack.operator).text.startswith("# Watchdog\n")
