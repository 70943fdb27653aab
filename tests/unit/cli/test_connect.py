"""`glasshouse connect`: what a service sets, whether its records come, and why they do not."""

import contextlib
import io
import json
import os
import pty
import re
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import httpx
import pytest
import yaml

from glasshouse_cli import certificates, cli
from glasshouse_cli.connect import refusals, waiting
from glasshouse_cli.connect import settings as own
from glasshouse_cli.connect.settings import HEADERS, Protocol
from glasshouse_cli.connect.stored import Stored, Unanswered, attributes
from glasshouse_cli.errors import StackError
from glasshouse_cli.letters.letter import Signal
from glasshouse_cli.project import Project, User, container_user
from support import deployed, http_server, ports

TOKEN = "s0123456789abcdef-the-token"
PREVIOUS = "sfedcba9876543210-the-previous"
PORTS = ("OTLP_HTTP_PORT", "OTLP_GRPC_PORT", "COLLECTOR_HEALTH_PORT")
BACKENDS = ("LOKI_PORT", "TEMPO_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT")
OTHERS = ("SERVICE_PORT", "SANDBOX_PORT", "GRAFANA_PORT")
SETTINGS = ("OTLP_AUTH", "OTLP_TLS", "GLASSHOUSE_HOSTS", "GLASSHOUSE_STATE")
ALWAYS = 10**9
COMMAND = [sys.executable, "-c", "from glasshouse_cli.cli import main; main()", "connect"]
ME = User(uid=os.geteuid(), gid=os.getegid())


