"""Every variable of OpenTelemetry: it holds, or the start ends with a line that names it."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glasshouse import settings
from glasshouse.distro import DEFAULTS
from glasshouse.errors import ConfigurationError
from glasshouse_fakes.certificate import create_certificate
from support import forked_starts, otlp_sink, shop_process
from support.variables import EVERYTHING, ODD, ROWS, SWITCHES, names

BAD = [
    pytest.param(name, value, id=f"{name}-{kind}")
    for name, row in ROWS.items()
    for kind, value in ODD.items()
    if kind not in row.takes
]
TAKEN = [
    *((name, ODD[kind]) for name, row in ROWS.items() for kind in sorted(row.takes)),
    *((name, value) for name, row in ROWS.items() for value in row.valid),
    *SWITCHES,
]


MINIMAL = {
    "PATH": os.environ["PATH"],
    "OTEL_PYTHON_DISTRO": "glasshouse",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
}
RESOURCES = {"logs": "Logs", "metrics": "Metrics"}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        made = create_certificate("sink")
        (Path(name) / "cert.pem").write_text(made.public, encoding="utf-8")
        (Path(name) / "key.pem").write_text(made.private, encoding="utf-8")
        yield Path(name)


def test_every_variable_of_the_sdk_has_a_row() -> None:
    """A name that a new release adds fails here until somebody says what it may hold."""
    assert names() - settings.VARIABLES.keys() == set()
    assert settings.VARIABLES.keys() == ROWS.keys()


@pytest.mark.parametrize("value", ["", " ", "\t"])
def test_an_empty_value_counts_as_unset(value: str) -> None:
    environ = dict.fromkeys(ROWS, value)
    settings.check(environ)
    settings.prepare(environ)
    assert environ == {}


@pytest.mark.parametrize(("name", "value"), BAD)
def test_a_bad_value_is_refused_with_one_line(name: str, value: str, folder: Path) -> None:
    environ = filled({**dict(ROWS[name].beside), name: value}, "http://sink:4318", folder)
    with pytest.raises(ConfigurationError) as caught:
        settings.prepare(environ)
    line = str(caught.value)
    assert line.startswith(f"{name}: ")
    assert line.isascii() or "☃" not in line
    assert len(line.splitlines()) == 1
    assert environ[name] == value


def refusal(**environ: str) -> str:
    with pytest.raises(ConfigurationError) as caught:
        settings.check(environ)
    return str(caught.value)


def test_every_value_of_the_table_is_taken(folder: Path) -> None:
    """The positive control of the test above."""
    for name, value in TAKEN:
        variables = filled({**dict(ROWS[name].beside), name: value}, "http://sink:4318", folder)
        settings.check(variables)
        settings.prepare(variables)
        # What is written is taken again, as it is.
        before = dict(variables)
        settings.prepare(variables)
        assert variables == before


def filled(variables: dict[str, str], url: str, folder: Path) -> dict[str, str]:
    return {
        name: value.replace("{url}", url).replace("{folder}", str(folder))
        for name, value in variables.items()
    }


def rounds() -> list[dict[str, str]]:
    """Each value that is taken, in as few combinations as can be: one a place in the rows."""
    found: list[dict[str, str]] = []
    for place in range(max(len(row.valid) for row in ROWS.values())):
        found.append({})
        for name, row in ROWS.items():
            if row.valid:
                found[-1] |= {**dict(row.beside), name: row.valid[place % len(row.valid)]}
    for kind, value in ODD.items():
        found.append({name: value for name, row in ROWS.items() if kind in row.takes})
    return found


@pytest.mark.slow  # two dozen starts
def test_whatever_is_taken_starts_and_all_signals_arrive(folder: Path) -> None:
    switched = [({name: value}, off) for (name, value), off in SWITCHES.items()]
    expected = [(variables, frozenset[str]()) for variables in rounds()] + switched
    with otlp_sink.running() as sink:
        cases = [
            {
                "PATH": os.environ["PATH"],
                "OTEL_PYTHON_DISTRO": "glasshouse",
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"{sink.url}/{index}",
                **filled(variables, f"{sink.url}/{index}", folder),
            }
            for index, (variables, _) in enumerate(expected)
        ]
        results = forked(cases)
        arrived: dict[int, set[str]] = {}
        for request in sink.requests:
            index, signal = request.path.strip("/").split("/", 1)
            arrived.setdefault(int(index), set()).add(signal.rpartition("v1/")[2])
    wrong = [
        (result["code"], arrived.get(index), result["stderr"][-500:], cases[index])
        for index, ((_, off), result) in enumerate(zip(expected, results, strict=True))
        if (result["code"], arrived.get(index, set())) != (0, EVERYTHING - off)
        or "Traceback" in result["stderr"]
    ]
    assert wrong == []


def forked(cases: list[dict[str, str]]) -> list[dict[str, Any]]:
    """Start each case in a fork; return exit code and standard error, in order."""
    done = subprocess.run(
        [sys.executable, forked_starts.__file__],
        input="".join(json.dumps(case) + "\n" for case in cases),
        capture_output=True,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def ended(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a program to its end by `opentelemetry-instrument`."""
    return subprocess.run(
        [shop_process.INSTRUMENT, sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def started(program: str, environment: dict[str, str]) -> list[dict[str, Any]]:
    """Run a program that is to succeed; return its console lines."""
    done = ended(program, environment)
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # Read while upstream is imported, before any distro is looked for.
        ("OTEL_PROPAGATORS", "garbage"),
        ("OTEL_PYTHON_CONTEXT", "garbage"),
        # Read while the SDK is imported.
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "garbage"),
        ("OTEL_PYTHON_TRACER_PROVIDER", "sdk_tracer_provider"),
        # Chooses what reads the rest.
        ("OTEL_PYTHON_DISTRO", "glashouse"),
        ("OTEL_PYTHON_CONFIGURATOR", "configurator"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_the_start_ends_with_exit_code_2_and_one_line(name: str, value: str) -> None:
    done = ended("print('runs')", {**MINIMAL, name: value})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"glasshouse: {name}: {value!r} ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GLASSHOUSE_BUFFER_BYTES", "much"),
        ("GLASSHOUSE_BUFFER_SECONDS", "-1"),
        ("GLASSHOUSE_HMAC_KEY", "short"),
        ("GLASSHOUSE_HMAC_KEY_FILE", "/nowhere"),
        ("GLASSHOUSE_INSTRUMENTATIONS", "garbage"),
        ("GLASSHOUSE_PROPAGATION_HOSTS", "http://orders"),
        ("GLASSHOUSE_REDACTION_DISABLE", "garbage"),
        ("GLASSHOUSE_REDACTION_OWN_KEYS", "booking_id,card_number"),
        ("GLASSHOUSE_REDACTION_POLICY", "/nowhere"),
        ("GLASSHOUSE_SERVICE_PACKAGE", "no-such-package"),
        ("LOG_FORMAT", "garbage"),
    ],
)
def test_our_own_variables_end_the_start_alike(name: str, value: str) -> None:
    done = ended("print('runs')", {**MINIMAL, name: value})
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"glasshouse: {name}: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_port_that_is_taken_ends_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        case = {
            **MINIMAL,
            "OTEL_METRICS_EXPORTER": "prometheus",
            "OTEL_EXPORTER_PROMETHEUS_HOST": "127.0.0.1",
            "OTEL_EXPORTER_PROMETHEUS_PORT": port,
        }
        [result] = forked([case])
    assert result["code"] == 2
    assert result["stderr"].startswith("glasshouse: OTEL_EXPORTER_PROMETHEUS_PORT: cannot listen")
    assert len(result["stderr"].splitlines()) == 1


