"""Which services and servers there are, and what one run of each has shown."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import httpx

from support import frameworks, http_server, otlp_sink, received
from support.received import Log, Point, Span

SECTION: Final = "Web frameworks and servers"
PERSON: Final = "nora.lind@example.org"
CALLERS_ID: Final = "from-the-caller-0001"
# Neither is personal data that a rule knows: only not recording them keeps them out.
BODY: Final = "quietbody7f3a"
HEADER: Final = "quietheader9c1d"
TAIL: Final = 10
READY: Final = "/ready"
# What a web service of this kind has not installed, and would only take time to start.
NOT_THERE: Final = (
    "aiohttp-client,asyncpg,botocore,celery,grpc_aio_client,grpc_aio_server,grpc_client,"
    "grpc_server,procrastinate,psycopg,redis,sqlalchemy,structlog,loguru"
)
COUNTER: Final = "http.server.request.duration"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One service under one server.

    variables: set for it, beside the distro's. prints_access, prints_errors: it writes a line for
    each request, and a traceback for each exception, to the console.
    """

    name: str
    command: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    prints_access: bool = True
    prints_errors: bool = True


@dataclass(kw_only=True)
class Seen:
    """What one run has shown. code, bare_code: how it ended, with the distro and without any."""

    answers: dict[str, httpx.Response] = field(default_factory=dict[str, httpx.Response])
    code: int = 0
    bare_code: int = 0
    console: str = ""
    text: str = ""
    services: list[str] = field(default_factory=list[str])
    spans: list[Span] = field(default_factory=list[Span])
    logs: list[Log] = field(default_factory=list[Log])
    points: list[Point] = field(default_factory=list[Point])

    def servers(self, path: str) -> list[Span]:
        """Return the spans of the server for requests of ``path``."""
        return [
            span
            for span in self.spans
            if span.kind == "SERVER" and span.attributes.get("url.path") == path
        ]

    def saying(self, words: str) -> list[Log]:
        """Return the log records with ``words`` in their body."""
        return [log for log in self.logs if words in str(log.body)]


def commands() -> Iterator[Cell]:
    """Yield every cell."""
    gunicorn = ("gunicorn", "--bind", "127.0.0.1:{port}", "--access-logfile", "-")
    hypercorn = ("hypercorn", "--bind", "127.0.0.1:{port}", "--access-logfile", "-")
    granian = ("granian", "--port", "{port}", "--access-log")
    # By default these two leave the query string out.
    hypercorn += ("--access-logformat", '%(h)s "%(R)s" %(s)s')
    granian += ("--access-log-fmt", "%(addr)s %(method)s %(path)s?%(query_string)s %(status)d")
    granian += ("--interface",)
    uvicorn_worker = ("--worker-class", "uvicorn_worker.UvicornWorker")
    for name, app in {
        "FastAPI": "fastapi_app:app",
        "Starlette": "starlette_app:app",
        "Django (ASGI)": "django_manage:asgi",
    }.items():
        uvicorn = ("uvicorn", app, "--port", "{port}")
        yield Cell(name=f"{name}, uvicorn", command=uvicorn)
        if name == "FastAPI":
            # uvicorn ends a worker that does not answer in time, 5 s, while it still imports.
            workers = (*uvicorn, "--workers", "2", "--timeout-worker-healthcheck", "100")
            yield Cell(name=f"{name}, uvicorn --workers 2", command=workers)
            yield Cell(name=f"{name}, uvicorn --reload", command=(*uvicorn, "--reload"))
        unicorns = (*gunicorn, *uvicorn_worker, app)
        if name != "Starlette":
            yield Cell(name=f"{name}, gunicorn UvicornWorker", command=unicorns)
        if name == "FastAPI":
            yield Cell(
                name=f"{name}, gunicorn UvicornWorker --preload", command=(*unicorns, "--preload")
            )
        yield Cell(name=f"{name}, hypercorn", command=(*hypercorn, app))
        yield Cell(name=f"{name}, granian", command=(*granian, "asgi", app))
    yield Cell(
        name="FastAPI with auto_configure, uvicorn",
        command=("uvicorn", "fastapi_configured_app:app", "--port", "{port}"),
    )
    yield Cell(
        name="FastAPI, uvicorn --log-config",
        command=("uvicorn", "fastapi_app:app", "--port", "{port}", "--log-config", "logging.json"),
    )
    yield Cell(
        name="Flask, gunicorn --log-config",
        command=(*gunicorn, "--log-config", "logging.ini", "flask_app:app"),
    )
    # Django's and gunicorn's own loggers are among the existing ones: neither requests nor errors
    # are written.
    yield Cell(
        name="Django (WSGI), disable_existing_loggers, gunicorn",
        command=(*gunicorn, "django_manage:wsgi"),
        variables={"DJANGO_SETTINGS_MODULE": "django_quiet_settings"},
        prints_access=False,
        prints_errors=False,
    )
    for name, app, own in (
        ("Flask", "flask_app:app", ("flask", "--app", "flask_app", "run", "--port", "{port}")),
        (
            "Django (WSGI)",
            "django_manage:wsgi",
            ("python", "django_manage.py", "runserver", "--noreload", "{port}"),
        ),
    ):
        yield Cell(name=f"{name}, {'flask run' if name == 'Flask' else 'runserver'}", command=own)
        yield Cell(name=f"{name}, gunicorn sync", command=(*gunicorn, "--workers", "2", app))
        yield Cell(name=f"{name}, gunicorn gthread", command=(*gunicorn, "--threads", "4", app))
        yield Cell(name=f"{name}, gunicorn --preload", command=(*gunicorn, "--preload", app))
        yield Cell(name=f"{name}, granian", command=(*granian, "wsgi", app))