def checkout(root: Path, **settings: str) -> Project:
    ports = {"OTLP_HTTP_PORT": "4318", "OTLP_GRPC_PORT": "4317"}
    return Project(root=root, settings={"GLASSHOUSE_STATE": "state", **ports, **settings})


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a checkout is whose secrets are made."""
    secrets = tmp_path / "state" / "secrets"
    secrets.mkdir(parents=True)
    (secrets / "otlp_token").write_text(f"{TOKEN}\n{PREVIOUS}\n", encoding="ascii")
    (secrets / "operator_password").write_text("the-password\n", encoding="ascii")
    monkeypatch.delenv("COMPOSE_PROJECT_NAME", raising=False)
    return tmp_path


# What is printed.


def test_the_variables_are_those_of_the_specification(root: Path) -> None:
    made = own.of(checkout(root))

    assert made.variables == {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{TOKEN}",
        "OTEL_SERVICE_NAME": "my-service",
    }
    assert made.secret == ("OTEL_EXPORTER_OTLP_HEADERS",)
    assert "holds a token, which is a secret" in made.notes[0]


def test_ports_of_env_and_the_protocol_decide_the_endpoint(root: Path) -> None:
    project = checkout(root, OTLP_HTTP_PORT="14318", OTLP_GRPC_PORT="14317")

    http, grpc = own.of(project), own.of(project, protocol=Protocol.GRPC)

    assert http.variables["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:14318"
    assert grpc.variables["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:14317"
    assert grpc.variables["OTEL_EXPORTER_OTLP_PROTOCOL"] == "grpc"
    # Inside their network the ports are the Collector's own.
    assert "http://collector:4318" in http.compose
    assert "http://collector:4317" in grpc.compose


@pytest.mark.parametrize("token", ["a,b=c", "with%20in-it", "a+b/c==", "q\"'\\$x"])
def test_whatever_a_token_holds_its_header_reads_back(root: Path, token: str) -> None:
    (root / "state" / "secrets" / "otlp_token").write_text(token, encoding="ascii")

    value = own.of(checkout(root)).variables[HEADERS]

    # As SDKs read it: a comma ends a pair, the first = ends a name, the rest is percent-encoded.
    assert "," not in value
    name, _, encoded = value.partition("=")
    assert (name, unquote(encoded)) == ("authorization", f"Bearer {token}")
    assert re.fullmatch(r"[A-Za-z0-9%._~-]+", encoded)


def test_without_a_token_nothing_secret_is_printed(root: Path) -> None:
    (root / "state" / "secrets" / "otlp_token").unlink()

    made = own.of(checkout(root, OTLP_AUTH="none"))

    assert HEADERS not in made.variables
    assert made.secret == ()
    assert "secrets" not in yaml.safe_load(made.compose)
    assert "TOKEN" not in made.compose
    assert "whoever reaches the ports may send" in made.notes[0]
    # A Collector that asks for no token checks the name it is asked by.
    assert "host.docker.internal has to be in GLASSHOUSE_HOSTS" in made.notes[-1]
    named = own.of(checkout(root, OTLP_AUTH="none", GLASSHOUSE_HOSTS="a, host.docker.internal"))
    assert "GLASSHOUSE_HOSTS" not in named.notes[-1]


def test_who_shows_a_token_needs_no_known_host(root: Path) -> None:
    assert "GLASSHOUSE_HOSTS" not in own.of(checkout(root)).notes[-1]


def test_mutual_tls_adds_certificates_and_https(root: Path) -> None:
    certificates.ensure(root / "state", user=ME)
    files = certificates.of(root / "state")

    made = own.of(checkout(root, OTLP_TLS="mutual"))

    assert made.variables["OTEL_EXPORTER_OTLP_ENDPOINT"] == "https://127.0.0.1:4318"
    assert made.variables["OTEL_EXPORTER_OTLP_CERTIFICATE"] == str(files.authority)
    assert made.variables["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"] == str(files.client)
    assert made.variables["OTEL_EXPORTER_OTLP_CLIENT_KEY"] == str(files.client_key)
    assert made.variables[HEADERS] == f"authorization=Bearer%20{TOKEN}"
    assert f"{files.client_key} is a secret, too" in made.notes[1]
    document = yaml.safe_load(made.compose)
    [service] = document["services"].values()
    mounted = {name: f"/run/secrets/{name}" for name in document["secrets"]}
    assert service["environment"]["OTEL_EXPORTER_OTLP_ENDPOINT"] == "https://collector:4318"
    for variable, secret, path in (
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "otlp_authority", files.authority),
        ("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "otlp_client_certificate", files.client),
        ("OTEL_EXPORTER_OTLP_CLIENT_KEY", "otlp_client_key", files.client_key),
    ):
        assert service["environment"][variable] == mounted[secret]
        assert document["secrets"][secret] == {"file": str(path)}
        assert secret in service["secrets"]


def test_the_compose_snippet_says_all_of_it_and_no_token(root: Path) -> None:
    made = own.of(checkout(root), service="shop")

    user = container_user().uid
    assert f"Readable for the user {user} and for root" in made.compose
    assert TOKEN not in made.compose
    assert yaml.safe_load(made.compose) == {
        "services": {
            "shop": {
                "networks": ["default", "glasshouse"],
                "environment": {
                    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318",
                    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                    "OTEL_EXPORTER_OTLP_HEADERS": "${OTEL_EXPORTER_OTLP_HEADERS:-}",
                    "GLASSHOUSE_OTLP_TOKEN_FILE": "/run/secrets/otlp_token",
                    "OTEL_SERVICE_NAME": "shop",
                },
                "secrets": ["otlp_token"],
            }
        },
        "networks": {"glasshouse": {"name": "glasshouse_ingest", "external": True}},
        "secrets": {"otlp_token": {"file": str(root / "state" / "secrets" / "otlp_token")}},
    }


def test_the_network_is_the_one_of_the_stack_s_compose_file(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = yaml.safe_load((deployed.ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    monkeypatch.setenv("COMPOSE_PROJECT_NAME", "mine")

    document = yaml.safe_load(own.of(checkout(root)).compose)

    name = document["networks"]["glasshouse"]["name"]
    assert name.startswith("mine_")
    network = name.removeprefix("mine_")
    assert network in stack["networks"]
    members = [key for key, one in stack["services"].items() if network in one.get("networks", [])]
    assert sorted(members) == sorted(own.TAKEN)


NAMES = {
    "shop": "shop",
    "api": "my-api",
    "collector": "my-collector",
    "no": "no",
    "8080": "8080",
    "Shop/of: books #1": "Shop-of-books-1",
    "Bücher 📚": "B-cher",
    "$HOME": "HOME",
    "///": "my-service",
}


@pytest.mark.parametrize(("service", "key"), NAMES.items())
def test_any_name_stands_in_the_compose_file_as_it_is(root: Path, service: str, key: str) -> None:
    document = yaml.safe_load(own.of(checkout(root), service=service).compose)

    assert list(document["services"]) == [key]
    value = document["services"][key]["environment"]["OTEL_SERVICE_NAME"]
    # A single $ would be a variable of compose.
    assert "$" not in value.replace("$$", "")
    assert value.replace("$$", "$") == service


def test_compose_takes_each_snippet(root: Path) -> None:
    certificates.ensure(root / "state", user=ME)
    files = [root / f"compose-{number}.yml" for number in range(len(NAMES))]
    for file, service in zip(files, NAMES, strict=True):
        made = own.of(checkout(root, OTLP_TLS="mutual"), service=service)
        file.write_text(made.compose, encoding="utf-8")
    control = root / "control.yml"
    control.write_text("services: {a: {imagee: b}}\n", encoding="utf-8")
    checker = Path(sys.executable).with_name("check-jsonschema")
    line = [checker, "--builtin-schema", "vendor.compose-spec", "--output-format", "json"]

    ran = subprocess.run(
        [*line, *files, control], capture_output=True, text=True, timeout=120, check=False
    )

    found = json.loads(ran.stdout)
    assert {one["filename"] for one in found["errors"]} == {str(control)}
    assert found["parse_errors"] == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"OTLP_AUTH": "no"}, "OTLP_AUTH in .env must be token or none, not 'no'"),
        ({"OTLP_TLS": "on"}, "OTLP_TLS in .env must be off or mutual, not 'on'"),
        ({"OTLP_TLS": "mutual"}, "no usable certificates: `glasshouse certificates`"),
        ({"OTLP_HTTP_PORT": "x"}, "OTLP_HTTP_PORT in .env must be a port number, not 'x'"),
    ],
)
def test_a_setting_that_is_none_is_one_line(
    root: Path, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(StackError, match=re.escape(message)):
        own.of(checkout(root, **settings))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "is missing: `make up` makes it"),
        (b"", "is empty: delete it, then `make up`"),
        (b"\xff\xfe", "holds no token: delete it, then `make up`"),
    ],
)
def test_a_token_that_is_not_there_is_one_line(
    root: Path, content: bytes | None, message: str
) -> None:
    file = root / "state" / "secrets" / "otlp_token"
    file.unlink()
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(StackError, match=re.escape(f"{file} {message}")):
        own.of(checkout(root))


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\x1b[31mb"])
def test_a_service_needs_a_name(root: Path, name: str) -> None:
    with pytest.raises(StackError, match="--service must be a name, not"):
        own.of(checkout(root), service=name)


# What comes, and what does not.


def log(body: str, *, moment: int | None = None, **labels: str) -> dict[str, Any]:
    return {"moment": moment or time.time_ns(), "body": body, "labels": labels}


def span(
    name: str, *, began: int | None = None, attributes: dict[str, str] | None = None
) -> dict[str, Any]:
    began = began or time.time_ns()
    return {
        "traceId": "EjRWeJCrze8SNFZ4kKvN7w==",
        "spanId": "EjRWeJCrze8=",
        "name": name,
        "kind": "SPAN_KIND_SERVER",
        "startTimeUnixNano": str(began),
        "endTimeUnixNano": str(began + 2_500_000),
        "attributes": [
            {"key": k, "value": {"stringValue": v}} for k, v in (attributes or {}).items()
        ],
    }


def point(name: str, value: str = "1", **labels: str) -> dict[str, Any]:
    return {"metric": {"__name__": name, **labels}, "value": [time.time(), value]}


def refused(reason: str, count: int, *, protocol: str = "http") -> dict[str, Any]:
    name = "otelcol_extension_otlp_limits_refused_total"
    return point(name, str(count), protocol=protocol, reason=reason)


def dropped(kind: str, service: str, count: int) -> dict[str, Any]:
    name = f"otelcol_processor_admission_{kind}_total"
    return point(name, str(count), signal="logs", service=service, reason="late")


@dataclass
class Fake:
    """Collector, Loki, Tempo and Prometheus on one port, each with what a test puts in.

    down: how many more questions a part answers with 503. otlp: the status of what is sent.
    on_poll: called at each question for Loki's services, with its number: 1 is before the waiting.
    """

    url: str = ""
    logs: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, Any])
    traces: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, Any])
    metrics: dict[str, list[dict[str, Any]]] = field(default_factory=dict[str, Any])
    counters: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    down: dict[str, int] = field(default_factory=dict[str, int])
    otlp: int = 200
    sent: list[tuple[str, str | None, Any]] = field(default_factory=list[Any])
    asked: set[str] = field(default_factory=set[str])
    passwords: set[str | None] = field(default_factory=set[Any])
    polls: int = 0
    on_poll: Any = None

    def receives(self, service: str) -> None:
        """One record of each signal arrives."""
        self.logs[service] = [log(f"hello from {service}", severity_text="INFO")]
        self.traces[service] = [span("GET /books", attributes={"http.route": "/books"})]
        self.metrics[service] = [point("books_sold_total", "7", service_name=service)]


def part_of(path: str) -> str:
    """The backend that has a path."""
    if "loki" in path:
        return "loki"
    return "prometheus" if "/v1/" in path else "tempo"


def answers(fake: Fake, path: str, asked: dict[str, str]) -> Any:
    """The answer of the backend that a path belongs to; None where there is none."""
    match path:
        case "/loki/api/v1/label/service_name/values":
            return {"data": sorted(fake.logs)}
        case "/api/v2/search/tag/resource.service.name/values":
            return {"tagValues": [{"type": "string", "value": one} for one in sorted(fake.traces)]}
        case "/api/v1/label/service_name/values":
            return {"data": sorted(fake.metrics)}
        case "/loki/api/v1/query_range":
            service = json.loads(asked["query"].removeprefix("{service_name=").removesuffix("}"))
            window = range(int(asked["start"]), int(asked["end"]))
            found = [one for one in fake.logs.get(service, []) if one["moment"] in window]
            found.sort(key=lambda one: one["moment"], reverse=asked["direction"] != "forward")
            streams = [
                {
                    "stream": {"service_name": service, **one["labels"]},
                    "values": [[str(one["moment"]), one["body"]]],
                }
                for one in found[: int(asked["limit"])]
            ]
            return {"data": {"result": streams}}
        case "/api/search":
            query = asked["q"].removeprefix("{ resource.service.name = ").removesuffix(" }")
            window = range(int(asked["start"]), int(asked["end"]))
            return {
                "traces": [
                    {"traceID": str(number), "startTimeUnixNano": one["startTimeUnixNano"]}
                    for number, one in enumerate(fake.traces.get(json.loads(query), []))
                    if int(one["startTimeUnixNano"]) // 10**9 in window
                ]
            }
        case "/api/v1/query":
            if "otelcol_" in asked["query"]:
                return {"data": {"result": fake.counters}}
            service = json.loads(
                asked["query"].removeprefix("{service_name=").split(",__name__")[0]
            )
            return {"data": {"result": fake.metrics.get(service, [])}}
        case _ if path.startswith("/api/v2/traces/"):
            number = int(path.rpartition("/")[2])
            [(service, one)] = [
                (service, spans[number])
                for service, spans in fake.traces.items()
                if len(spans) > number
            ][-1:]
            name = {"key": "service.name", "value": {"stringValue": service}}
            other = {"key": "service.name", "value": {"stringValue": "its-caller"}}
            return {
                "trace": {
                    "resourceSpans": [
                        {
                            "resource": {"attributes": [other]},
                            "scopeSpans": [{"spans": [span("other", began=1)]}],
                        },
                        {"resource": {"attributes": [name]}, "scopeSpans": [{"spans": [one]}]},
                    ]
                }
            }
        case _:
            return None


@pytest.fixture
def fake(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    """A running stack, in whose checkout the command is run."""
    made = Fake()
    lock = threading.Lock()

    class Handler(http_server.Handler):
        def do_POST(self) -> None:
            body = json.loads(self.body())
            made.sent.append((self.path, self.headers["Authorization"], body))
            self.answer(b"{}", status=made.otlp)

        def do_GET(self) -> None:
            split = urlsplit(self.path)
            asked = {name: value[0] for name, value in parse_qs(split.query).items()}
            if split.path == "/":
                self.answer(b"{}")
                return
            made.passwords.add(self.headers["Authorization"])
            with lock:
                if split.path.endswith("label/service_name/values") and "loki" in split.path:
                    made.polls += 1
                    if made.on_poll is not None:
                        made.on_poll(made.polls)
            part = part_of(split.path)
            made.asked.add(split.path)
            found = answers(made, split.path, asked)
            if made.down.get(part, 0) > 0:
                made.down[part] -= 1
                self.answer(b"down", status=503)
            elif found is None:
                self.answer(b"nothing", status=404)
            else:
                self.answer(json.dumps(found).encode())

    with http_server.serving(Handler) as made.url:
        port = made.url.rpartition(":")[2]
        variables = {
            **dict.fromkeys((*PORTS, *BACKENDS, *OTHERS), port),
            "GLASSHOUSE_STATE": "state",
        }
        for name in (*variables, *SETTINGS):
            monkeypatch.delenv(name, raising=False)
        (root / ".env").write_text("".join(f"{k}={v}\n" for k, v in variables.items()))
        (root / "docker-compose.yml").write_text("services: {}\n")
        (root / "dev").mkdir()
        monkeypatch.chdir(root)
        monkeypatch.setattr(waiting, "POLL_S", 0.05)
        yield made


@dataclass(frozen=True, kw_only=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


def connect(*arguments: str) -> Ran:
    """Run `glasshouse connect` in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            cli.main(["connect", *arguments])
        except SystemExit as ended:
            return Ran(code=int(ended.code or 0), out=out.getvalue(), err=err.getvalue())


