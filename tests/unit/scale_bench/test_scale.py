"""What `make bench-scale` sends, and what it makes of what was measured."""

import inspect
import json
import os
import socket
import threading
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from glasshouse_bench import measured
from glasshouse_bench.scale import (
    backends,
    collectors,
    command,
    fit,
    kafka,
    limits,
    measure,
    page,
    plan,
    result,
    traffic,
    wire,
)
from glasshouse_bench.scale.measure import IDLE, Key
from glasshouse_bench.scale.plan import Plan
from glasshouse_bench.scale.point import Point
from glasshouse_bench.scale.traffic import Samples
from glasshouse_cli import certificates
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import User
from glasshouse_cli.size import command as sized
from glasshouse_cli.size import factors
from glasshouse_cli.size import load as asked
from support import sizing
from support.deployed import ROOT

MIB = 2**20


def services_of(resources: Any) -> list[str]:
    return [
        attribute.value.string_value
        for one in resources
        for attribute in one.resource.attributes
        if attribute.key == "service.name"
    ]


def test_logs_come_from_as_many_services_and_none_is_a_repetition() -> None:
    requests = traffic.of("logs", 40, 10)
    sent = [ExportLogsServiceRequest.FromString(requests.request()) for _ in range(20)]
    assert Counter(len(one.resource_logs) for one in sent) == {1: 20}
    assert Counter(name for one in sent for name in services_of(one.resource_logs)) == {
        f"service-{number}": 2 for number in range(10)
    }
    records = [record for one in sent for record in one.resource_logs[0].scope_logs[0].log_records]
    assert len(records) == 800
    assert len({record.time_unix_nano for record in records}) == 800
    assert set(Counter(one.trace_id for one in records).values()) == {traffic.OF_A_TRACE}
    events = [record for record in records if record.event_name]
    ids = [one.value.string_value for e in events for one in e.attributes if "uid" in one.key]
    assert len(ids) == len(set(ids)) == 20


def test_a_gateways_batch_has_records_of_many_services() -> None:
    requests = traffic.of("logs", 100, 10, in_request=10)
    one = ExportLogsServiceRequest.FromString(requests.request())
    assert sorted(services_of(one.resource_logs)) == sorted(f"service-{n}" for n in range(10))
    assert {len(group.scope_logs[0].log_records) for group in one.resource_logs} == {10}


def test_an_attribute_has_as_many_values() -> None:
    requests = traffic.of("logs", 50, labels=120)
    values: set[str] = set()
    for _ in range(3):
        one = ExportLogsServiceRequest.FromString(requests.request())
        for record in one.resource_logs[0].scope_logs[0].log_records:
            values |= {a.value.string_value for a in record.attributes if a.key == traffic.VALUE}
    assert len(values) == 120


def test_spans_are_in_traces() -> None:
    requests = traffic.of("traces", 50, 5, in_request=5)
    spans = [
        span
        for _ in range(2)
        for group in ExportTraceServiceRequest.FromString(requests.request()).resource_spans
        for span in group.scope_spans[0].spans
    ]
    assert set(Counter(span.trace_id for span in spans).values()) == {traffic.OF_A_TRACE}
    assert len({span.span_id for span in spans}) == 100
    assert sum(not span.parent_span_id for span in spans) == 20
    parents = {span.parent_span_id for span in spans} - {b""}
    assert parents <= {span.span_id for span in spans}


