"""docs/settings.md holds every variable that is read, who reads it, and its default."""

import ast
import os
import re
from collections.abc import Iterator
from pathlib import Path

from backend.platform import settings_table
from backend.platform.settings import PROCESSES
from glasshouse import settings
from glasshouse.distro import DEFAULTS

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docs" / "settings.md"
ROW = re.compile(r"^\| `([A-Z_]+)` \| ([a-z, ]+) \| .+ \| (.+) \|$")
# Words in capitals that are no variables: statuses of gRPC, faults of TLS, a key of WSGI.
NO_VARIABLES = {
    # Names in a WSGI environment.
    "PATH_INFO",
    "QUERY_STRING",
    "RAW_URI",
    "REQUEST_URI",
    "SCRIPT_NAME",
    "CERTIFICATE_VERIFY_FAILED",
    "DEADLINE_EXCEEDED",
    "PERMISSION_DENIED",
    "RECORD_LAYER_FAILURE",
    "REQUEST_METHOD",
    "RESOURCE_EXHAUSTED",
    "WRONG_VERSION_NUMBER",
}
VARIABLE = re.compile(r"[A-Z]+(_[A-Z]+)+")
IN_README = re.compile(r"^\| `[A-Z_]+`")
IN_COMPOSE = re.compile(r"(?<!\$)\$\{([A-Z_]+)")
IN_ENV = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)


OF_OPENTELEMETRY = "## OpenTelemetry's variables"
WRITE = "GLASSHOUSE_WRITE_SETTINGS"
ALSO = "; with `TRACES_`, `METRICS_` or `LOGS_` before its last part, for one signal"


def document() -> tuple[str, str]:
    """The table of what is read here, and the section on OpenTelemetry's variables."""
    before, heading, after = FILE.read_text(encoding="utf-8").partition(OF_OPENTELEMETRY)
    return before, heading + after


def table() -> Iterator[tuple[str, set[str], str]]:
    for line in document()[0].splitlines():
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
    # What upstream reads has a section of its own.
    files = [file for file in files if file != Path(settings.__file__)]
    assert files
    for file in files:
        yield from ast.walk(ast.parse(file.read_text(encoding="utf-8")))


def constants(component: str) -> set[str]:
    """Texts in the code that can only be names of variables."""
    found = {node.value for node in trees(component) if isinstance(node, ast.Constant)}
    texts = {text for text in found if isinstance(text, str) and VARIABLE.fullmatch(text)}
    return texts - NO_VARIABLES


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
    read = {settings.RESOURCE_VARIABLE, settings.SERVICE_NAME_VARIABLE}
    # Read by the SDK alone; the row says what we add.
    read |= {"OTEL_METRICS_EXPORTER"}
    assert documented("glasshouse") == constants("instrumentation") | read
    assert {name: DEFAULT[name] for name in DEFAULTS} == DEFAULTS


def allowed() -> str:
    """The rows of the section on OpenTelemetry's variables."""
    signals = ("TRACES_", "METRICS_", "LOGS_")
    rows: list[str] = []
    for name in sorted(settings.VARIABLES):
        kind = settings.VARIABLES[name]
        general = next((name.replace(one, "", 1) for one in signals if one in name), name)
        if general != name and settings.VARIABLES.get(general) is kind:
            continue
        family = [re.sub(r"(OTLP|HTTP|GRPC)_", rf"\\1_{one}", name, count=1) for one in signals]
        also = all(settings.VARIABLES.get(one) is kind for one in family) and family[0] != name
        may = "nothing" if kind.allowed == "set" else kind.allowed
        rows.append(f"| `{name}` | {may}{ALSO if also else ''} |")
    return "\n".join(rows) + "\n"


def test_what_opentelemetry_s_variables_may_hold_is_the_code_s():
    before, section = document()
    head, rule, rows = section.partition("| --- | --- |\n")
    if os.environ.get(WRITE):
        FILE.write_text(before + head + rule + allowed(), encoding="utf-8")
        return
    assert rows == allowed(), f"run: {WRITE}=1 .uv/bin/uv run pytest {Path(__file__).name}"


def test_the_readme_of_the_distro_shows_a_part_of_the_table():
    readme = (ROOT / "instrumentation" / "README.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in readme.splitlines() if IN_README.match(line)]
    shown = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", row[0])}
    assert len(shown) > 10
    assert shown <= documented("glasshouse")
    for row in rows:
        [*names] = re.findall(r"`([A-Z_]+)`", row[0])
        defaults = [part.strip(" |`") for part in row[2].split(", ")]
        if len(defaults) == len(names):
            # "none" where the table says that nothing is switched on.
            assert [one.replace("none", "off") for one in defaults] == [
                DEFAULT[name].strip("`") for name in names
            ]


def test_variables_of_the_sandbox_are_the_table_s():
    assert documented("sandbox") == constants("dev/fakes")


def test_variables_of_the_command_are_the_table_s():
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    env = dict(IN_ENV.findall((ROOT / ".env").read_text(encoding="utf-8")))
    read = set(IN_COMPOSE.findall(compose)) | env.keys() | asked_of_environment("dev/cli")
    assert documented("cli") == read
    required = {name for name in env if DEFAULT[name] == "required"}
    for name in env.keys() - required:
        # A digest is `.env`'s alone: it changes each week.
        assert DEFAULT[name] == (env[name].partition("@")[0] or "off"), name


def test_what_compose_gives_where_nothing_is_set_is_the_default_or_the_local_stack_s():
    compose = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    given = dict(re.findall(r"(?<!\$)\$\{([A-Z_]+):?-([^}]*)\}", compose))
    local = {
        name
        for name, value in given.items()
        if DEFAULT.get(name) != (value or "off") and not name.startswith("GLASSHOUSE_RULES")
    }
    assert local == {
        "API_PROBE_URL",
        "CHAIN_RPC_URL",
        "CONTACTS_ALLOWED",
        "GOPROXY",
        "PAGERDUTY_ROUTING_KEY_FILE",
        "PIP_INDEX_URL",
        "PROVIDER_URL",
        "SENTRY_DSN",
        "SLACK_WEBHOOK_URL_FILE",
        "SMTP_FROM",
        "SMTP_HOST",
        "SMTP_PORT",
        "SMTP_STARTTLS",
    }


def test_every_reader_is_known():
    known = {*PROCESSES, "glasshouse", "sandbox", "cli"}
    assert set().union(*READERS.values()) == known