def test_no_wait_asks_nobody(fake: Fake) -> None:
    ran = connect("--no-wait")

    assert ran.code == 0
    variables = dict(
        line.removeprefix("export ").split("=", 1)
        for line in ran.out.splitlines()
        if line.startswith("export ")
    )
    assert variables["OTEL_EXPORTER_OTLP_ENDPOINT"] == fake.url
    assert variables["OTEL_EXPORTER_OTLP_HEADERS"] == f"authorization=Bearer%20{TOKEN}"
    assert "      OTEL_EXPORTER_OTLP_ENDPOINT: http://collector:4318" in ran.out.splitlines()
    assert "holds a token, which is a secret" in ran.err
    assert (fake.sent, fake.passwords) == ([], set())


def test_what_is_printed_is_what_a_shell_sets(fake: Fake, root: Path) -> None:
    (root / "state" / "secrets" / "otlp_token").write_text("it's;a $token`", encoding="ascii")
    lines = [
        line
        for line in connect("--no-wait", "--service", "it's; $HOME").out.splitlines()
        if line.startswith("export ")
    ]
    script = "; ".join(
        [*lines, 'printf "%s|%s" "$OTEL_SERVICE_NAME" "$OTEL_EXPORTER_OTLP_HEADERS"']
    )

    ran = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, timeout=60, check=True
    )

    assert ran.stdout == "it's; $HOME|authorization=Bearer%20it%27s%3Ba"
    assert shlex.split(lines[0])[1] == f"OTEL_EXPORTER_OTLP_ENDPOINT={fake.url}"


