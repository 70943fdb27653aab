"""`make demo`: after some seconds of it there is something to see everywhere."""

from collections.abc import Mapping
from typing import Any, Final

import httpx
import pytest

from glasshouse_loadgen import people
from support import backends
from support.stack import Stack
from support.waiting import until

PAYMENT: Final = {f"payment.{state}" for state in ("created", "submitted", "confirmed", "failed")}
AUTOMATION: Final = {f"automation.run.{state}" for state in ("requested", "completed")}
NOTIFICATION: Final = {f"notification.{state}" for state in ("queued", "delivered", "failed")}
# A counter of the Collector's, and the labels that must each have been seen.
COUNTED: Final[Mapping[str, tuple[str, set[str]]]] = {
    "payments_total": ("currency", {"EUR", "JPY", "USD"}),
    "automation_runs_total": ("strategy", {"rebalance", "dca", "stop_loss", "nightly_report"}),
    "notifications_total": ("channel", {"email", "sms", "push"}),
    "jobs_total": ("job_name", {"confirm_payment", "run_automation", "deliver_notification"}),
}


def test_the_run_went_as_it_should(demo: Any) -> None:
    assert demo.code == 0, demo.output + demo.errors
    assert "all faults are cleared" in demo.errors


def test_every_kind_of_event_is_in_loki(http: httpx.Client, stack: Stack, demo: Any) -> None:
    expected = PAYMENT | AUTOMATION | NOTIFICATION | {"job.finished"}
    query = 'sum by (event) (count_over_time({service_name=~"backend-.+"} | event != "" [1h]))'

    def probe() -> tuple[set[str] | None, object]:
        answer = http.get(f"{stack.url('loki')}/loki/api/v1/query", params={"query": query})
        series = answer.raise_for_status().json()["data"]["result"]
        found = {item["metric"]["event"] for item in series}
        return (found if expected <= found else None), found

    until(probe, what="every kind of event")


@pytest.mark.parametrize("metric", COUNTED)
def test_every_kind_is_counted(http: httpx.Client, stack: Stack, demo: Any, metric: str) -> None:
    label, expected = COUNTED[metric]

    def probe() -> tuple[set[str] | None, object]:
        series = backends.prometheus_query(http, stack.url("prometheus"), f"{metric} > 0")
        found = {item["labels"].get(label, "") for item in series}
        return (found if expected <= found else None), found

    until(probe, what=f"{metric} by {label}")


def test_the_sandbox_is_healthy_again(http: httpx.Client, stack: Stack, demo: Any) -> None:
    faults = http.get(f"{stack.url('sandbox')}/faults").json()
    assert {part: fault["mode"] for part, fault in faults.items()} == dict.fromkeys(faults, "none")


def test_what_the_people_wrote_arrived_and_is_stored_nowhere(
    http: httpx.Client, stack: Stack, demo: Any
) -> None:
    secrets = {
        secret
        for one in people.make_people(people.PEOPLE, seed=0)
        for secret in (one.email, one.phone, one.device, one.card, one.iban)
    }
    sandbox = stack.url("sandbox")
    outside = {
        part: http.get(f"{sandbox}/received/{part}").text for part in ("smtp", "sms", "push")
    }
    # The positive control: they were sent, and search finds them where they belong.
    assert all(any(secret in text for secret in secrets) for text in outside.values())

    # The sentinel is `test_every_kind_of_event_is_in_loki`: what they caused is stored.
    test_every_kind_of_event_is_in_loki(http, stack, demo)
    urls = {name: stack.url(name) for name in ("loki", "tempo", "prometheus")}
    # What the demo sent is not older than it; clocks may differ by some seconds.
    stored = backends.everything_in(http, urls, since=demo.began - 5) | stack.container_logs()
    leaks = {name: sum(secret in text for secret in secrets) for name, text in stored.items()}
    assert leaks == dict.fromkeys(stored, 0)