@pytest.mark.parametrize(
    ("series", "services", "in_request"), [(200, 1, 1), (1000, 1, 1), (1000, 10, 1), (1000, 10, 5)]
)
def test_samples_belong_to_as_many_series_and_rise(
    series: int, services: int, in_request: int
) -> None:
    requests = Samples(50, services, series, in_request)
    found: dict[tuple[Any, ...], list[int]] = {}
    times: set[int] = set()
    for _ in range(2 * requests.turn):
        request = ExportMetricsServiceRequest.FromString(requests.request())
        for group in request.resource_metrics:
            for metric in group.scope_metrics[0].metrics:
                assert len(metric.sum.data_points) <= traffic.SERIES_OF_A_METRIC
                for point in metric.sum.data_points:
                    key = (*services_of([group]), metric.name, str(point.attributes))
                    found.setdefault(key, []).append(point.as_int)
                    times.add(point.time_unix_nano // 10**6)
    assert len(found) == series
    assert {len(values) for values in found.values()} == {2}
    assert all(first <= second for first, second in found.values())
    assert len(times) == 2 * requests.turn


@pytest.mark.parametrize("signal", plan.SIGNALS)
def test_a_request_has_as_many_records_as_it_says(signal: str) -> None:
    kinds: dict[str, Any] = {
        "logs": ExportLogsServiceRequest,
        "traces": ExportTraceServiceRequest,
        "metrics": ExportMetricsServiceRequest,
    }
    requests = traffic.of(signal, 30)
    text = str(kinds[signal].FromString(requests.request()))
    marks = {"logs": "log_records {", "traces": "spans {", "metrics": "data_points {"}
    outer = text.count(f"scope_{marks[signal]}") + text.count(f"resource_{marks[signal]}")
    inner = text.count(marks[signal]) - outer
    assert inner == requests.batch == 30


def test_every_step_of_a_plan_sends_at_its_rate() -> None:
    steps = plan.of_collectors(Plan())
    assert Counter(one.dimension for one in steps) == {"rate": 9, "services": 3, "labels": 3}
    assert {one.signal for one in steps} == set(plan.SIGNALS)
    for name, signal in plan.OF_A_BACKEND.items():
        steps = plan.of_backend(Plan(), name)
        assert {one.signal for one in steps} == {signal}
        assert [one.dimension for one in steps] == ["rate"] * 3 + ["services"] * 3 + ["labels"] * 3
        assert all(0 < one.requests.batch <= one.rate for one in steps)


def test_a_line_has_its_slope_and_no_distance() -> None:
    line = fit.line({0: 100, 1000: 300, 3000: 700, 9000: 1900})
    assert line["slope"] == pytest.approx(0.2)
    assert line["intercept"] == pytest.approx(100)
    assert line["residual"] == pytest.approx(0)
    assert (line["linear_to"], line["is_linear"]) == (9000, True)


def test_what_bends_has_a_distance_and_an_end() -> None:
    line = fit.line({0: 0, 1000: 100, 3000: 300, 9000: 3000})
    assert line["residual"] > 0.05
    assert (line["linear_to"], line["is_linear"]) == (3000, False)
    assert fit.line({1: 0.0, 2: 0.0, 3: 0.0})["residual"] == 0


def test_points_that_do_not_differ_make_no_line() -> None:
    with pytest.raises(StackError, match="take other rates"):
        fit.line({1000: 5.0})


def test_noise_about_a_flat_line_is_no_end_of_it() -> None:
    assert fit.line({1000: 39.7, 5000: 36.3, 20_000: 39.2})["is_linear"]
    assert not fit.line({1000: 39.7, 5000: 36.3, 20_000: 59.2})["is_linear"]


def test_the_median_of_rounds_counts() -> None:
    rounds = [[(10.0, 1.0), (30.0, 3.0)], [(11.0, 9.0), (31.0, 4.0)], [(12.0, 2.0), (32.0, 5.0)]]
    assert fit.medians(rounds) == {11.0: 2.0, 31.0: 4.0}


def test_a_wire_counts_what_goes_over_it_and_changes_nothing() -> None:
    got = bytearray()
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        near, _ = server.accept()
        with near:
            while chunk := near.recv(1 << 16):
                got.extend(chunk)
                near.sendall(b"a" * 7)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    sent = bytes(range(256)) * 400
    with (
        wire.relay(server.getsockname()[1]) as between,
        socket.create_connection(("127.0.0.1", between.port), timeout=60) as client,
    ):
        client.sendall(sent)
        assert client.recv(7)
        client.shutdown(socket.SHUT_WR)
        thread.join(60)
        assert not thread.is_alive()
        assert bytes(got) == sent
        assert between.sent == len(sent), "answers do not count"
    server.close()


def test_a_wire_to_nobody_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with (
        wire.relay(port) as between,
        socket.create_connection(("127.0.0.1", between.port), timeout=60) as client,
    ):
        assert client.recv(1) == b""
        assert between.sent == 0


def a_point(rate: float, us: float, mib: float) -> Point:
    return Point(
        rate=rate,
        meant=rate,
        cpu_us={"edge": us, "gateway": us / 2},
        memory_mib={"edge": mib, "gateway": mib / 2},
        received=500.0,
        sent={"edge": 120.0, "gateway": 480.0},
    )


def a_round(noise: float = 0) -> dict[Key, Point]:
    found: dict[Key, Point] = {IDLE: a_point(0, 5000 + noise, 60)}
    for signal, us in {"logs": 20, "traces": 30, "metrics": 10}.items():
        for rate in (1000, 3000, 9000):
            found["rate", signal, rate] = a_point(rate, 5000 + noise + us * rate, 60 + rate / 1000)
    for count in (1, 10, 100):
        found["services", "logs", count] = a_point(2000, 45_000 + noise + 70 * count, 62 + count)
        found["labels", "metrics", count * 200] = a_point(2000, 25_000 + noise, 62 + count)
    return found


def test_a_part_is_what_a_plan_can_be_made_of() -> None:
    document = sizing.document()
    rounds = [a_round(), a_round(3000), a_round(-3000)]
    document["parts"]["edge"] = measure.part("edge", rounds, stored={"logs": 1.5})
    document["parts"]["gateway"] = measure.part("gateway", rounds, before="edge")
    edge = document["parts"]["edge"]
    assert edge["idle"] == {"cpu_us": 5000, "memory_mib": 60}
    logs = edge["signals"]["logs"]
    assert logs["cpu_us"]["slope"] == pytest.approx(20)
    assert [one["at"] for one in logs["cpu_us"]["points"]] == [1000, 3000, 9000]
    assert logs["cpu_us"]["intercept"] == pytest.approx(5000)
    assert logs["memory_mib"]["slope"] == pytest.approx(0.001)
    assert (logs["received_bytes"], logs["sent_bytes"], logs["stored_bytes"]) == (500, 120, 1.5)
    assert edge["services"]["cpu_us"]["slope"] == pytest.approx(70)
    assert edge["series"]["signal"] == "metrics"
    gateway = document["parts"]["gateway"]["signals"]["spans"]
    assert gateway["cpu_us"]["slope"] == pytest.approx(15)
    assert (gateway["received_bytes"], gateway["sent_bytes"]) == (120, 480)
    json.dumps(document)
    found = factors._factors(Path("x"), document)  # pyright: ignore[reportPrivateUsage]
    assert found.parts["edge"].signals["logs"].cpu.slope == pytest.approx(20e-6)
    assert found.parts["edge"].signals["logs"].cpu.measured_to == 9000


def test_a_rate_that_was_not_reached_does_not_make_services_cheap() -> None:
    found = a_round()
    # A hundred services, at a quarter of the rate: a quarter of what they cost over idling.
    found["services", "logs", 100] = replace(
        a_point(500, 5000 + (45_000 + 7000 - 5000) / 4, 162), meant=2000
    )
    services = measure.part("edge", [found])["services"]
    assert services["rate"] == 2000
    assert services["cpu_us"]["slope"] == pytest.approx(70)


def test_three_processes_idle_thrice_as_much_as_one() -> None:
    part = measure.part("edge", [a_round()], processes=3, copies=3, labels="values")
    assert part["idle"] == {"cpu_us": pytest.approx(1666.7), "memory_mib": 20}
    assert "values" in part
    assert "series" not in part


def test_limits_are_those_of_the_configurations() -> None:
    found = limits.configured(ROOT)
    one = yaml.safe_load((ROOT / "collector" / "config.yaml").read_text(encoding="utf-8"))
    assert (
        found["service_records_per_second"]
        == (one["processors"]["admission"]["services"]["records_per_second"])
    )
    assert found["queues"] == 3
    assert found["queue_bytes"] == 512 * MIB
    assert found["prometheus_bytes"] == 10**10
    assert {*found, "loki_stream_bytes", "loki_stream_s"} == set(factors.LIMITS)


def test_limits_that_are_missing_are_named(tmp_path: Path) -> None:
    for name in ("collector/config.yaml", "loki/loki.yaml", "tempo/tempo.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text(encoding="utf-8"), encoding="utf-8")
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    (tmp_path / "docker-compose.yml").write_text(compose, encoding="utf-8")
    (tmp_path / "loki" / "loki.yaml").write_text("limits_config: {}\n", encoding="utf-8")
    with pytest.raises(StackError, match="not configured: 'ingestion_rate_mb'"):
        limits.configured(tmp_path)


def test_collectors_run_with_the_deployed_configurations(tmp_path: Path) -> None:
    ports = {one: 20_000 + int(one) % 10_000 for one in ("4317", "4318", "13133", "8888", "8889")}
    edge = collectors.configuration(ROOT, collectors.EDGE_FILES, tmp_path, ports)
    one = yaml.safe_load((ROOT / "collector" / "config.yaml").read_text(encoding="utf-8"))
    pipelines = one["service"]["pipelines"]
    for signal in ("logs", "traces", "metrics"):
        assert edge["service"]["pipelines"][signal] == pipelines[signal]
    queue = edge["exporters"]["otlp_bisect/loki"]
    assert queue["sending_queue"] == one["exporters"]["otlp_bisect/loki"]["sending_queue"]
    assert queue["tls"]["ca_file"] == f"{tmp_path}/gateway_authority"
    text = yaml.safe_dump(edge)
    assert "0.0.0.0" not in text  # noqa: S104 (that nobody listens there)
    assert ":4320" not in text
    gateway = collectors.configuration(ROOT, collectors.GATEWAY_FILES, tmp_path, ports)
    assert gateway["extensions"]["tenants"]["clients"] == {"edge-1": "team-a"}
    assert gateway["receivers"]["otlp"]["protocols"]["http"]["tls"]["client_ca_file"] == (
        f"{tmp_path}/edge_authority"
    )
    assert "0.0.0.0" not in yaml.safe_dump(gateway)  # noqa: S104 (the same)
    files = collectors.EDGE_TO_KAFKA_FILES
    to_kafka = collectors.configuration(ROOT, files, tmp_path, ports)
    assert to_kafka["service"]["pipelines"]["logs"]["exporters"] == [
        "event_metrics",
        "kafka_bisect",
    ]
    assert to_kafka["service"]["pipelines"]["logs"]["processors"] == pipelines["logs"]["processors"]
    assert to_kafka["exporters"]["kafka_bisect"]["producer"]["required_acks"] == "all"
    files = collectors.GATEWAY_BEHIND_KAFKA_FILES
    behind = collectors.configuration(ROOT, files, tmp_path, ports)
    queue = behind["exporters"]["otlp_bisect/loki"]["sending_queue"]
    assert queue["wait_for_result"] is True


def test_brokers_run_with_the_deployed_configuration(tmp_path: Path) -> None:
    certificates.ensure(
        tmp_path, user=User(uid=os.geteuid(), gid=os.getegid()), brokers=kafka.BROKERS
    )
    made = certificates.of(tmp_path)
    cluster = kafka.Cluster(ROOT, tmp_path / "kafka", made, tmp_path / "jars")
    cluster.place()
    addresses = cluster.brokers.split(",")
    for name, address in zip(kafka.BROKERS, addresses, strict=True):
        text = (tmp_path / "kafka" / name / "server.properties").read_text(encoding="utf-8")
        port = address.partition(":")[2]
        [advertised] = [line for line in text.splitlines() if line.startswith("advertised.")]
        assert f"CLIENTS://${{env:KAFKA_HOST}}:{port}," in advertised
        own = [line for line in text.splitlines() if not line.startswith("#")]
        assert not any(":9092" in line or ":9093" in line for line in own)
        assert "min.insync.replicas=2" in own
        assert f"log.dirs={tmp_path}/kafka/{name}/data/data" in own


@pytest.mark.parametrize("name", backends.PREPARE)
def test_backends_run_with_the_deployed_configurations(name: str, tmp_path: Path) -> None:
    made = backends.PREPARE[name](ROOT, Path("/program"), tmp_path, "http://127.0.0.1:1/write")
    held = yaml.safe_load((tmp_path / "config.yaml").read_text(encoding="utf-8"))
    given = yaml.safe_load((ROOT / name / f"{name}.yaml").read_text(encoding="utf-8"))
    same = {"loki": "limits_config", "tempo": "overrides", "prometheus": "otlp"}[name]
    assert held[same] == given[same]
    assert made.url.startswith("http://127.0.0.1:")
    text = yaml.safe_dump(held)
    assert "/var/" not in text
    assert "0.0.0.0" not in text  # noqa: S104 (that nobody listens there)
    if name == "prometheus":
        assert "--web.enable-otlp-receiver" in made.command
        assert "--enable-feature=exemplar-storage" in made.command
        assert held.keys() == {"otlp", "storage"}


def test_the_bytes_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "one").write_bytes(b"x" * 10)
    (tmp_path / "a" / "b" / "two").write_bytes(b"x" * 5)
    assert backends.bytes_below(tmp_path) == 15


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: command.scale(parts="loki,mimir"), "--parts mimir: choose of collectors, kafka"),
        (lambda: command.scale(rates="1,2"), "--rates 1,2: write at least three whole numbers"),
        (lambda: command.scale(rates="3,2,1"), "--rates 3,2,1: write them from the smallest on"),
        (lambda: command.scale(services="0,1,2"), "--services 0,1,2: write at least three whole"),
        (lambda: command.scale(labels="a,b,c"), "--labels a,b,c: write at least three whole"),
    ],
)
def test_an_option_that_means_nothing_is_named(call: Any, says: str) -> None:
    with pytest.raises(StackError, match=says):
        call()