def test_the_first_record_of_each_signal_of_a_new_service_is_shown(fake: Fake) -> None:
    fake.receives("backend-api")
    fake.on_poll = lambda count: fake.receives("shop") if count == 3 else None

    ran = connect("--timeout", "60")

    assert ran.code == 0, ran.err
    assert "services that are there: backend-api (--service NAME waits for one of them)" in ran.err
    assert re.search(r"^shop is connected, after [0-9.]+ s$", ran.err, re.MULTILINE)
    shown = ran.out[ran.out.index("logs of shop, in Loki after") :]
    assert re.sub(r"after [0-9.]+ s|time: .+", "…", shown).splitlines() == [
        "logs of shop, in Loki …",
        "  …",
        "  body: hello from shop",
        "  service_name: shop",
        "  severity_text: INFO",
        "traces of shop, in Tempo …",
        "  …",
        "  name: GET /books",
        "  trace_id: 1234567890abcdef1234567890abcdef",
        "  span_id: 1234567890abcdef",
        "  kind: SPAN_KIND_SERVER",
        "  duration_ms: 2.5",
        "  http.route: /books",
        "  resource.service.name: shop",
        "metrics of shop, in Prometheus …",
        "  name: books_sold_total",
        "  value: 7",
        "  service_name: shop",
    ]
    # Asked as the operator; the Collector as the service, before anything is waited for.
    assert fake.passwords == {"Basic Z2xhc3Nob3VzZTp0aGUtcGFzc3dvcmQ="}
    assert fake.sent == [("/v1/logs", f"Bearer {TOKEN}", {"resourceLogs": []})]


