"""The tests go the way that `make test-switches` names; else a green table would say nothing."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics._internal.instrument import _Histogram

from glasshouse.delivery import BufferedSpanExporter
from glasshouse.instrumentors import fastapi_known
from support import reports, sdk_tests, shop_process, switches, switching
from support.deployed import ROOT


def is_light() -> bool:
    return "record" in vars(_Histogram)


def is_encoded_here() -> bool:
    exporter = BufferedSpanExporter(OTLPSpanExporter())
    try:
        return vars(exporter)["_encoder"] is not None
    finally:
        exporter.shutdown()


def is_known() -> bool:
    return fastapi_known.telemetry_module() is not None


# What a way changes in this process; all else is as it is without one.
CHANGES: dict[str, Callable[[], bool]] = {
    "sdk-light": is_light,
    "encoding-upstream": lambda: not is_encoded_here(),
    "instrumentations-upstream": lambda: not is_known(),
}


@pytest.mark.parametrize("name", list(CHANGES))
def test_this_process_goes_the_chosen_way_and_no_other(name: str) -> None:
    way = switches.chosen()
    assert CHANGES[name]() is (way is not None and way.name == name)


def test_processes_that_tests_start_go_it_too() -> None:
    given = shop_process.environment("http://127.0.0.1:1")
    way = switches.chosen()
    for one in switches.SWITCHES:
        for name, value in one.variables.items():
            if one is way:
                assert (given[name], os.environ[name]) == (value, value)
    chosen = set(way.variables) if way else set[str]()
    every = {name for one in switches.SWITCHES for name in one.variables}
    assert not (every - chosen) & set(given)


def test_what_a_way_names_exists() -> None:
    tests = "\n".join(
        f"{path.name}\n{path.read_text(encoding='utf-8')}"
        for folder in ("instrumentation", "redaction")
        for path in (ROOT / "tests" / "unit" / folder).glob("*.py")
    )
    for one in switches.SWITCHES:
        for path in one.short:
            assert (ROOT / path).is_file(), one.name
        for path in one.suites:
            assert (ROOT / path).exists(), one.name
        for part in one.leaves_out:
            assert part in tests, one.name


def test_an_unknown_way_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(switches.VARIABLE, "fast")
    with pytest.raises(ValueError, match="there is no switch 'fast': choose of sdk-light, "):
        switches.chosen()


def test_a_report_is_counted(tmp_path: Path) -> None:
    report = tmp_path / "junit.xml"
    report.write_text(
        '<testsuites><testsuite tests="4" skipped="1"><testcase classname="a.b" name="c"/>'
        '<testcase classname="a.b" name="d"><failure/></testcase>'
        '<testcase classname="a.b" name="e"><skipped/></testcase>'
        '<testcase classname="a.b" name="f"><error/></testcase></testsuite></testsuites>',
        encoding="utf-8",
    )
    found = reports.read(report)
    assert found == {"passed": 1, "skipped": 1, "failed": ["a.b::d", "a.b::f"]}
    shown = switching.table([{"switch": "x", "outcome": "failed", "seconds": 1.0, **found}])
    assert shown.splitlines()[1].split() == ["x", "failed", "1", "2", "1", "1.0"]
    assert [line.strip() for line in shown.splitlines()[2:]] == ["a.b::d", "a.b::f"]


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"--sdk: .* is no checkout of opentelemetry-python"):
        sdk_tests.run(tmp_path)