def resources(sink: otlp_sink.Sink, signal: str) -> list[dict[str, str]]:
    return [
        {one["key"]: one["value"].get("stringValue", "") for one in part["resource"]["attributes"]}
        for request in sink.stored(signal)
        for part in request[f"resource{RESOURCES[signal]}"]
    ]


@pytest.mark.parametrize(
    ("named", "name"), [({}, "a,b"), ({"OTEL_SERVICE_NAME": " shop "}, "shop")]
)
def test_names_in_the_resource_attributes_hold(named: dict[str, str], name: str) -> None:
    attributes = "service.name=a%2Cb,service.instance.id=mine,service.version=1.4"
    with otlp_sink.running() as sink:
        environment = shop_process.environment(sink.url, OTEL_RESOURCE_ATTRIBUTES=attributes)
        environment.pop("OTEL_SERVICE_NAME")
        lines = started("import logging; logging.error('A line')", {**environment, **named})
    assert {line["service"] for line in lines} == {name}
    for found in (resources(sink, "logs"), resources(sink, "metrics")):
        assert {one["service.name"] for one in found} == {name}
        assert {one["service.instance.id"] for one in found} == {"mine"}
        assert {one["service.version"] for one in found} == {"1.4"}


def test_a_disabled_sdk_leaves_a_redacted_console() -> None:
    with otlp_sink.running() as sink:
        environment = shop_process.environment(sink.url, OTEL_SDK_DISABLED=" True")
        program = """
import logging
from opentelemetry import trace
with trace.get_tracer("script").start_as_current_span("step"):
    logging.error("Mail to jane@example.com", extra={"order": 5})
"""
        lines = started(program, environment)
    [line] = [one for one in lines if "Mail to" in one["message"]]
    assert line["order"] == 5
    assert line["message"].startswith("Mail to [email:")
    assert sink.requests == []