@pytest.mark.parametrize("no_color", ["", "1"])
def test_on_a_terminal_a_record_begins_a_line_of_its_own(fake: Fake, no_color: str) -> None:
    # So the notes beside the spinner are drawn before the records come.
    fake.on_poll = lambda count: fake.receives("shop") if count == 4 else None
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "100"}
    environment |= {"NO_COLOR": no_color} if no_color else {}
    outer, inner = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "--timeout", "60"], stdout=inner, stderr=inner, env=environment
    ) as popen:
        os.close(inner)
        shown = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while chunk := os.read(outer, 65536):
                shown += chunk
        assert popen.wait(60) == 0
    os.close(outer)
    text = shown.decode()
    assert "no logs, traces, metrics yet" in text
    # What is left of the spinner's line is taken away: the cursor goes up, and the line is erased.
    before, _, _ = text.partition("logs of shop, in Loki after ")
    assert re.search(r"\x1b\[1A(\r?)\x1b\[2K$", before), before[-200:]
    assert bool(re.search(r"\x1b\[[0-9;]*3[0-9;]*m", text)) is not bool(no_color)


@pytest.mark.parametrize(
    ("port", "part"), [("3100", "loki"), ("3200", "tempo"), ("9090", "prometheus")]
)
def test_the_proxy_lets_every_question_pass(fake: Fake, port: str, part: str) -> None:
    fake.on_poll = lambda count: fake.receives("shop") if count == 2 else None
    assert connect("--timeout", "60").code == 0

    config = (deployed.ROOT / "proxy" / "nginx.conf").read_text(encoding="utf-8")
    [server] = [one for one in config.split("server {") if f"listen {port};" in one]
    allowed = re.findall(r'location ~ "(\^[^"]+)" \{', server)
    asked = {path for path in fake.asked if part_of(path) == part}
    assert len(asked) >= 2
    closed = {path for path in asked if not any(re.match(one, path) for one in allowed)}
    assert closed == set()
    assert not any(re.match(one, "/api/v1/write") for one in allowed)


