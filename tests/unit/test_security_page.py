"""docs/security.md: every line has its test, every way in is named, and what it says is so."""

import re
import runpy
from itertools import starmap
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.deployed import compose

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
CHECK: dict[str, Any] = runpy.run_path(str(ROOT / "dev" / "checks" / "security_page.py"))
NAMES: list[str] = CHECK["named"](PAGE)
COMPOSE = compose()
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
# The sections with what actors can try.
ACTORS = (
    "A local user or process",
    "A web page in the developer's browser",
    "A container that was taken over",
    "A client of the API",
    "Somebody with the disk",
    "The supply chain",
)


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
    assert found, f"docs/security.md has no section {title!r}"
    return found[1]


def rows(title: str) -> list[list[str]]:
    lines = [line for line in section(title).splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


@pytest.mark.parametrize("name", NAMES)
def test_each_test_that_is_named_exists(name: str) -> None:
    assert CHECK["exists"](name), f"tests/{name}"


def test_a_test_that_does_not_exist_is_noticed() -> None:
    assert not CHECK["exists"]("unit/test_security_page.py::test_nothing_of_the_kind")
    assert not CHECK["exists"]("unit/no_such_file.py::test_nothing")
    assert not CHECK["exists"]("otlplimits/scan_test.go::TestNothing")
    assert CHECK["exists"]("otlplimits/scan_test.go::TestTwoMillionLevels")


@pytest.mark.parametrize("actor", ACTORS)
def test_each_line_has_a_defence_and_its_test_or_says_why_not(actor: str) -> None:
    found = rows(actor)
    assert found
    for line in found:
        assert len(line) == 4, line
        tried, defence, tests, _ = line
        assert defence, tried
        assert CHECK["named"](tests) or tests.startswith("no test: "), tried


def test_the_tests_are_those_of_the_lines() -> None:
    assert set(NAMES) == {
        name for actor in ACTORS for line in rows(actor) for name in CHECK["named"](line[2])
    }


def test_every_network_is_named_with_its_containers_and_whether_there_is_a_way_out() -> None:
    expected = {
        name: (
            {one for one, service in SERVICES.items() if name in service.get("networks", [])},
            not (network or {}).get("internal", False)
            and (network or {})
            .get("driver_opts", {})
            .get("com.docker.network.bridge.enable_ip_masquerade")
            != "false",
        )
        for name, network in COMPOSE["networks"].items()
    }
    said = {
        name.strip("`"): (set(containers.split(", ")), way_out == "yes")
        for name, containers, way_out in rows("Networks")
    }
    assert said == expected


def test_every_published_port_is_named_with_where_it_leads() -> None:
    expected = {
        variable: name
        for name, service in SERVICES.items()
        for port in service.get("ports", [])
        for variable in re.findall(r"\$\{(\w+_PORT)", port)
    }
    said = {
        variable: leads
        for ports, leads, _ in rows("Published ports")
        for variable in re.findall(r"`(\w+)`", ports)
    }
    assert said == expected


def test_every_secret_is_named_with_where_it_is_mounted() -> None:
    expected = {
        secret: {name for name, one in SERVICES.items() if secret in one.get("x-secrets", [])}
        for one in SERVICES.values()
        for secret in one.get("x-secrets", [])
    }
    said = {secret.strip("`"): set(mounted.split(", ")) for secret, _, mounted in rows("Secrets")}
    assert said == expected


def test_the_secrets_of_mutual_tls_are_named() -> None:
    file = yaml.safe_load((ROOT / "docker-compose.mtls.yml").read_text(encoding="utf-8"))
    given = {secret for one in file["services"].values() for secret in one.get("x-secrets", [])}
    assert len(given) > 3
    assert [one for one in given if f"`{one}`" not in section("Secrets")] == []


def test_in_the_last_run_no_test_failed_and_all_are_named() -> None:
    found = CHECK["results"](PAGE)
    assert set(found) <= set(NAMES), "run `make security ARGS=--missing`"
    assert [name for name, one in found.items() if one.outcome == "failed"] == []


def test_results_are_read_written_and_kept() -> None:
    page = "a `unit/x.py::test_a` `unit/y.py::test_b`\n<!-- begin run -->\n<!-- end run -->\n"
    result = CHECK["Result"]
    once = CHECK["written"](page, {"unit/x.py::test_a": result(2, "passed", "2026-01-01")}, "here")
    assert "2 tests: 1 not run, 1 passed. On here.\n" in once
    assert CHECK["results"](once) == {"unit/x.py::test_a": result(2, "passed", "2026-01-01")}
    assert CHECK["named"](once) == ["unit/x.py::test_a", "unit/y.py::test_b"]


def test_a_report_is_summed_up_by_test() -> None:
    report = """<testsuites><testsuite>
    <testcase file="tests/unit/x.py" classname="tests.unit.x" name="test_a[1]"/>
    <testcase file="tests/unit/x.py" classname="tests.unit.x" name="test_a[2]"><failure/></testcase>
    <testcase file="tests/unit/x.py" classname="tests.unit.x.TestIt" name="test_d[1]"/>
    <testcase classname="tests.unit.y" name="test_b[x]"><skipped/></testcase>
    <testcase classname="tests.unit.y" name="test_b[y]"/>
    </testsuite></testsuites>"""
    names = ["unit/x.py::test_a", "unit/x.py::TestIt::test_d", "unit/y.py::test_b"]
    names.append("unit/z.py::test_c")
    found = CHECK["summed"](names, CHECK["outcomes"](report), "2026-01-01")
    assert {name: (one.cases, one.outcome) for name, one in found.items()} == {
        "unit/x.py::test_a": (2, "failed"),
        "unit/x.py::TestIt::test_d": (1, "passed"),
        "unit/y.py::test_b": (2, "passed"),
        # It was asked for and did not run.
        "unit/z.py::test_c": (0, "failed"),
    }


def test_the_report_of_a_run_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    good = "unit/cli/test_secrets.py::test_all_are_made_private"
    bad = "unit/test_preview.py::test_what_is_sent_is_text_on_the_page"
    absent = "unit/test_compose_file.py::test_no_secret_is_in_the_environment"
    other = "unit/test_words.py::test_other"
    page, report = tmp_path / "security.md", tmp_path / "junit.xml"
    page.write_text(
        f"| a | `{good}`, `{bad}`, `{absent}` |\n<!-- begin run -->\n<!-- end run -->\n",
        encoding="utf-8",
    )
    cases = [(f"{good}[1]", ""), (f"{good}[2]", ""), (bad, "<failure/>"), (other, "")]
    report.write_text(f"<testsuites>{''.join(starmap(case, cases))}</testsuites>", encoding="utf-8")
    main = CHECK["main"]
    monkeypatch.setitem(main.__globals__, "PAGE", page)
    assert main(["--from", str(report)]) == 1
    assert capsys.readouterr().err == f"failed: {bad}\n"
    written = page.read_text(encoding="utf-8")
    assert "3 tests: 1 failed, 1 not run, 1 passed." in written
    assert f"| `{good}` | 2 | passed |" in written
    assert f"| `{bad}` | 1 | failed |" in written
    assert other not in written


def case(name: str, outcome: str) -> str:
    """Write a test as pytest reports it."""
    file, _, function = name.partition("::")
    module = "tests." + file.removesuffix(".py").replace("/", ".")
    return f'<testcase classname="{module}" name="{function}">{outcome}</testcase>'
