"""An alert's way: Prometheus fires it, Alertmanager routes it, the sandbox receives it."""

from typing import Any

import httpx
import pytest

from support.stack import Stack
from support.waiting import until

pytestmark = pytest.mark.stack


def test_the_watchdog_reaches_the_receiver(http: httpx.Client, stack: Stack) -> None:
    def probe() -> tuple[dict[str, Any] | None, object]:
        groups = http.get(f"{stack.url('sandbox')}/received/alerts").json()
        alerts = [alert for group in groups for alert in group["alerts"]]
        found = [alert for alert in alerts if alert["labels"]["alertname"] == "Watchdog"]
        return (found[0] if found else None), groups

    alert = until(probe, what="Watchdog in the sandbox", deadline_s=60)
    assert alert["status"] == "firing"
    assert alert["annotations"]["summary"]