def test_scripts_get_one_document(fake: Fake) -> None:
    fake.on_poll = lambda count: fake.receives("shop") if count == 2 else None

    ran = connect("--json", "--timeout", "60")

    assert (ran.code, ran.err) == (0, "")
    document = ran.document
    assert (
        document["environment"]["OTEL_EXPORTER_OTLP_HEADERS"] == f"authorization=Bearer%20{TOKEN}"
    )
    assert document["secret"] == ["OTEL_EXPORTER_OTLP_HEADERS"]
    assert yaml.safe_load(document["compose"])["networks"]["glasshouse"]["external"] is True
    assert document["service"] == "shop"
    assert (document["missing"], document["reasons"], document["refusals"]) == ([], [], [])
    logs, traces, metrics = (document["records"][one] for one in ("logs", "traces", "metrics"))
    assert (logs["backend"], logs["record"]["body"]) == ("Loki", "hello from shop")
    assert (traces["backend"], traces["record"]["name"]) == ("Tempo", "GET /books")
    assert (metrics["backend"], metrics["record"]["value"]) == ("Prometheus", "7")
    assert metrics["time"] is None
    assert logs["time"].endswith("+00:00")


def test_a_token_in_a_record_is_not_shown(fake: Fake) -> None:
    fake.receives("shop")
    fake.logs["shop"] = [log(f"sent {TOKEN} and Bearer%20{PREVIOUS}", header=f"Bearer {TOKEN}")]
    fake.traces["shop"] = [
        span(f"GET /{PREVIOUS}", attributes={"authorization": f"Bearer {TOKEN}"})
    ]
    fake.metrics["shop"] = [point("m", **{"service_name": "shop", f"l_{TOKEN}": PREVIOUS})]

    people, scripts = connect("--service", "shop"), connect("--service", "shop", "--json")

    assert (people.code, scripts.code) == (0, 0)
    # Once: the variable itself.
    assert people.out.count(TOKEN) == 1
    assert scripts.out.count(TOKEN) == 1
    assert PREVIOUS not in people.out + scripts.out
    assert TOKEN not in people.err
    assert "  body: sent [otlp_token] and Bearer%20[otlp_token]" in people.out.splitlines()
    assert "  l_[otlp_token]: [otlp_token]" in people.out.splitlines()


def test_a_record_cannot_move_the_cursor_or_add_a_line(fake: Fake) -> None:
    fake.receives("shop")
    fake.logs["shop"] = [log("a\x1b[2Jb\nexport X=1" + "c" * 5000)]

    ran = connect("--service", "shop")

    [line] = [line for line in ran.out.splitlines() if line.startswith("  body: ")]
    assert line.startswith("  body: a\\x1b[2Jb\\nexport X=1ccc")
    assert line.endswith("c… (5,017 characters)")


def test_the_earliest_record_is_the_first(fake: Fake) -> None:
    now = time.time_ns()
    fake.receives("shop")
    fake.logs["shop"] = [log("second", moment=now - 10**9), log("first", moment=now - 2 * 10**9)]
    fake.traces["shop"] = [span("second", began=now - 10**9), span("first", began=now - 2 * 10**9)]

    records = connect("--service", "shop", "--json").document["records"]

    assert records["logs"]["record"]["body"] == "first"
    assert records["traces"]["record"]["name"] == "first"


def test_a_named_service_may_be_there_already_but_not_for_long(fake: Fake) -> None:
    fake.receives("shop")
    fake.logs["shop"] = [log("of an hour ago", moment=time.time_ns() - 3600 * 10**9)]

    document = connect("--service", "shop", "--json", "--timeout", "0").document

    assert sorted(document["records"]) == ["metrics", "traces"]
    assert document["missing"] == ["logs"]


def test_only_the_signals_asked_for_are_waited_for(fake: Fake) -> None:
    fake.receives("shop")

    document = connect("--service", "shop", "--json", "--signal", "traces").document

    assert (list(document["records"]), document["missing"]) == (["traces"], [])


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        ("metrics", "OTEL_METRIC_EXPORT_INTERVAL=2000"),
        ("traces", "OTEL_TRACES_SAMPLER"),
        ("logs", "handler or appender"),
    ],
)
def test_a_signal_that_alone_is_missing_is_explained(
    fake: Fake, lacking: str, expected: str
) -> None:
    def without(count: int) -> None:
        if count == 2:
            fake.receives("shop")
            getattr(fake, lacking).clear()

    fake.on_poll = without
    ran = connect("--timeout", "0")

    assert ran.code == 1
    assert re.search(rf"^no {lacking} in 0 s\. Why, and what to check:$", ran.err, re.MULTILINE)
    [reason] = [line for line in ran.err.splitlines() if line.startswith("- ")]
    assert reason.startswith(f"- other signals arrived, {lacking} did not")
    assert expected in reason