CELLS: Final = tuple(commands())


def look(cell: Cell, folder: Path, *, distro: str = "glasshouse") -> Seen:
    """Start the service, ask it for all that the checks need, end it, and gather what came."""
    seen = Seen()
    with (
        otlp_sink.running() as sink,
        http_server.echoing() as warehouse,
        ThreadPoolExecutor() as aside,
    ):
        bare = aside.submit(_bare_code, cell, folder / "bare")
        with frameworks.running(
            cell.command,
            folder / "program",
            endpoint=sink.url,
            ready=READY,
            distro=distro,
            WAREHOUSE_URL=warehouse,
            OTEL_PYTHON_DISABLED_INSTRUMENTATIONS=NOT_THERE,
            **cell.variables,
        ) as program:
            _ask(program.url, seen)
            seen.code = program.stop()
        seen.console = program.console()
        seen.bare_code = bare.result()
    seen.text = received.text(sink)
    seen.spans, seen.logs = received.spans(sink), received.logs(sink)
    seen.points = received.points(sink, COUNTER)
    resources = [item.resource for item in (*seen.spans, *seen.logs, *seen.points)]
    seen.services = [str(one.get("service.name")) for one in resources]
    seen.services += [str(line["service"]) for line in program.lines() if "service" in line]
    return seen


def _bare_code(cell: Cell, folder: Path) -> int:
    with frameworks.running(
        cell.command, folder, endpoint=None, ready=READY, **cell.variables
    ) as program:
        return program.stop()


def _ask(url: str, seen: Seen) -> None:
    # A connection for each: some servers close theirs after an exception.
    one = httpx.Limits(max_keepalive_connections=0)
    client = httpx.Client(base_url=url, timeout=60, trust_env=False, limits=one)
    quiet = {"X-Note": HEADER, "Cookie": f"session={HEADER}", "Authorization": f"Bearer {HEADER}"}
    requests = {
        "first": client.build_request("GET", "/orders/first", headers=quiet),
        "kept": client.build_request("GET", "/orders/kept", headers={"X-Request-ID": CALLERS_ID}),
        "refused": client.build_request("GET", "/orders/refused", headers={"X-Request-ID": PERSON}),
        "posted": client.build_request("POST", "/orders", json={"note": BODY}, headers=quiet),
        "failed": client.build_request("GET", "/invite", params={"to": PERSON}),
        "missing": client.build_request("GET", "/nowhere", params={"to": PERSON}),
        "not allowed": client.build_request("DELETE", "/orders/gone"),
        "head": client.build_request("HEAD", "/orders/head"),
    }
    requests |= {
        f"tail{number}": client.build_request("GET", f"/orders/tail{number}")
        for number in range(TAIL)
    }
    with client:
        for name, request in requests.items():
            seen.answers[name] = client.send(request)