def test_the_page_says_what_is_beyond_what_was_measured() -> None:
    found = factors._factors(Path("x"), sizing.document())  # pyright: ignore[reportPrivateUsage]
    table = page.sizes(found)
    assert table.count("**in all**") == len(page.SIZES)
    first, *_ = [line for line in table.splitlines() if line.startswith("| **1,000** |")]
    assert "| one machine; 10 services, 1 hosts | edge | 1 |" in first
    assert first.endswith("| measured |")
    assert "**extrapolated**: " in table.partition("**1,000,000**")[2]


def test_growth_says_where_it_ends() -> None:
    document = sizing.document()
    bent = fit.line({0: 0, 1000: 100, 3000: 300, 9000: 3000})
    document["parts"]["loki"]["signals"]["logs"]["cpu_us"] = bent
    text = page.growth(document)
    loki = next(line for line in text.splitlines() if line.startswith("| loki | logs a second |"))
    assert "| 0, 1,000, 3,000, 9,000 | 0.0, 0.1, 0.3, 3.0 core-ms/s |" in loki
    assert loki.endswith("| **3,000** |")
    assert "| 5,000, all that was measured |" in text


def test_a_result_is_found_and_goes_into_the_package(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="run make bench-scale first"):
        result.latest(tmp_path)
    folder = tmp_path / result.FOLDER
    folder.mkdir(parents=True)
    for name, when in (("b", "2026-01-01T00:00:00Z"), ("a", "2026-01-02T00:00:00Z")):
        (folder / f"{name}.json").write_text(json.dumps(sizing.document(measured=when)))
    (tmp_path / "dev" / "cli" / "src" / "glasshouse_cli" / "size").mkdir(parents=True)
    used = result.ship(tmp_path)
    assert used.name == "a.json"
    copied = tmp_path / "dev" / "cli" / "src" / "glasshouse_cli" / "size" / "factors.json"
    assert copied.read_bytes() == used.read_bytes()