def test_a_request_without_a_token_is_reported_while_waiting(fake: Fake) -> None:
    fake.counters = [refused("unauthenticated", 40), refused("host", 3)]

    def refuse(count: int) -> None:
        if count == 3:
            fake.counters = [refused("unauthenticated", 42), refused("host", 3)]
        if count == 6:
            fake.receives("shop")

    fake.on_poll = refuse
    ran = connect("--timeout", "60")

    assert ran.code == 0, ran.err
    [line] = [line for line in ran.err.splitlines() if "refused" in line]
    assert line == (
        "the Collector refused 2 requests over HTTP without a token that is accepted (HTTP 401, "
        "gRPC UNAUTHENTICATED): is OTEL_EXPORTER_OTLP_HEADERS set where the service runs, as it is "
        "printed, with the whole token and %20 before it?"
    )


REASONS = ["size", "decoded_size", "in_flight", "concurrency", "slow", "malformed", "host"]


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_of_the_collector_has_its_words(fake: Fake, reason: str) -> None:
    def refuse(count: int) -> None:
        fake.counters = [refused(reason, 0 if count < 2 else 1, protocol="grpc")]

    fake.on_poll = refuse
    document = connect("--json", "--timeout", "0").document

    [found] = document["refusals"]
    assert (found["where"], found["reason"], found["count"]) == ("requests", reason, 1)
    assert found["detail"].startswith("the Collector refused 1 request over gRPC ")
    assert not found["detail"].endswith(f"({reason})")
    assert {"detail": found["detail"], "next": found["next"]} in document["reasons"]


def test_every_reason_that_the_collector_knows_is_here() -> None:
    source = (deployed.ROOT / "collector/otlplimits/telemetry.go").read_text(encoding="utf-8")
    [loop] = re.findall(r"range \[\]string\{([^}]+)\} \{\s+refusals\.Add", source)
    words = dict(re.findall(r"(for[A-Za-z]+)\s+= \"(\w+)\"", source))

    reasons = {words[name] for name in re.findall(r"for[A-Za-z]+", loop)}

    assert reasons == set(refusals.AT_THE_DOOR)
    assert reasons == {*REASONS, "unauthenticated"}


def test_records_that_were_dropped_later_are_named_with_their_service(fake: Fake) -> None:
    fake.receives("backend-api")

    def drop(count: int) -> None:
        more = 0 if count < 2 else 5
        fake.counters = [
            dropped("refused", "shop", more),
            dropped("set_aside", "shop", more * 2),
            dropped("refused", "backend-api", more),
        ]

    fake.on_poll = drop
    document = connect("--json", "--timeout", "0").document

    assert [(one["service"], one["count"], one["detail"]) for one in document["refusals"]] == [
        ("shop", 10, "the Collector set aside 10 records (logs) of shop: late"),
        ("shop", 5, "the Collector dropped 5 records (logs) of shop: late"),
    ]
    assert document["refusals"][0]["next"] == "`make dead-letters`"


def test_a_collector_that_started_again_counts_from_zero(fake: Fake) -> None:
    fake.counters = [refused("host", 100)]

    def restart(count: int) -> None:
        if count == 2:
            fake.counters = [refused("host", 4)]

    fake.on_poll = restart
    [found] = connect("--json", "--timeout", "0").document["refusals"]

    assert found["count"] == 4


def test_where_nothing_comes_what_to_check_is_said(fake: Fake) -> None:
    fake.receives("backend-api")

    ran = connect("--timeout", "0")

    assert ran.code == 1
    assert "no logs and no traces and no metrics in 0 s. Why, and what to check:" in ran.err
    text = ran.err.partition("Why, and what to check:")[2]
    for expected in (
        "the Collector counted no request that it refused",
        "env | grep ^OTEL_",
        "OTEL_SDK_DISABLED",
        f"in a container {fake.url} leads to the container itself",
        "services that have sent before are not waited for: backend-api",
    ):
        assert expected in text


def test_the_doctor_s_canary_is_no_new_service(fake: Fake) -> None:
    fake.on_poll = lambda count: fake.receives("glasshouse-doctor") if count == 2 else None

    document = connect("--json", "--timeout", "0").document

    assert (document["service"], document["records"]) == (None, {})


def test_of_two_new_services_one_is_shown_and_the_other_named(fake: Fake) -> None:
    def both(count: int) -> None:
        if count == 2:
            fake.receives("books")
            fake.receives("shop")
            fake.metrics.clear()

    fake.on_poll = both
    document = connect("--json", "--timeout", "0").document

    assert document["service"] == "books"
    assert {"detail": "there are more new services: shop", "next": "--service NAME"} in document[
        "reasons"
    ]


def test_a_service_without_a_name_is_asked_for_one(fake: Fake) -> None:
    fake.on_poll = lambda count: fake.receives("unknown_service:node") if count == 2 else None

    ran = connect("--timeout", "60")

    assert ran.code == 0
    assert "unknown_service:node: the service was given no name, set OTEL_SERVICE_NAME" in ran.err


