"""The containers that the package offers to anybody's tests."""

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import httpx
import pytest

from glasshouse.testing.containers import (
    CollectorContainer,
    ContainerError,
    LokiContainer,
    PrometheusContainer,
    StackContainers,
    TempoContainer,
)
from glasshouse.testing.containers import ports as own_ports
from glasshouse.testing.containers.base import LABEL
from glasshouse.testing.containers.stack import BACKENDS
from glasshouse.testing.otlp_json import attribute
from glasshouse.testing.polling import until
from glasshouse_cli import images
from glasshouse_cli.project import Project
from support import otlp
from support import ports as support_ports
from support.words import fresh

INSTRUMENT = Path(sys.executable).parent / "opentelemetry-instrument"
LABELS = {LABEL: "tests"}
PERSONAL = "jane.doe@example.com"


@pytest.fixture(scope="module", autouse=True)
def found_images(project: Project, docker: None) -> Iterator[None]:
    """The variables by which a stranger would name the images, too."""
    with pytest.MonkeyPatch.context() as patched:
        names = ["otelcol", "loki", "tempo", "prometheus"]
        for name, tag in images.resolve(names, checkout=project).items():
            patched.setenv(name, tag)
        yield


@pytest.fixture(scope="module")
def stack() -> Iterator[StackContainers]:
    with StackContainers(labels=LABELS) as started:
        yield started


def test_a_record_goes_through_the_whole_stack(stack: StackContainers) -> None:
    service = fresh("shop-")
    program = "\n".join(
        (
            "import logging",
            "from opentelemetry import metrics, trace",
            "with trace.get_tracer('shop').start_as_current_span('buy') as span:",
            f"    logging.getLogger('shop').warning('bought by {PERSONAL}')",
            "metrics.get_meter('shop').create_counter('shop.orders').add(3, {'kind': 'book'})",
        )
    )
    subprocess.run(
        [str(INSTRUMENT), sys.executable, "-c", program],
        env={**os.environ, **stack.environment, "OTEL_SERVICE_NAME": service},
        check=True,
        timeout=240,
    )
    [line] = stack.loki.query(f'{{service_name="{service}"}} |= "bought"')
    assert line["line"].startswith("bought by [email:")
    [found] = stack.tempo.search(f'{{resource.service.name="{service}" && name="buy"}}')
    assert line["labels"]["trace_id"] == found
    [span] = stack.tempo.trace(found)
    assert (span["name"], span["service"]) == ("buy", service)
    [series] = stack.prometheus.query(f'shop_orders_total{{service_name="{service}"}}')
    assert (series["value"], series["labels"]["kind"]) == (3.0, "book")


def test_the_collector_redacts_what_comes_from_elsewhere(stack: StackContainers) -> None:
    word = fresh("w")
    with otlp.Sender(stack.endpoint, "elsewhere") as sender:
        sender.logs([otlp.log(f"{word} for {PERSONAL}")])
    [line] = stack.loki.query(f'{{service_name="elsewhere"}} |= "{word}"')
    assert line["line"].startswith(f"{word} for [email:")


def test_a_query_that_finds_too_little_says_what_it_saw(stack: StackContainers) -> None:
    with pytest.raises(AssertionError) as failed:
        stack.loki.query('{service_name="nobody"}', deadline_s=1)
    said = str(failed.value)
    assert said.startswith('Loki has 1 for {service_name="nobody"}: not within 1 s.')
    assert said.endswith("Last seen: []")
    assert stack.loki.query('{service_name="nobody"}', at_least=0) == []
    assert stack.tempo.search('{resource.service.name="nobody"}', at_least=0) == []
    assert stack.prometheus.query('up{job="prometheus"}')
    with pytest.raises(AssertionError, match=r"Last seen: \[\{'labels': .*'value': 1\.0\}\]"):
        stack.prometheus.query('up{job="prometheus"}', at_least=99, deadline_s=1)


def test_a_wrong_query_ends_at_once_with_the_backend_s_words(stack: StackContainers) -> None:
    with pytest.raises(ValueError, match=r"400: .*parse error"):
        stack.loki.query("{")
    with pytest.raises(ValueError, match=r"400: .*(parse|syntax) error"):
        stack.tempo.search("{ nonsense")
    with pytest.raises(ValueError, match=r"400: .*parse error"):
        stack.prometheus.query("sum(")


