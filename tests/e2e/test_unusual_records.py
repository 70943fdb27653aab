"""Records that no backend takes as they are: each kind raises its alert, which ends after it.

The stack runs the committed rules with windows and waits `support.stack.SPEED` times shorter. All
inputs but the last are sent at once; each test waits for what its own has caused.
"""

import contextlib
import io
import json
import secrets
import subprocess
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import NumberDataPoint

from support import backends, otlp
from support.otlp import Sender
from support.stack import SPEED, Stack
from support.waiting import until
from support.words import fresh

HOUR_NS = 3600 * 10**9
DAY_NS = 24 * HOUR_NS
LETTERS = "/var/lib/otelcol/dead_letter"
# The Collector's bound of one service is 20,000 records a second, saved up for 10 seconds.
MANY_POINTS = 200_000
# Tempo takes 20,000,000 bytes of one trace, of an attribute 16384.
LONG_VALUE = "x" * 16_000
SPANS_IN_A_REQUEST = 500
REQUESTS_OF_A_TRACE = 4
# The dead letters are 64 MiB. Of a label the Collector keeps 4096 bytes.
LETTER_ATTRIBUTES = 250
LETTER_VALUE = "x" * 4_000
LETTERS_FOR_THE_TICKET = 56
LETTERS_FOR_THE_PAGE = 12


class Run:
    """Names of this run, and when it began."""

    def __init__(self) -> None:
        self.id = fresh()
        self.began = datetime.now(tz=UTC)

    def service(self, what: str) -> str:
        return f"unusual-{what}-{self.id}"


def received(
    http: httpx.Client,
    stack: Stack,
    labels: Mapping[str, str],
    status: str,
    since: datetime,
) -> dict[str, Any]:
    """Wait until the receiver has an alert with these labels that began (or ended) since then."""
    when = {"firing": "startsAt", "resolved": "endsAt"}[status]

    def probe() -> tuple[dict[str, Any] | None, object]:
        groups = http.get(f"{stack.url('sandbox')}/received/alerts").json()
        alerts = [alert for group in groups for alert in group["alerts"]]
        seen = [alert for alert in alerts if alert["labels"].items() >= labels.items()]
        found = [
            alert
            for alert in seen
            if alert["status"] == status and datetime.fromisoformat(alert[when]) >= since
        ]
        return (found[-1] if found else None), seen[-3:] or active(http, stack)

    return until(probe, what=f"{dict(labels)} {status} at the receiver")


def active(http: httpx.Client, stack: Stack) -> list[dict[str, str]]:
    """Return the labels of all alerts that are pending or firing in Prometheus."""
    answer = http.get(f"{stack.url('prometheus')}/api/v1/alerts")
    return [alert["labels"] for alert in answer.raise_for_status().json()["data"]["alerts"]]


def wait_gone(http: httpx.Client, stack: Stack, *alerts: Mapping[str, str]) -> None:
    def probe() -> tuple[bool | None, object]:
        there = [
            labels
            for labels in active(http, stack)
            if any(labels.items() >= alert.items() for alert in alerts)
        ]
        return (None if there else True), there

    until(probe, what="these alerts are not active")


def point(name: str, when_ns: int, number: float | None, items: otlp.Attributes) -> dict[str, Any]:
    found: dict[str, Any] = {
        "timeUnixNano": str(when_ns),
        "attributes": otlp.attributes(items),
    }
    if number is not None:
        found["asDouble"] = number
    return {"name": name, "gauge": {"dataPoints": [found]}}


def send_empty_metrics(stack: Stack, run: Run) -> None:
    """Three points without a value and a metric without points, beside one that is whole."""
    with Sender(stack.otlp, run.service("empty"), stack.sender) as sender:
        now = time.time_ns()
        empty = [point(f"unusual.empty.{n}", now, None, {}) for n in range(3)]
        whole = otlp.gauge(f"unusual.whole.{run.id}", 1)
        sender.metrics([*empty, {"name": "unusual.nothing"}, whole])


def send_late_point(stack: Stack, run: Run) -> None:
    with Sender(stack.otlp, run.service("late"), stack.sender) as sender:
        sender.metrics([point(f"unusual.late.{run.id}", time.time_ns() - 3 * DAY_NS, 1, {})])


def send_odd_keys(stack: Stack, run: Run) -> None:
    """200 records with a key that Loki refuses."""
    with Sender(stack.otlp, run.service("keys"), stack.sender) as sender:
        sender.logs(otlp.log(f"odd key {n} {run.id}", {"сумма": n}) for n in range(200))


def send_long_trace(stack: Stack, run: Run) -> None:
    trace = secrets.token_hex(16)
    with Sender(stack.otlp, run.service("trace"), stack.sender) as sender:
        for _ in range(REQUESTS_OF_A_TRACE):
            sender.spans(
                otlp.span("long", {"unusual.text": LONG_VALUE}, trace_id=trace)
                for _ in range(SPANS_IN_A_REQUEST)
            )