def test_a_backend_that_fails_meanwhile_is_a_reason(fake: Fake) -> None:
    def fail(count: int) -> None:
        if count == 2:
            fake.receives("shop")
            fake.down["tempo"] = ALWAYS

    fake.on_poll = fail
    document = connect("--json", "--timeout", "0").document

    assert document["missing"] == ["traces"]
    assert document["reasons"][0] == {
        "detail": f"Tempo at {fake.url}: HTTP 503",
        "next": "`make doctor`",
    }


def test_a_backend_that_comes_back_is_no_reason(fake: Fake) -> None:
    def fail(count: int) -> None:
        if count == 2:
            fake.receives("shop")
            fake.down["tempo"] = 3

    fake.on_poll = fail
    document = connect("--json", "--timeout", "60").document

    assert fake.down["tempo"] == 0
    assert (document["missing"], document["reasons"]) == ([], [])


def test_a_backend_that_came_back_without_a_record_is_no_reason_either(fake: Fake) -> None:
    def fail(count: int) -> None:
        if count == 2:
            fake.receives("shop")
            fake.traces.clear()
            fake.down["tempo"] = 1

    fake.on_poll = fail
    # Time for the second question, also on a slow machine.
    document = connect("--json", "--timeout", "3").document

    assert fake.down["tempo"] == 0
    assert document["missing"] == ["traces"]
    assert [one["detail"].split(",")[0] for one in document["reasons"]] == ["other signals arrived"]


@pytest.mark.parametrize("part", ["loki", "tempo", "prometheus"])
def test_a_backend_that_is_down_at_first_is_one_line(fake: Fake, part: str) -> None:
    fake.down[part] = ALWAYS

    ran = connect()

    assert ran.code == 1
    assert ran.err.splitlines()[-1] == f"error: {part.capitalize()} at {fake.url}: HTTP 503"


def test_a_token_that_the_collector_does_not_take_is_one_line(fake: Fake) -> None:
    fake.otlp = 401

    ran = connect()

    assert ran.code == 1
    assert ran.err.splitlines()[-1].startswith(
        "error: the Collector does not take what is printed here: HTTP 401"
    )


def test_a_stack_that_is_not_up_is_one_line(fake: Fake, root: Path) -> None:
    [free] = ports.free(["any"]).values()
    text = (root / ".env").read_text()
    (root / ".env").write_text(re.sub(r"(HEALTH_PORT)=\d+", rf"\1={free}", text))

    ran = connect()

    assert ran.code == 1
    assert ran.err.splitlines()[-1] == (
        "error: the Collector does not answer, ConnectError: `make up` starts it"
    )


def test_without_a_token_none_is_sent(fake: Fake, root: Path) -> None:
    with (root / ".env").open("a") as file:
        file.write("OTLP_AUTH=none\n")
    fake.receives("shop")
    # A secret still: it opens the ports again once OTLP_AUTH is what it was.
    fake.logs["shop"] = [log(f"sent {TOKEN}")]

    ran = connect("--service", "shop", "--json")

    assert ran.code == 0
    assert fake.sent == [("/v1/logs", None, {"resourceLogs": []})]
    assert TOKEN not in ran.out
    assert ran.document["secret"] == []


@pytest.mark.parametrize(
    "answer", [b"[]", b"{}", b"no json", b'{"data":{"result":[1]}}', b'{"data":1,"traces":[1]}']
)
def test_an_answer_that_is_none_is_named_and_ends_nothing(root: Path, answer: bytes) -> None:
    class Odd(http_server.Handler):
        def do_GET(self) -> None:
            self.answer(answer)

    with http_server.serving(Odd) as url, httpx.Client(timeout=240, trust_env=False) as http:
        stored = Stored(http, dict.fromkeys(Signal, url))
        for signal in (Signal.LOGS, Signal.METRICS):
            with pytest.raises(Unanswered, match=r"\w+ at \S+: an answer that cannot be read"):
                stored.first(signal, "shop", since_s=60)


def test_every_kind_of_value_is_shown() -> None:
    values = {
        "text": {"stringValue": "a"},
        "whole": {"intValue": "9007199254740993"},
        "real": {"doubleValue": 0.5},
        "flag": {"boolValue": False},
        "list": {"arrayValue": {"values": [{"intValue": "1"}, {}]}},
        "map": {"kvlistValue": {"values": [{"key": "k", "value": {"stringValue": "v"}}]}},
        "empty": {},
    }
    carried = {"attributes": [{"key": key, "value": value} for key, value in values.items()]}

    assert attributes(carried) == {
        "empty": None,
        "flag": False,
        "list": [1, None],
        "map": {"k": "v"},
        "real": 0.5,
        "text": "a",
        "whole": 9007199254740993,
    }