def test_a_backend_that_is_unavailable_is_waited_for(
    stack: StackContainers, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = stack.prometheus.get_wrapped_container()
    container.pause()
    with monkeypatch.context() as patched:
        patched.setattr("glasshouse.testing.reading._TIMEOUT_S", 1.0)
        with pytest.raises(AssertionError) as failed:
            stack.prometheus.query("up", deadline_s=1)
    container.unpause()
    assert str(failed.value).startswith("Prometheus has 1 for up: not within 1 s. Last seen: ")
    assert "timed out" in str(failed.value)
    assert stack.prometheus.query('up{job="prometheus"}')


def test_nothing_runs_as_root_and_ports_are_on_loopback(stack: StackContainers) -> None:
    containers = [stack.collector, stack.loki, stack.tempo, stack.prometheus]
    for one in containers:
        shown = one.get_wrapped_container()
        shown.reload()
        assert shown.attrs["Config"]["User"] == "10001:10001"
        assert shown.attrs["HostConfig"]["CapDrop"] == ["ALL"]
        assert shown.labels[LABEL] == "tests"
        assert shown.name.startswith(f"glasshouse-tests-{one.alias}-")
        bound = [where for place in shown.ports.values() for where in place or ()]
        assert {where["HostIp"] for where in bound} == {"127.0.0.1"}
        # An engine that meets ten of them in a row gives up on somebody else's container.
        given = {int(where["HostPort"]) for where in bound}
        assert len(given) == len(one.published)
        assert given <= set(range(15_000, _given_away_from()))
    assert stack.endpoint.startswith("http://127.0.0.1:")
    assert stack.grpc_endpoint != stack.endpoint


def _given_away_from() -> int:
    kept = Path("/proc/sys/net/ipv4/ip_local_port_range")
    return int(kept.read_text(encoding="ascii").split()[0])


def test_a_port_that_somebody_takes_meanwhile_is_passed_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, socket.create_server(("", 0)) as wide:
        taken = [other.getsockname()[1], wide.getsockname()[1]]
        given = [*taken, *support_ports.free(["prometheus"]).values()]
        tries = iter(given)
        monkeypatch.setattr(own_ports, "free", lambda: next(tries))
        with PrometheusContainer(labels=LABELS) as container:
            assert container.url(9090) == f"http://127.0.0.1:{given[-1]}"
            assert httpx.get(container.url(9090) + "/-/ready", timeout=30).status_code == 200
        assert next(tries, None) is None


def test_where_each_port_is_taken_the_engine_s_words_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taken = support_ports.free(["prometheus"])["prometheus"]
    with socket.create_server(("127.0.0.1", taken)):
        monkeypatch.setattr(own_ports, "free", lambda: taken)
        container = PrometheusContainer(labels=LABELS)
        with pytest.raises(ContainerError, match=rf"(?s){container.image}: .*{taken}"):
            container.start()
    # Nothing of the tries is left, and it starts once the port is free.
    name = container._name
    engine = docker.from_env()
    assert name
    assert [one.name for one in engine.containers.list(all=True, filters={"name": name})] == []
    with container:
        [found] = engine.containers.list(filters={"name": name})
        assert found.name == name


def test_where_no_port_is_free_the_range_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    image = PrometheusContainer(labels=LABELS).image
    taken = support_ports.free(["one"])["one"]
    monkeypatch.setattr(own_ports, "FIRST", taken)
    monkeypatch.setattr(own_ports, "END", taken + 1)
    with (
        socket.create_server(("127.0.0.1", taken)),
        pytest.raises(ContainerError, match=rf"^{image}: no port from {taken} to {taken} is free"),
    ):
        PrometheusContainer(labels=LABELS)


@pytest.mark.parametrize("redaction", ["on", "off"])
def test_a_collector_alone_has_a_sink(redaction: str) -> None:
    from glasshouse.testing.containers import collector as module

    config = module.without_events()
    if redaction == "off":  # the control
        config = module.without_redaction(config)
    with CollectorContainer(labels=LABELS, config=config) as collector:
        ids = {one.get_container_id() for one in (collector, collector.sink)}
        with otlp.Sender(collector.endpoint, "alone") as sender:
            sender.logs([otlp.log(f"to {PERSONAL}", {"order": "ord-1"})])
            sender.spans([otlp.span("buy")])
            sender.metrics([otlp.gauge("orders", 7)])
        sink = collector.sink

        def arrived() -> tuple[bool | None, object]:
            state = (sink.log_records(), sink.spans(), sink.metrics())
            return all(state) or None, (state, collector.written()[-1000:])

        until(arrived, what="all three signals")
        [record], [span], [metric] = sink.log_records(), sink.spans(), sink.metrics()
        assert (PERSONAL in record["body"]["stringValue"]) is (redaction == "off")
        assert ("[email:" in record["body"]["stringValue"]) is (redaction == "on")
        assert attribute(record, "order") == "ord-1"
        assert (span["name"], metric["name"]) == ("buy", "orders")
        assert sink.stored("logs", skip=1) == []
        own = httpx.get(collector.own_metrics, timeout=30).text
        assert "otelcol_receiver_accepted_spans_total" in own
    left = {one.id for one in docker.from_env().containers.list(all=True)}
    assert ids & left == set()


def test_a_configuration_that_cannot_be_read_is_shown() -> None:
    with pytest.raises(ContainerError, match=r"(?s)has ended: .*no_such_part"):
        CollectorContainer(labels=LABELS, config="no_such_part: {}").start()


def test_with_backends_there_is_no_sink() -> None:
    nowhere: dict[str, str] = dict.fromkeys(BACKENDS, "http://127.0.0.1:1")
    collector = CollectorContainer(labels=LABELS, backends=nowhere)
    with pytest.raises(RuntimeError, match="has backends and no sink"):
        _ = collector.sink
    collector.stop()


@pytest.mark.parametrize("kind", [LokiContainer, TempoContainer, PrometheusContainer])
def test_an_image_that_there_is_not_names_the_variable(
    kind: type[LokiContainer | TempoContainer | PrometheusContainer],
) -> None:
    with pytest.raises(ContainerError) as failed:
        kind("glasshouse-tests.invalid/none:0").start()
    said = str(failed.value)
    assert said.startswith("glasshouse-tests.invalid/none:0: ")
    assert said.endswith(
        f"Set {kind.variable}, or pass image=…, to one that the engine has or can pull"
    )


def test_without_an_engine_the_error_is_one_line() -> None:
    program = (
        "from glasshouse.testing.containers import ContainerError, LokiContainer\n"
        "try:\n    LokiContainer()\nexcept ContainerError as error:\n    print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    [line] = ran.stdout.splitlines()
    assert line.startswith("no Docker engine answers: start it, or set DOCKER_HOST (")


def test_the_readme_s_example_runs(stack: StackContainers) -> None:
    readme = Path(__file__).parents[2] / "instrumentation" / "README.md"
    [example] = re.findall(
        r"```python\n(from glasshouse.testing.containers .*?)```",
        readme.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    program = "\n".join(
        (
            "import logging",
            "from opentelemetry import metrics, trace",
            "with trace.get_tracer('shop').start_as_current_span('pay'):",
            "    logging.getLogger('shop').warning('paid')",
            "metrics.get_meter('shop').create_counter('payments').add(1)",
        )
    )

    def run_service(environment: dict[str, str]) -> None:
        subprocess.run(
            [str(INSTRUMENT), sys.executable, "-c", program],
            env={**os.environ, **environment, "OTEL_SERVICE_NAME": "shop"},
            check=True,
            timeout=240,
        )

    def running() -> contextlib.nullcontext[StackContainers]:
        return contextlib.nullcontext(stack)

    shown = example.replace("from glasshouse.testing.containers import StackContainers", "")
    assert shown != example
    found = {"StackContainers": running, "run_service": run_service}
    exec(shown, found)  # noqa: S102 (our own page)
    assert found["line"]["line"] == "paid"  # pyright: ignore[reportIndexIssue]
    assert found["series"]["value"] == 1.0  # pyright: ignore[reportIndexIssue]