def test_other_programs_run_with_a_bad_value() -> None:
    """Only what `opentelemetry-instrument` starts is checked."""
    environment = shop_process.environment("http://127.0.0.1:9", OTEL_PROPAGATORS="garbage")
    command = [sys.executable, "-c", "print('runs')"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "runs\n", "")


def test_a_queue_is_no_smaller_than_a_batch() -> None:
    assert refusal(OTEL_BSP_MAX_QUEUE_SIZE="100") == (
        "OTEL_BSP_MAX_QUEUE_SIZE: 100 is not at least OTEL_BSP_MAX_EXPORT_BATCH_SIZE, which is 512"
    )
    assert refusal(OTEL_BLRP_MAX_EXPORT_BATCH_SIZE="16385") == (
        "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: 16385 is not at most OTEL_BLRP_MAX_QUEUE_SIZE,"
        " which is 16384"
    )
    settings.check({"OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "100"})
    settings.check({"OTEL_BSP_MAX_EXPORT_BATCH_SIZE": DEFAULTS["OTEL_BSP_MAX_QUEUE_SIZE"]})


@pytest.mark.parametrize("signal", ["TRACES", "METRICS", "LOGS"])
def test_grpc_needs_its_package_where_it_is_used(signal: str) -> None:
    name = f"OTEL_EXPORTER_OTLP_{signal}_PROTOCOL"
    assert refusal(**{name: "grpc"}).startswith(f"{name}: 'grpc' needs the package")
    settings.check({name: "grpc", f"OTEL_{signal}_EXPORTER": "none"})


def test_http_needs_a_scheme() -> None:
    name = "OTEL_EXPORTER_OTLP_ENDPOINT"
    assert refusal(**{name: "collector:4318"}).startswith(f"{name}: 'collector:4318' is not a URL")
    settings.check(
        {name: "collector:4317", "OTEL_TRACES_EXPORTER": "none"}
        | {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
    )


@pytest.mark.parametrize("value", ["-0.1", "1.1", "nan", "half", "inf"])
def test_a_ratio_is_from_0_to_1(value: str) -> None:
    ratio = {"OTEL_TRACES_SAMPLER": "TraceIdRatio", "OTEL_TRACES_SAMPLER_ARG": value}
    assert refusal(**ratio) == f"OTEL_TRACES_SAMPLER_ARG: {value!r} is not a ratio from 0 to 1"
    settings.check({**ratio, "OTEL_TRACES_SAMPLER": "always_on"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization: Bearer hunter2"),
        ("OTEL_EXPORTER_OTLP_LOGS_HEADERS", "x=hunter2%0ay"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://jane:hunter2@collector"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector?token=hunter2"),
    ],
)
def test_a_secret_is_not_shown(name: str, value: str) -> None:
    line = refusal(**{name: value})
    assert line.startswith(f"{name}: its value (not shown) is not ")
    assert "hunter2" not in line


def test_a_key_needs_its_certificate(folder: Path) -> None:
    key = {"OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY": str(folder / "key.pem")}
    assert refusal(**key).startswith("OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY: a key needs")
    certificate = {"OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE": str(folder / "cert.pem")}
    settings.check({**key, **certificate})
    assert refusal(**certificate).startswith("OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE: ")


def test_a_file_without_a_certificate_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "empty.pem"
    file.write_text("nothing", encoding="utf-8")
    line = refusal(OTEL_EXPORTER_OTLP_CERTIFICATE=str(file))
    assert line.endswith("is not a file with certificates in PEM")


@pytest.mark.parametrize("name", ["OTEL_PYTHON_EXCLUDED_URLS", "OTEL_PYTHON_FLASK_EXCLUDED_URLS"])
def test_patterns_of_instrumentations_are_compiled(name: str) -> None:
    assert refusal(**{name: "healthz,("}).startswith(f"{name}: 'healthz,(' is not a list of reg")
    settings.check({name: "healthz,.*/live"})


def test_names_of_others_are_left_alone() -> None:
    environ = {"OTEL_SOMEBODY_ELSES": " x ", "HOME": "", "GLASSHOUSE_INSTRUMENTATIONS": ""}
    before = dict(environ)
    settings.prepare(environ)
    assert environ == before


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"OTEL_SERVICE_NAME": "a", "OTEL_RESOURCE_ATTRIBUTES": "service.name=b"}, "a"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "x=1, service.name = b%2Cc "}, "b,c"),
        ({"OTEL_SERVICE_NAME": " ", "OTEL_RESOURCE_ATTRIBUTES": "service.name=b"}, "b"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=a,service.name=b"}, "b"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.names=b,=c,d"}, "unknown_service"),
        ({}, "unknown_service"),
    ],
)
def test_the_service_has_the_name_that_telemetry_has(variables: dict[str, str], name: str) -> None:
    assert settings.service_name(variables) == name


def test_an_attribute_of_the_resource_is_decoded() -> None:
    variables = {"OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=a%20b,service.instance.id2=c"}
    assert settings.resource_attribute("service.instance.id", variables) == "a b"
    assert settings.resource_attribute("service", variables) is None


def test_a_failure_of_the_sdk_becomes_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ValueError("OTEL_SPAN_LINK_COUNT_LIMIT must be\nnon-negative")
    assert str(settings.explain(error)) == (
        "OTEL_SPAN_LINK_COUNT_LIMIT: OpenTelemetry refuses it: ValueError:"
        " OTEL_SPAN_LINK_COUNT_LIMIT must be non-negative"
    )
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "prometheus")
    assert str(settings.explain(OSError("Address in use"))).startswith(
        "OTEL_EXPORTER_PROMETHEUS_PORT: cannot listen there: OSError: Address in use"
    )
    said = str(settings.explain(RuntimeError("no route to http://jane:hunter2@collector")))
    assert "hunter2" not in said
    assert "OTEL_METRICS_EXPORTER" in said
