"""What is compared: the service without telemetry, with ours, with others'."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from glasshouse_cli.errors import StackError

_SETTING = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Server:
    """How uvicorn is run: what reads HTTP, and the event loop."""

    http: str
    loop: str
    # Distributions that it needs.
    needs: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{self.http} + {self.loop}"


SERVERS = {
    "h11": Server(http="h11", loop="asyncio"),
    "httptools": Server(http="httptools", loop="uvloop", needs=("httptools", "uvloop")),
}


# The environment of the service, and of what is in it anyway.
OURS = "servers"


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to run the service.

    ``environment``: the folder below .venv-bench, and the lock in dev/bench/environments.
    ``launcher``: what stands before `python`. ``tracer``: what `serving.py` sets up itself.
    ``needs``: distributions without which it is not what it is named for. ``variables`` may hold
    ``{sink}``, the port that takes telemetry. ``speaks_otlp``: what it sends can be counted.
    """

    name: str
    title: str
    environment: str = OURS
    launcher: tuple[str, ...] = ()
    tracer: str | None = None
    needs: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    speaks_otlp: bool = False


_OTLP = {
    "OTEL_SERVICE_NAME": "backend-api",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:{sink}",
    # Milliseconds, as ours has them: after 5 s, the default, a load's last batch would count as
    # the next load's.
    "OTEL_BSP_SCHEDULE_DELAY": "500",
    "OTEL_BLRP_SCHEDULE_DELAY": "500",
}
# Ours are installed beside: not one of them may run where others are measured.
_OUR_OWN = "celery_worker,loguru,procrastinate,request_context,structlog,threading"

VARIANTS = {
    one.name: one
    for one in (
        Variant(name="off", title="no telemetry"),
        Variant(
            name="glasshouse",
            title="glasshouse",
            launcher=("opentelemetry-instrument",),
            # Also where the other is installed beside.
            variables={**_OTLP, "OTEL_PYTHON_DISTRO": "glasshouse", "GLASSHOUSE_NATIVE": "off"},
            speaks_otlp=True,
        ),
        Variant(
            name="glasshouse-native",
            title="glasshouse with its native part",
            environment="native",
            launcher=("opentelemetry-instrument",),
            needs=("glasshouse-native",),
            variables={**_OTLP, "OTEL_PYTHON_DISTRO": "glasshouse"},
            speaks_otlp=True,
        ),
        Variant(
            name="stock",
            title="OpenTelemetry's own distro and instrumentations",
            environment="stock",
            launcher=("opentelemetry-instrument",),
            needs=(
                "opentelemetry-instrumentation-fastapi",
                "opentelemetry-instrumentation-logging",
            ),
            variables={
                **_OTLP,
                "OTEL_PYTHON_DISTRO": "distro",
                "OTEL_PYTHON_CONFIGURATOR": "configurator",
                "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": _OUR_OWN,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_TRACES_EXPORTER": "otlp",
                "OTEL_METRICS_EXPORTER": "otlp",
                "OTEL_LOGS_EXPORTER": "otlp",
                # The names that ours sends, too.
                "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
                # The providers are set up; FastAPI would add a second exporter to each.
                "FASTAPI_OTEL_AUTO_CONFIGURE": "false",
            },
            speaks_otlp=True,
        ),
        Variant(
            name="ddtrace",
            title="ddtrace (traces)",
            environment="ddtrace",
            launcher=("ddtrace-run",),
            needs=("ddtrace",),
            variables={
                "DD_TRACE_AGENT_URL": "http://127.0.0.1:{sink}",
                "DD_SERVICE": "backend-api",
                "DD_LOGS_INJECTION": "true",
                "DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false",
                "DD_REMOTE_CONFIGURATION_ENABLED": "false",
            },
        ),
        Variant(
            name="sentry",
            title="sentry-sdk (traces, all sampled)",
            tracer="sentry",
            needs=("sentry-sdk",),
            variables={"BENCH_SENTRY_DSN": "http://bench@127.0.0.1:{sink}/1"},
        ),
        Variant(
            name="logfire",
            title="logfire (traces)",
            environment="logfire",
            tracer="logfire",
            needs=("logfire",),
            variables=_OTLP,
            speaks_otlp=True,
        ),
    )
}
BASE = "off"


def parse(text: str) -> Variant:
    """Return the variant of one word: a name, and variables of its own after plus signs.

    ``glasshouse+LOG_LEVEL=ERROR`` is a variant beside ``glasshouse``.

    Raises:
        StackError: there is none of that name, or what follows it is no variable.
    """
    name, *settings = text.split("+")
    if name not in VARIANTS:
        raise StackError(f"--variants: no variant {name!r}: choose of {', '.join(VARIANTS)}")
    return _with(VARIANTS[name], settings, text)


def _with(variant: Variant, settings: list[str], name: str) -> Variant:
    variables: dict[str, str] = {}
    for one in settings:
        found = _SETTING.fullmatch(one)
        if found is None:
            raise StackError(f"--variants: {one!r} after {variant.name} is not NAME=VALUE")
        variables[found[1]] = found[2]
    if not variables:
        return variant
    title = f"{variant.title}, {' '.join(settings)}"
    changed = {**variant.variables, **variables}
    return replace(variant, name=name, title=title, variables=changed)


def parse_all(text: str) -> list[Variant]:
    """Return the variants of a list with commas, `BASE` first: it is what all are divided by.

    Variables that stand alone, as ``+GLASSHOUSE_GC=rare``, hold for each variant and for `BASE`:
    what they change is then no gain or loss of one of them.

    Raises:
        StackError: as `parse`.
    """
    words = [one.strip() for one in text.split(",") if one.strip()]
    common = [one for word in words if word.startswith("+") for one in word[1:].split("+")]
    named = dict.fromkeys([BASE, *(word for word in words if not word.startswith("+"))])
    return [_with(parse(one), common, one) for one in named]


def parse_servers(text: str) -> dict[str, Server]:
    """Return the servers of a list of names with commas.

    Raises:
        StackError: there is none of a name, or no name.
    """
    names = [one.strip() for one in text.split(",") if one.strip()]
    unknown = [one for one in names if one not in SERVERS]
    if unknown or not names:
        what = f"no server {unknown[0]!r}" if unknown else "no server is named"
        raise StackError(f"--servers: {what}: choose of {', '.join(SERVERS)}")
    return {one: SERVERS[one] for one in dict.fromkeys(names)}
