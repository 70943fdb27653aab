"""docs/settings.md holds every variable that is read, who reads it, and its default."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from backend.platform import settings_table
from backend.platform.settings import PROCESSES
from glasshouse.distro import DEFAULTS

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| `([A-Z_]+)` \| ([a-z, ]+) \| .+ \| (.+) \|$")
VARIABLE = re.compile(r"[A-Z]+(_[A-Z]+)+")
IN_COMPOSE = re.compile(r"(?<!\$)\$\{([A-Z_]+)")
IN_ENV = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)


def table() -> Iterator[tuple[str, set[str], str]]:
    for line in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("| `"):
            row = ROW.match(line)
            assert row, f"unreadable row: {line}"
            yield row[1], set(row[2].split(", ")), row[3]


READERS = {name: readers for name, readers, _ in table()}
DEFAULT = {name: default for name, _, default in table()}


def documented(reader: str) -> set[str]:
    return {name for name, readers in READERS.items() if reader in readers}


def trees(component: str) -> Iterator[ast.AST]:
    files = sorted((ROOT / component / "src").rglob("*.py"))
    assert files
    for file in files:
        yield from ast.walk(ast.parse(file.read_text(encoding="utf-8")))


def constants(component: str) -> set[str]:
    """Texts in the code that can only be names of variables."""
    found = {node.value for node in trees(component) if isinstance(node, ast.Constant)}
    return {text for text in found if isinstance(text, str) and VARIABLE.fullmatch(text)}


def asked_of_environment(component: str) -> set[str]:
    """The names in ``os.environ.get("…")``."""
    return {
        node.args[0].value
        for node in trees(component)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "os.environ.get"
        and isinstance(node.args[0], ast.Constant)
        and isinstance(node.args[0].value, str)
    }


def test_no_variable_has_two_rows():
    names = [name for name, _, _ in table()]
    assert sorted(set(names)) == sorted(names)


def test_rows_of_the_backend_are_made_from_its_settings():
    text = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    assert settings_table.updated(text) == text, (
        "docs/settings.md does not match the settings of the backend: run"
        " `.uv/bin/uv run python -m backend settings --write docs/settings.md`"
    )


def test_variables_of_the_distro_are_the_table_s():
    # Read by the SDK alone; we only give it another value.
    assert documented("glasshouse") == constants("instrumentation") | {"OTEL_METRICS_EXPORTER"}
    assert {name: DEFAULT[name] for name in DEFAULTS} == DEFAULTS


def test_variables_of_the_sandbox_are_the_table_s():
    assert documented("sandbox") == constants("dev/fakes")


def test_variables_of_the_command_are_the_table_s():
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    env = dict(IN_ENV.findall((ROOT / ".env").read_text(encoding="utf-8")))
    read = set(IN_COMPOSE.findall(compose)) | env.keys() | asked_of_environment("dev/cli")
    assert documented("cli") == read
    required = {name for name in env if DEFAULT[name] == "required"}
    for name in env.keys() - required:
        assert DEFAULT[name] == (env[name] or "off"), name


def test_every_reader_is_known():
    known = {*PROCESSES, "glasshouse", "sandbox", "cli"}
    assert set().union(*READERS.values()) == known
