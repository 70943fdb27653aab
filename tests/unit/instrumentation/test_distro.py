"""Which instrumentations run, which do not, and what the start-up line says of both."""

import importlib.util
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import EntryPoint
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.instrumentation.dependencies import DependencyConflict

from glasshouse import distro, versions
from glasshouse.distro import DEFAULTS, GlasshouseDistro, check_allowed, chosen, why_off
from glasshouse.errors import ConfigurationError
from support import shop_process

VARIABLE = "GLASSHOUSE_INSTRUMENTATIONS"


class Found:
    """The instrumentations and libraries of an environment that a test makes up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._entries: list[EntryPoint] = []
        self._versions: dict[str, str] = {}
        self._conflicts: dict[str, DependencyConflict] = {}
        monkeypatch.setattr(distro, "entry_points", self._find)
        monkeypatch.setattr(distro, "version_of", self._version)
        monkeypatch.setattr(distro, "get_dist_dependency_conflicts", self._conflict)

    def add(
        self, name: str, value: str = "no:thing", *, dist: str = "", conflict: Any = None
    ) -> EntryPoint:
        if dist == "glasshouse":
            value = f"glasshouse.{value}"
        entry = EntryPoint(name, value, "opentelemetry_instrumentor")
        made = SimpleNamespace(name=dist or f"opentelemetry-instrumentation-{name}", requires=())
        vars(entry)["dist"] = made
        self._entries.append(entry)
        if conflict is not None:
            self._conflicts[made.name] = conflict
        return entry

    def install(self, **versions: str) -> None:
        self._versions |= {name.replace("_", "-"): found for name, found in versions.items()}

    def _find(self, *, group: str, name: str | None = None) -> list[EntryPoint]:
        return [each for each in self._entries if name in (None, each.name)]

    def _version(self, name: str) -> str | None:
        return self._versions.get(name)

    def _conflict(self, dist: Any) -> DependencyConflict | None:
        return self._conflicts.get(dist.name)


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Found:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", raising=False)
    return Found(monkeypatch)


@pytest.fixture
def made() -> Iterator[GlasshouseDistro]:
    before = [*GlasshouseDistro.active], {**GlasshouseDistro.off}
    GlasshouseDistro.active.clear()
    GlasshouseDistro.off.clear()
    yield GlasshouseDistro()
    GlasshouseDistro.active[:] = before[0]
    GlasshouseDistro.off.clear()
    GlasshouseDistro.off.update(before[1])


@pytest.mark.parametrize(
    ("value", "only", "without"),
    [
        (None, None, set[str]()),
        ("", set[str](), set[str]()),
        ("httpx, flask", {"httpx", "flask"}, set[str]()),
        ("-redis", None, {"redis"}),
        ("- redis,-urllib3", None, {"redis", "urllib3"}),
        ("httpx,-redis", {"httpx"}, {"redis"}),
    ],
)
def test_the_variable_names_those_that_run_or_those_that_do_not(
    monkeypatch: pytest.MonkeyPatch, value: str | None, only: set[str] | None, without: set[str]
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    if value is not None:
        monkeypatch.setenv(VARIABLE, value)
    assert chosen() == (only, without)


@pytest.mark.parametrize("value", ["htpx", "-htpx", "httpx,htpx"])
def test_a_name_that_nothing_provides_is_refused(
    monkeypatch: pytest.MonkeyPatch, found: Found, value: str
) -> None:
    found.add("httpx")
    monkeypatch.setenv(VARIABLE, value)
    with pytest.raises(ConfigurationError) as refused:
        check_allowed()
    said = f"{VARIABLE}: no such instrumentation: htpx; installed are httpx"
    assert str(refused.value) == said


@pytest.mark.parametrize(
    ("version", "off"), [("0.141.9", None), ("0.142.0", "FastAPI has its own")]
)
def test_fastapi_is_recorded_once(found: Found, version: str, off: str | None) -> None:
    found.install(fastapi=version)
    assert why_off(found.add("fastapi")) == off


def test_naming_it_does_not_record_it_twice(monkeypatch: pytest.MonkeyPatch, found: Found) -> None:
    found.install(fastapi="0.165.0")
    monkeypatch.setenv(VARIABLE, "fastapi")
    assert why_off(found.add("fastapi")) == "FastAPI has its own"


def test_statements_are_recorded_by_the_driver_or_by_sqlalchemy(
    monkeypatch: pytest.MonkeyPatch, found: Found
) -> None:
    entry = found.add("sqlalchemy")
    assert why_off(entry) is None
    found.add("asyncpg", conflict=DependencyConflict("asyncpg"))
    assert why_off(entry) is None
    found.add("psycopg")
    assert why_off(entry) == "its statements are recorded by psycopg"
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "httpx, psycopg")
    assert why_off(entry) is None
    monkeypatch.delenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS")
    monkeypatch.setenv(VARIABLE, "sqlalchemy")
    assert why_off(entry) is None


def test_ours_is_preferred_to_upstreams(found: Found) -> None:
    theirs = found.add("structlog")
    assert why_off(theirs) is None
    ours = found.add("structlog", dist="glasshouse")
    assert (why_off(ours), why_off(theirs)) == (None, "glasshouse has its own")


def test_requirements_are_read_once_and_not_where_the_loader_has_read_them(
    monkeypatch: pytest.MonkeyPatch, found: Found, made: GlasshouseDistro
) -> None:
    asked: list[str] = []

    def conflict(dist: Any) -> DependencyConflict | None:
        asked.append(dist.name)
        return DependencyConflict("x") if dist.name == "opentelemetry-instrumentation-b" else None

    monkeypatch.setattr(distro, "get_dist_dependency_conflicts", conflict)
    first, second, third = found.add("a"), found.add("b"), found.add("c")
    made.load_instrumentor(first, skip_dep_check=True)
    assert asked == []
    for entry in (second, second, third, third):
        why_off(entry)
    assert asked == ["opentelemetry-instrumentation-b", "opentelemetry-instrumentation-c"]
    assert why_off(second) == "its library is not installed"
    assert (why_off(first), why_off(third)) == (None, None)


def test_what_records_a_command_line_runs_only_when_named(
    monkeypatch: pytest.MonkeyPatch, found: Found
) -> None:
    entry = found.add("click")
    assert why_off(entry) == "one span around a whole command, with its arguments"
    monkeypatch.setenv(VARIABLE, "click")
    assert why_off(entry) is None


class Broken:
    def instrument(self, **_: Any) -> None:
        raise RuntimeError("no such method")


class Working:
    given: Mapping[str, Any] = {}

    def instrument(self, **given: Any) -> None:
        Working.given = given


def test_one_that_cannot_be_loaded_costs_only_itself(found: Found, made: GlasshouseDistro) -> None:
    here = __name__
    sys.modules.setdefault(here, sys.modules[__name__])
    for name, value in {
        "absent": "no_such_library:Instrumentor",
        "broken": f"{here}:Broken",
        "httpx": f"{here}:Working",
        "renamed": f"{here}:Missing",
    }.items():
        made.load_instrumentor(found.add(name, value), skip_dep_check=True)
    assert made.active == ["httpx"]
    assert Working.given == {"skip_dep_check": True}
    assert made.off == {
        "absent": "its library is not installed",
        "broken": "failed: RuntimeError: no such method",
        "renamed": f"failed: AttributeError: module {here!r} has no attribute 'Missing'",
    }


def test_the_line_says_what_is_off_and_what_could_be_had(
    monkeypatch: pytest.MonkeyPatch,
    found: Found,
    made: GlasshouseDistro,
    caplog: pytest.LogCaptureFixture,
) -> None:
    refused = DependencyConflict("sqlalchemy<2.1.0; extra == 'instruments'", "sqlalchemy 2.1.9")
    found.add("sqlalchemy", conflict=refused)
    found.add("redis", conflict=DependencyConflict("redis>=2.6"))
    found.add("urllib")
    found.add("asyncpg")
    found.install(
        flask="3.1.3", fastapi="0.165.0", starlette="1.10.0", click="8.5.1", openai="1.0.0"
    )
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "urllib")
    monkeypatch.setenv(VARIABLE, "-asyncpg")
    made.active.append("httpx")
    with caplog.at_level(logging.INFO, "glasshouse"):
        distro.announce()
    [record] = caplog.records
    said = vars(record)
    assert said["opentelemetry.found"] == versions.found()
    assert said["opentelemetry.tested"] == versions.tested()
    assert said["instrumentations.active"] == ["httpx"]
    # redis is not here at all, which is nothing to say.
    assert said["instrumentations.skipped"] == [
        f"asyncpg (left out by {VARIABLE})",
        "sqlalchemy (wants sqlalchemy<2.1.0, found sqlalchemy 2.1.9)",
        "urllib (disabled by OTEL_PYTHON_DISABLED_INSTRUMENTATIONS)",
    ]
    # FastAPI brings Starlette along and records itself; openai is too old for its own.
    [hint] = said["instrumentations.available"]
    assert hint.startswith("flask is here, its instrumentation is not: pip install ")


def test_what_people_say_is_recorded_only_by_decision(
    monkeypatch: pytest.MonkeyPatch, made: GlasshouseDistro
) -> None:
    wanted = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    assert DEFAULTS[wanted] == "false"
    headers = [name for name in DEFAULTS if "CAPTURE_HEADERS" in name]
    assert headers == ["OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS"]
    monkeypatch.setattr(os, "environ", {wanted: "true"})
    made.configure()
    assert os.environ[wanted] == "true"
    assert os.environ["TRACELOOP_TRACE_CONTENT"] == "false"


def line_of(**variables: str) -> dict[str, Any]:
    """Start a process of this environment; return its start-up line."""
    ended = subprocess.run(
        [str(shop_process.INSTRUMENT), sys.executable, "-c", "pass"],
        env={
            "PATH": os.environ["PATH"],
            "OTEL_PYTHON_DISTRO": "glasshouse",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            **variables,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert ended.stderr == ""
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    return next(line for line in lines if line["message"] == "Telemetry started")


def test_all_that_is_installed_here_runs() -> None:
    line = line_of()
    assert {"httpx", "procrastinate", "request_context", "threading"} <= set(
        line["instrumentations.active"]
    )
    # Not with every release of OpenTelemetry: `make test-upstream`.
    here = importlib.util.find_spec("opentelemetry.instrumentation.psycopg") is not None
    assert ("psycopg" in line["instrumentations.active"]) is here
    assert not [each for each in line["instrumentations.skipped"] if "failed" in each]


def test_the_variable_narrows() -> None:
    line = line_of(**{VARIABLE: "-threading,-httpx"})
    assert not {"httpx", "threading"} & set(line["instrumentations.active"])
    assert "procrastinate" in line["instrumentations.active"]
    assert line_of(**{VARIABLE: "procrastinate"})["instrumentations.active"] == ["procrastinate"]


@pytest.mark.parametrize(
    ("required", "wanted"),
    [
        (["opentelemetry-instrumentation-flask>=0.65b0; extra == 'flask'"], "glasshouse[flask]"),
        (
            [
                "opentelemetry-instrumentation-flask>=0.65b0; extra == 'all'",
                "opentelemetry-instrumentation-flask>=0.65b0; extra == 'flask'",
            ],
            "glasshouse[flask]",
        ),
        (['opentelemetry_instrumentation_flask; extra == "web-one"'], "glasshouse[web-one]"),
        (["opentelemetry-instrumentation-flask"], "opentelemetry-instrumentation-flask"),
        (["flask; extra == 'flask'"], "opentelemetry-instrumentation-flask"),
    ],
)
def test_a_hint_names_the_extra_that_brings_the_instrumentation(
    monkeypatch: pytest.MonkeyPatch,
    found: Found,
    made: GlasshouseDistro,
    caplog: pytest.LogCaptureFixture,
    required: list[str],
    wanted: str,
) -> None:
    found.install(flask="3.1.3")
    about = SimpleNamespace(get_all=lambda _: required)
    monkeypatch.setattr(distro, "metadata", lambda _: about)
    monkeypatch.setattr(distro, "_extras", distro._extras.__wrapped__)
    with caplog.at_level(logging.INFO, "glasshouse"):
        distro.announce()
    hints = vars(caplog.records[0])["instrumentations.available"]
    assert hints == [f"flask is here, its instrumentation is not: pip install {wanted}"]


def test_versions_that_were_not_tested_get_a_warning(
    monkeypatch: pytest.MonkeyPatch,
    found: Found,
    made: GlasshouseDistro,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(versions, "version_of", lambda _: "9.9.9")
    with caplog.at_level(logging.INFO, "glasshouse"):
        distro.announce()
    line, warning = caplog.records
    assert warning.levelno == logging.WARNING
    assert warning.getMessage().startswith("Not tested with opentelemetry-sdk 9.9.9")
    assert line.getMessage() == "Telemetry started"