def send_huge_payments(stack: Stack, run: Run) -> None:
    """Two whose sum is infinite. XXX is no currency; nothing else counts it."""
    with Sender(stack.otlp, otlp.BELIEVED, stack.sender) as sender:
        sender.logs(
            otlp.log(
                "payment submitted",
                {
                    "payment.transaction_id": f"tx_{secrets.token_hex(16)}",
                    "payment.currency": "XXX",
                    "payment.amount": 1e308,
                },
                event="payment.submitted",
            )
            for _ in range(2)
        )


def loud_request(service: str, points: int) -> bytes:
    """Points without a value: they count like any other, and are stored nowhere."""
    request = ExportMetricsServiceRequest()
    resource = request.resource_metrics.add()
    name = resource.resource.attributes.add()
    name.key, name.value.string_value = "service.name", service
    metric = resource.scope_metrics.add().metrics.add()
    metric.name = "unusual.loud"
    metric.gauge.data_points.extend(NumberDataPoint() for _ in range(points))
    return request.SerializeToString()


@contextlib.contextmanager
def over_its_bound(stack: Stack, service: str) -> Iterator[list[httpx.Response]]:
    """One service goes on sending more than it may. Yields the refusals so far."""
    many, few = loud_request(service, MANY_POINTS), loud_request(service, 1)
    end, refusals = threading.Event(), list[httpx.Response]()

    def send() -> None:
        headers = {"Content-Type": "application/x-protobuf"}
        with httpx.Client(
            base_url=stack.otlp, timeout=240, trust_env=False, headers=stack.sender
        ) as client:
            while not end.wait(0.5):
                # One request through, and the bound is used up for seconds.
                answer = client.post("/v1/metrics", content=few, headers=headers)
                if answer.status_code == httpx.codes.OK:
                    client.post("/v1/metrics", content=many, headers=headers)
                else:
                    refusals.append(answer)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield refusals
    finally:
        end.set()
        thread.join(300)


@pytest.fixture(scope="module")
def run(http: httpx.Client, stack: Stack) -> Run:
    """All inputs sent. Before that, there is an hour (a twentieth of it) to compare with."""

    def old_enough() -> tuple[bool | None, object]:
        query = f'up{{job="collector"}} offset {3600 // SPEED}s'
        found = backends.prometheus_query(http, stack.url("prometheus"), query)
        return (True if found else None), found

    until(old_enough, what="what is usual is known")
    wait_gone(http, stack, *({"alertname": name} for name, _ in CAUSED))
    started = Run()
    send_empty_metrics(stack, started)
    send_late_point(stack, started)
    send_odd_keys(stack, started)
    send_long_trace(stack, started)
    send_huge_payments(stack, started)
    return started


CAUSED = [
    ("RecordsRefused", {"signal": "metrics", "reason": "no_value", "service": "empty"}),
    ("RecordsRefused", {"signal": "metrics", "reason": "no_data", "service": "empty"}),
    ("RecordsSetAside", {"signal": "metrics", "reason": "late", "instance": "collector:8888"}),
    ("RepairsSurge", {"signal": "logs", "reason": "name", "service": "keys"}),
    ("BackendDiscarding", {"job": "tempo", "reason": "trace_too_large"}),
    ("EventValuesOutOfRange", {"family": "payments.amount"}),
]


def test_a_service_over_its_bound_is_notified_and_no_other_has_to_wait(
    http: httpx.Client, stack: Stack, run: Run
) -> None:
    began, loud = datetime.now(tz=UTC), run.service("loud")
    alert = {"alertname": "ServiceThrottled", "service": loud, "severity": "ticket"}
    with (
        over_its_bound(stack, loud) as refusals,
        Sender(stack.otlp, run.service("calm"), stack.sender) as calm,
    ):
        until(lambda: (bool(refusals) or None, refusals), what="a refusal")
        assert {answer.status_code for answer in refusals} == {httpx.codes.TOO_MANY_REQUESTS}
        assert all(int(answer.headers["Retry-After"]) >= 1 for answer in refusals)
        calm.logs([otlp.log(f"calm {run.id}")])  # raises unless it is taken
        received(http, stack, alert, "firing", began)
    ended = datetime.now(tz=UTC)

    def stored() -> tuple[bool | None, object]:
        query = f'{{service_name="{run.service("calm")}"}}'
        lines = [one["line"] for one in backends.loki_lines(http, stack.url("loki"), query)]
        return (True if lines == [f"calm {run.id}"] else None), lines

    until(stored, what="the calm service's record")
    received(http, stack, alert, "resolved", ended)


@pytest.mark.parametrize(("name", "own"), CAUSED)
def test_an_unusual_record_raises_its_alert_which_ends_after_it(
    http: httpx.Client, stack: Stack, run: Run, name: str, own: dict[str, str]
) -> None:
    labels = {"alertname": name, "severity": "ticket", "area": "pipeline", **own}
    if "service" in labels:
        labels["service"] = run.service(labels["service"])
    alert = received(http, stack, labels, "firing", run.began)
    assert alert["labels"] == labels
    page = http.get(alert["annotations"]["runbook_url"], headers=stack.operator)
    assert page.text.startswith(f"# {name}\n")
    received(http, stack, labels, "resolved", run.began)


