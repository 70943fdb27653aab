"""Variants, servers, environments: what is chosen is there, or one line says what is not."""

import re
import sys
import tomllib
from pathlib import Path

import pytest

from glasshouse_bench import cli
from glasshouse_bench.overhead import environments, variants
from glasshouse_bench.overhead.environments import Environment
from glasshouse_bench.overhead.variants import SERVERS, VARIANTS
from glasshouse_cli.errors import StackError
from support.deployed import ROOT

LOCKED = {
    one["name"]: one["version"]
    for one in tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    if "version" in one
}


def locked(name: str) -> dict[str, str]:
    """The versions of one environment's lock."""
    text = (ROOT / environments.LOCKS / f"{name}.txt").read_text(encoding="utf-8")
    blocks = re.findall(r"^(\S+)==([^\s;]+)[^\n]*\\\n((?:    --hash=\S+(?: \\)?\n)+)", text, re.M)
    assert len(blocks) == len(re.findall(r"^\S", text, re.M))
    assert all("--hash=sha256:" in hashes for *_, hashes in blocks)
    return {package: version for package, version, _ in blocks}


def test_a_list_of_variants_begins_with_what_all_are_divided_by() -> None:
    found = variants.parse_all("stock, glasshouse+LOG_LEVEL=ERROR+A=b=c,stock")
    assert [one.name for one in found] == ["off", "stock", "glasshouse+LOG_LEVEL=ERROR+A=b=c"]
    changed = found[2]
    assert changed.title == "glasshouse, LOG_LEVEL=ERROR A=b=c"
    assert {**VARIANTS["glasshouse"].variables, "LOG_LEVEL": "ERROR", "A": "b=c"} == {
        **changed.variables
    }
    assert (changed.launcher, changed.environment) == (("opentelemetry-instrument",), "servers")


def test_variables_that_stand_alone_hold_for_all_variants() -> None:
    found = variants.parse_all("glasshouse+LOG_LEVEL=ERROR,+GLASSHOUSE_GC=rare+A=b,stock")
    assert [one.name for one in found] == ["off", "glasshouse+LOG_LEVEL=ERROR", "stock"]
    for one in found:
        assert one.variables["GLASSHOUSE_GC"] == "rare"
        assert one.variables["A"] == "b"
        assert one.title.endswith(", GLASSHOUSE_GC=rare A=b")
    assert found[1].variables["LOG_LEVEL"] == "ERROR"
    assert "LOG_LEVEL" not in found[0].variables
    with pytest.raises(StackError, match="'gc' after off is not NAME=VALUE"):
        variants.parse_all("+gc")


def test_an_environment_has_the_versions_that_ours_has() -> None:
    names = {one.environment for one in VARIANTS.values()}
    assert names == {path.stem for path in (ROOT / environments.LOCKS).glob("*.txt")}
    for name in names:
        for package, version in locked(name).items():
            if package.startswith("opentelemetry") and package in LOCKED:
                assert version == LOCKED[package], f"{name}: {package}"


@pytest.mark.parametrize("name", VARIANTS)
def test_what_a_variant_and_the_servers_need_is_locked(name: str) -> None:
    variant = VARIANTS[name]
    needs = {*variant.needs, *(need for one in SERVERS.values() for need in one.needs)}
    assert needs - locked(variant.environment).keys() - LOCKED.keys() == set()


def test_nothing_of_ours_runs_where_others_are_measured() -> None:
    project = tomllib.loads((ROOT / "instrumentation" / "pyproject.toml").read_text("utf-8"))
    ours = project["project"]["entry-points"]["opentelemetry_instrumentor"]
    disabled = VARIANTS["stock"].variables["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"]
    assert set(disabled.split(",")) == set(ours)


def test_what_is_missing_is_named() -> None:
    found = Environment(Path("/here/bin"), {"uvloop": "1", "httptools": "1"})
    environments.check(found, VARIANTS["off"], SERVERS.values())
    with pytest.raises(StackError, match="/here lacks ddtrace, which ddtrace is measured with"):
        environments.check(found, VARIANTS["ddtrace"], ())
    bare = Environment(Path("/here/bin"), {})
    environments.check(bare, VARIANTS["off"], [SERVERS["h11"]])
    with pytest.raises(StackError, match="lacks httptools, uvloop"):
        environments.check(bare, VARIANTS["off"], SERVERS.values())


def test_an_environment_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"uv is missing: run make venv"):
        environments.make(tmp_path, "stock")
    uv = tmp_path / ".uv" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.write_text("#!/bin/sh\necho 'error: no network' >&2\necho more >&2\nexit 2\n")
    uv.chmod(0o755)
    with pytest.raises(StackError) as raised:
        environments.make(tmp_path, "stock")
    assert str(raised.value) == (
        ".venv-bench/stock cannot be made: error: no network: leave it out of --variants"
    )


def test_only_what_nobody_asked_for_by_name_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def make(_: Path, name: str) -> Environment:
        made.append(name)
        if name == "ddtrace":
            raise StackError("no network")
        versions = {"httptools": "1", "uvloop": "1", "sentry-sdk": "1"}
        return Environment(Path("/there") / name / "bin", versions)

    monkeypatch.setattr(environments, "make", make)
    said: list[str] = []
    chosen = [VARIANTS[one] for one in ("off", "glasshouse", "ddtrace", "sentry", "logfire")]
    found = environments.gather(ROOT, chosen, SERVERS.values(), said.append, is_strict=False)
    assert {name: one.programs.parent.name for name, one in found.items()} == {
        "off": "servers",
        "glasshouse": "servers",
        "sentry": "servers",
    }
    assert made == ["servers", "ddtrace", "logfire"]
    assert [one for one in said if one.startswith("left out")] == [
        "left out: ddtrace: no network",
        "left out: logfire: /there/logfire lacks logfire, which logfire is measured with: run make "
        "bench, or choose other --variants and --servers",
    ]
    with pytest.raises(StackError, match="no network"):
        environments.gather(ROOT, chosen, SERVERS.values(), said.append, is_strict=True)


def test_the_present_environment_is_listed() -> None:
    found = environments.current()
    assert found.programs == Path(sys.executable).parent
    assert found.lacks(["fastapi", "no-such-thing"]) == ["no-such-thing"]
    assert found.shown()["opentelemetry-sdk"] == LOCKED["opentelemetry-sdk"]


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["--variants", "off,otel"],
            "--variants: no variant 'otel': choose of off, glasshouse, "
            "glasshouse-native, stock, ddtrace, sentry, "
            "logfire",
        ),
        (["--variants", "stock+x"], "--variants: 'x' after stock is not NAME=VALUE"),
        (["--servers", "nginx"], "--servers: no server 'nginx': choose of h11, httptools"),
        (["--servers", ","], "--servers: no server is named: choose of h11, httptools"),
        (
            ["--loads", "put"],
            "--loads: no load 'put': choose of post, get, new-id, trivial, log",
        ),
        (
            ["--against", "/nowhere.json"],
            "/nowhere.json: no result can be read: No such file or directory",
        ),
        (["--variants", "ddtrace"], "lacks ddtrace, which ddtrace is measured with"),
    ],
)
def test_bad_input_is_one_line(
    words: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["glasshouse-bench", "overhead", "--quick", *words])
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    written = capsys.readouterr()
    assert written.out == ""
    [error] = written.err.splitlines()
    assert error.startswith("error: ")
    assert line in error
