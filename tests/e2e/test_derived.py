"""Derived metrics as Prometheus sees them."""

import contextlib
import secrets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import yaml
from testcontainers.core.container import DockerContainer

from glasshouse_cli import images
from glasshouse_cli.project import Project
from support import backends, collector, otlp, published
from support.stack import PROJECT_NAME, Stack
from support.waiting import until

# Where both Collectors are, and ports can be published.
NETWORK = f"{PROJECT_NAME}_published"


def send_payments(endpoint: str, stack: Stack, state: str, currency: str, count: int = 1) -> None:
    event = f"payment.{state}"
    with closing(otlp.Sender(endpoint, otlp.BELIEVED, stack.sender)) as sender:
        sender.logs(
            otlp.log("Payment", {"payment.currency": currency}, event=event) for _ in range(count)
        )


def test_the_first_failure_in_a_currency_is_an_increase(http: httpx.Client, stack: Stack) -> None:
    send_payments(stack.otlp, stack, "failed", "XXA")
    series = '{state="failed",currency="XXA"}'

    def probe() -> tuple[list[float] | None, object]:
        found = backends.prometheus_query(
            http, stack.url("prometheus"), f"increase(payments_total{series}[1m])"
        )
        values = [item["value"] for item in found if item["value"] > 0]
        return (values or None), found

    [increase] = until(probe, what="increase() sees the first failure")
    # Prometheus extrapolates to the whole minute; without the 0 before it, it would be none.
    assert increase >= 1


def test_two_collectors_side_by_side_keep_their_own_series(
    http: httpx.Client,
    stack: Stack,
    project: Project,
    collector_image: str,
    collector_config: str,
    tmp_path: Path,
) -> None:
    currency, name = "XX" + secrets.choice("BCDEFG"), f"{PROJECT_NAME}-second"
    config = collector.without_redaction(collector_config)
    with (
        collector.in_stack(
            image=collector_image, project=PROJECT_NAME, folder=tmp_path, config=config, name=name
        ) as second,
        _prometheus(project, tmp_path, ["collector:8889", f"{name}:8889"]) as prometheus,
    ):
        send_payments(stack.otlp, stack, "created", currency, 3)
        send_payments(second, stack, "created", currency, 4)

        def probe() -> tuple[dict[str, float] | None, object]:
            query = f'payments_total{{currency="{currency}",state="created"}}'
            try:
                found = backends.prometheus_query(http, prometheus, query)
            except httpx.HTTPError as error:
                return None, repr(error)
            counted = {item["labels"]["instance"]: item["value"] for item in found}
            return (counted if sum(counted.values()) >= 7 else None), counted

        counted = until(probe, what="both Collectors have counted")
    assert counted == {"collector:8889": 3, f"{name}:8889": 4}


@contextlib.contextmanager
def _prometheus(project: Project, folder: Path, targets: list[str]) -> Iterator[str]:
    """Run one more Prometheus with the scrape of derived metrics as it is deployed."""
    text = (project.root / "prometheus" / "prometheus.yaml").read_text(encoding="utf-8")
    [scrape] = [s for s in yaml.safe_load(text)["scrape_configs"] if s["job_name"] == "derived"]
    scrape["static_configs"] = [{"targets": targets}]
    config = folder / "prometheus.yaml"
    config.write_text(yaml.safe_dump({"scrape_configs": [scrape]}), encoding="utf-8")
    image = images.resolve(["prometheus"], checkout=project)["PROMETHEUS_IMAGE"]
    container = (
        DockerContainer(image, read_only=True, labels=collector.LABEL)
        .with_kwargs(network=NETWORK)
        .with_tmpfs_mount("/data")
        .with_command("--config.file=/etc/prometheus.yaml --storage.tsdb.path=/data")
        .with_volume_mapping(str(config), "/etc/prometheus.yaml", "ro")
    )
    port = published.on_loopback(container, 9090)
    folder.chmod(0o755)
    with container:
        yield f"http://127.0.0.1:{port}"


def test_a_delay_leads_to_its_trace(http: httpx.Client, stack: Stack) -> None:
    trace = secrets.token_hex(16)
    record = otlp.log(
        "Payment confirmed",
        {"payment.currency": "GBP", "payment.confirmation_delay": 42.5},
        event="payment.confirmed",
    )
    with closing(otlp.Sender(stack.otlp, otlp.BELIEVED, stack.sender)) as sender:
        sender.spans([otlp.span("payment", trace_id=trace)])
        sender.logs([record | {"traceId": trace, "spanId": secrets.token_hex(8)}])
    params = {
        "query": 'payment_confirmation_delay_seconds_bucket{currency="GBP"}',
        "start": "0",
        "end": "9999999999",
    }

    def probe() -> tuple[str | None, object]:
        answer = http.get(f"{stack.url('prometheus')}/api/v1/query_exemplars", params=params)
        found = [one for series in answer.json()["data"] for one in series["exemplars"]]
        ours = [one for one in found if float(one["value"]) == 42.5]
        return (ours[0]["labels"]["trace_id"] if ours else None), found

    assert until(probe, what="Prometheus has the exemplar") == trace

    def spans() -> tuple[list[str] | None, object]:
        names = [span["name"] for span in backends.tempo_spans(http, stack.url("tempo"), trace)]
        return (names or None), names

    assert until(spans, what="Tempo has the trace") == ["payment"]