def test_what_came_with_unusual_records_is_stored(
    http: httpx.Client, stack: Stack, run: Run
) -> None:
    def metric() -> tuple[bool | None, object]:
        # Of one moment, which is some minutes ago.
        query = f"last_over_time(unusual_whole_{run.id}[1h])"
        found = backends.prometheus_query(http, stack.url("prometheus"), query)
        return (True if [one["value"] for one in found] == [1] else None), found

    def lines() -> tuple[bool | None, object]:
        query = f'{{service_name="{run.service("keys")}"}} | admission_repaired="name"'
        found = {one["line"] for one in backends.loki_lines(http, stack.url("loki"), query)}
        return (True if len(found) == 200 else None), len(found)

    until(metric, what="the point beside those without a value")
    until(lines, what="the records with odd keys")


def letters(stack: Stack) -> list[dict[str, Any]]:
    """Return the dead letters of metrics, as the Collector's volume has them."""
    container = str(stack.compose.get_container("collector").ID)
    copied = subprocess.run(
        ["docker", "cp", f"{container}:{LETTERS}/metrics.jsonl", "-"],
        capture_output=True,
        timeout=240,
        check=True,
    )
    with tarfile.open(fileobj=io.BytesIO(copied.stdout)) as archive:
        file = archive.extractfile(archive.getmembers()[0])
        assert file is not None
        return [json.loads(line) for line in file]


def test_a_late_point_is_in_the_dead_letters(stack: Stack, run: Run) -> None:
    name = f"unusual.late.{run.id}"

    def probe() -> tuple[list[dict[str, Any]] | None, object]:
        try:
            found = letters(stack)
        except (subprocess.CalledProcessError, ValueError) as error:
            return None, repr(error)  # it was written to while it was copied
        return [one for one in found if name in json.dumps(one)] or None, len(found)

    [letter] = until(probe, what="the late point's letter")
    assert (letter["reason"], letter["signal"], letter["items"]) == ("late", "metrics", 1)
    [resource] = letter["otlp"]["resourceMetrics"]
    [metric] = resource["scopeMetrics"][0]["metrics"]
    assert metric["name"] == name
    assert metric["gauge"]["dataPoints"][0]["asDouble"] == 1


def fill_dead_letters(stack: Stack, run: Run, megabytes: int) -> None:
    """Send so many points of a megabyte each that are two days old."""
    texts = {f"text.{n}": LETTER_VALUE for n in range(LETTER_ATTRIBUTES)}
    resource = {"attributes": otlp.attributes({"service.name": run.service("full")})}
    # Each is on disk before it is answered.
    with httpx.Client(
        base_url=stack.otlp, timeout=240, trust_env=False, headers=stack.sender
    ) as client:
        for _ in range(megabytes):
            late = point("unusual.full", time.time_ns() - 2 * DAY_NS, 1, texts)
            entry = {"resource": resource, "scopeMetrics": [{"metrics": [late]}]}
            client.post("/v1/metrics", json={"resourceMetrics": [entry]}).raise_for_status()


@pytest.fixture
def emptied(stack: Stack) -> Iterator[None]:
    """No dead letters afterwards."""
    yield
    remove_dead_letters(stack)


def remove_dead_letters(stack: Stack) -> None:
    """Delete them beside the Collector, whose image has no shell."""
    collector = str(stack.compose.get_container("collector").ID)
    api = str(stack.compose.get_container("api").ID)
    inspect = ["docker", "inspect", "--format={{.Config.Image}}", api]
    image = subprocess.run(inspect, capture_output=True, text=True, timeout=240, check=True)
    program = f"import pathlib; [p.unlink() for p in pathlib.Path('{LETTERS}').glob('*.jsonl')]"
    command = ["docker", "run", "--rm", "--network=none", "--user=0:0", "--entrypoint=python3"]
    command += ["--label=dev.glasshouse.part=tests", f"--volumes-from={collector}"]
    command += [image.stdout.strip(), "-c", program]
    subprocess.run(command, timeout=240, check=True)


@pytest.mark.usefixtures("emptied")
def test_dead_letters_are_reported_before_they_are_full_and_when_they_are(
    http: httpx.Client, stack: Stack, run: Run
) -> None:
    began = datetime.now(tz=UTC)
    ticket = {"alertname": "DeadLettersFilling", "severity": "ticket"}
    page = {"alertname": "DeadLettersFilling", "severity": "page"}
    fill_dead_letters(stack, run, LETTERS_FOR_THE_TICKET)
    received(http, stack, ticket, "firing", began)
    assert not [labels for labels in active(http, stack) if labels.items() >= page.items()]

    fill_dead_letters(stack, run, LETTERS_FOR_THE_PAGE)
    alert = received(http, stack, page, "firing", began)
    assert (alert["labels"]["signal"], alert["labels"]["reason"]) == ("metrics", "late")

    cleared = datetime.now(tz=UTC)
    remove_dead_letters(stack)
    received(http, stack, page, "resolved", cleared)
    # The page held the ticket back, and so its end: that is in Prometheus only.
    wait_gone(http, stack, ticket)