def test_the_package_has_the_newest_result() -> None:
    newest = result.latest(ROOT)
    assert factors.FILE.read_bytes() == newest.read_bytes(), "run: make sizing"


def test_the_page_in_deploy_is_made_from_the_newest_result() -> None:
    text = (ROOT / page.PAGE).read_text(encoding="utf-8")
    assert page.rendered(ROOT, text) == text, "run: make sizing"


def test_the_bounds_of_the_page_are_the_defaults_of_the_command() -> None:
    found = factors.read()
    defaults = {
        name: parameter.default
        for name, parameter in inspect.signature(sized.size).parameters.items()
    }
    names = ("cpu_use", "memory_use", "disk_use", "process_cores", "machine_cores")
    names += ("machine_memory", "machine_disk", "kafka_retention", "replicas")
    given = {name: defaults[name] for name in names}
    assert page.bounds(found) == asked.bounds(found, **given)


def test_the_committed_result_is_whole() -> None:
    document = measured.read(result.latest(ROOT), result.KIND)
    found = factors.read(result.latest(ROOT))
    assert set(factors.NEEDED) <= found.parts.keys()
    for name, part in document["parts"].items():
        # What several processes cost together comes from another bench.
        least = 3 if name in factors.NEEDED else 2
        for held in part["signals"].values():
            assert len(held["cpu_us"]["points"]) >= least, name
