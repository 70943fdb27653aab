"""The OpenTelemetry distro: defaults, and which instrumentations run."""

import functools
import logging
import os
import re
from collections.abc import Iterator
from importlib.metadata import Distribution, EntryPoint, metadata
from typing import Any, Final

from opentelemetry.distro import OpenTelemetryDistro
from opentelemetry.instrumentation import bootstrap_gen
from opentelemetry.instrumentation.dependencies import (
    DependencyConflict,
    get_dist_dependency_conflicts,
)
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from glasshouse import versions
from glasshouse.errors import ConfigurationError
from glasshouse.installed import entry_points, version_of
from glasshouse.instrumentors.upstream import answer_with_ids, instrument
from glasshouse.propagation import hosts_from

ALLOWED_VARIABLE: Final = "GLASSHOUSE_INSTRUMENTATIONS"
DISABLED_VARIABLE: Final = "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"

DEFAULTS: Final = {
    # By name, because opentelemetry-distro brings a configurator of its own.
    "OTEL_PYTHON_CONFIGURATOR": "glasshouse",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    # Seconds. The default of 10 is what delays the exit when the Collector is dead.
    "OTEL_EXPORTER_OTLP_TIMEOUT": "2",
    # The stable names; the contrib packages still default to the old ones.
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http,database",
    # Milliseconds. A span or log is on its way within half a second.
    "OTEL_BSP_SCHEDULE_DELAY": "500",
    "OTEL_BLRP_SCHEDULE_DELAY": "500",
    # What people say to a model and what it answers: upstream's, Traceloop's, OpenInference's.
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "false",
    "TRACELOOP_TRACE_CONTENT": "false",
    "OPENINFERENCE_HIDE_INPUTS": "true",
    "OPENINFERENCE_HIDE_OUTPUTS": "true",
    # No header is recorded unless a service names it; of those, these never in clear text.
    "OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS": (
        ".*authorization.*,.*cookie.*,.*api-key.*,.*token.*,.*session.*,.*secret.*"
    ),
    # `glasshouse.capture` exports what is logged, once.
    "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION": "false",
    # The providers are set up; FastAPI would add a second exporter to each.
    "FASTAPI_OTEL_AUTO_CONFIGURE": "false",
    # Items. A burst waits here until the batch thread gets a turn; 2,048 is its tenth of a second.
    "OTEL_BSP_MAX_QUEUE_SIZE": "16384",
    "OTEL_BLRP_MAX_QUEUE_SIZE": "16384",
    # What is delivered and what is given up are metrics of the SDK.
    "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED": "true",
}

_GROUP: Final = "opentelemetry_instrumentor"
# Since then FastAPI records its requests itself; a second layer would count each of them twice.
_FASTAPI_OWN: Final = "0.142"
# A driver records each statement; SQLAlchemy's layer would record it again.
_DRIVERS: Final = (
    "aiopg",
    "asyncpg",
    "mysql",
    "mysqlclient",
    "psycopg",
    "psycopg2",
    "pymssql",
    "pymysql",
    "sqlite3",
)
# Off unless named: what they would do to a service that did not ask for them.
_ON_REQUEST: Final = {
    "asyncclick": "one span around a whole command, with its arguments",
    "click": "one span around a whole command, with its arguments",
    "exceptions": "uncaught exceptions are logged already",
    "logging": "what is logged is captured already",
}
# Not worth a hint: what servers and other tools bring along.
_UNHINTED: Final = frozenset(
    {"asgiref", "asyncclick", "boto3", "click", "jinja2", "psutil", "pydantic"}
)
# Of which there is nothing to say at the start.
_ABSENT: Final = "its library is not installed"
# Of a requirement: https://packaging.python.org/en/latest/specifications/name-normalization/
_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_EXTRA: Final = re.compile(r"""extra == ['"]([\w-]+)['"]""")

_logger = logging.getLogger("glasshouse")
# It warns about each configurator and package that is not used; the start-up line says that.
_LOADER: Final = "opentelemetry.instrumentation.auto_instrumentation._load"


class GlasshouseDistro(OpenTelemetryDistro):
    """The distro that ``OTEL_PYTHON_DISTRO=glasshouse`` selects.

    All installed instrumentations run, but for those that would record a thing twice.
    ``GLASSHOUSE_INSTRUMENTATIONS`` (names with commas) narrows: only those named, or, with names
    that begin with ``-``, all but those. One that cannot be loaded costs only itself.
    """

    active: Final[list[str]] = []
    # Name and reason, of what was met and is off.
    off: Final[dict[str, str]] = {}

    def _configure(self, **kwargs: Any) -> None:
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        loader = logging.getLogger(_LOADER)
        loader.setLevel(logging.ERROR)
        # A version that is refused is no error; the start-up line says it.
        loader.addFilter(lambda record: record.exc_info is not None)
        answer_with_ids()
        super()._configure(**kwargs)  # pyright: ignore[reportUnknownMemberType]  # upstream is untyped

    def load_instrumentor(self, entry_point: EntryPoint, **kwargs: Any) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]  # upstream has its own alias of EntryPoint
        """Activate one instrumentation, unless it is off."""
        name = entry_point.name
        if kwargs.get("skip_dep_check") and entry_point.dist is not None:
            # The loader found none.
            _conflicts[id(entry_point.dist)] = (entry_point.dist, None)
        reason = why_off(entry_point)
        if reason is None:
            reason = _switch_on(entry_point, {**kwargs, "skip_dep_check": True})
        if reason is None:
            self.active.append(name)
        else:
            self.off[name] = reason


def _switch_on(entry: EntryPoint, options: dict[str, Any]) -> str | None:
    """Return why it failed; ``None`` if it did not."""
    try:
        instrument(entry.name, entry.load()(), hosts_from(), **options)
    except ModuleNotFoundError as error:
        missing = error.name or ""
        return f"{missing} is not installed" if missing.startswith("opentelemetry") else _ABSENT
    except Exception as error:  # noqa: BLE001  # foreign code: it must not cost the others
        return f"failed: {type(error).__qualname__}: {error}"
    return None


def chosen() -> tuple[frozenset[str] | None, frozenset[str]]:
    """Return the names that alone may run, ``None`` for all, and the names that may not."""
    names = [name.strip() for name in os.environ.get(ALLOWED_VARIABLE, "").split(",")]
    without = frozenset(name[1:].strip() for name in names if name.startswith("-"))
    only = frozenset(name for name in names if name and not name.startswith("-"))
    if not only and (without or ALLOWED_VARIABLE not in os.environ):
        return None, without
    return only, without


def check_allowed() -> None:
    """Refuse a name in ``GLASSHOUSE_INSTRUMENTATIONS`` that no installed package provides.

    Raises:
        ConfigurationError: names the unknown ones and those there are.
    """
    known = {entry.name for entry in entry_points(group=_GROUP)}
    only, without = chosen()
    unknown = sorted(((only or frozenset()) | without) - known)
    if unknown:
        message = f"{ALLOWED_VARIABLE}: no such instrumentation: {', '.join(unknown)}"
        raise ConfigurationError(f"{message}; installed are {', '.join(sorted(known))}")


def why_off(entry: EntryPoint) -> str | None:
    """Return why an installed instrumentation is not to run; ``None`` if it is."""
    name = entry.name
    only, without = chosen()
    disabled = _disabled()
    if name in disabled or "*" in disabled:
        return f"disabled by {DISABLED_VARIABLE}"
    if conflict := _conflict(entry):
        return _refusal(conflict)
    if name in without or (only is not None and name not in only):
        return f"left out by {ALLOWED_VARIABLE}"
    if name == "fastapi" and _fastapi_records_itself():
        return "FastAPI has its own"
    if not _is_ours(entry) and any(map(_is_ours, entry_points(group=_GROUP, name=name))):
        return "glasshouse has its own"
    if only is not None:
        return None
    if name == "sqlalchemy" and (drivers := [each for each in _DRIVERS if _will_run(each)]):
        return f"its statements are recorded by {', '.join(drivers)}"
    if name == "boto3sqs" and _will_run("botocore"):
        return "its calls are recorded by botocore"
    return _ON_REQUEST.get(name)


def _is_ours(entry: EntryPoint) -> bool:
    # Not by its distribution, whose name is read from all of its metadata.
    return entry.value.startswith(f"{__package__}.")


# By the id of a distribution, which is kept so that the id stays its own. Requirements are read
# from all of the metadata, and every package is asked about at the start more than once.
_conflicts: Final[dict[int, tuple[Distribution, DependencyConflict | None]]] = {}


def _conflict(entry: EntryPoint) -> DependencyConflict | None:
    dist = entry.dist
    if dist is None:
        return None
    if (known := _conflicts.get(id(dist))) is None:
        known = _conflicts[id(dist)] = (dist, get_dist_dependency_conflicts(dist))
    return known[1]


def _will_run(name: str) -> bool:
    disabled = _disabled()
    if name in disabled or "*" in disabled or name in chosen()[1]:
        return False
    return any(
        entry.dist is not None and _conflict(entry) is None
        for entry in entry_points(group=_GROUP, name=name)
    )


def _disabled() -> frozenset[str]:
    return frozenset(name.strip() for name in os.environ.get(DISABLED_VARIABLE, "").split(","))


def _fastapi_records_itself() -> bool:
    found = version_of("fastapi")
    return found is not None and Requirement(f"fastapi>={_FASTAPI_OWN}").specifier.contains(
        found, prereleases=True
    )


def announce() -> None:
    """Write the one start-up line: what records, what does not and why, what could.

    Versions of OpenTelemetry that the package was not tested with get a warning of their own.
    """
    _logger.info(
        "Telemetry started",
        extra={
            "instrumentations.active": sorted(GlasshouseDistro.active),
            "instrumentations.skipped": [f"{name} ({why})" for name, why in _skipped()],
            "instrumentations.available": list(_available()),
            "propagation.hosts": list(hosts_from().names),
            "opentelemetry.found": versions.found(),
            "opentelemetry.tested": versions.tested(),
        },
    )
    if line := versions.warning():
        _logger.warning(line)


def _skipped() -> Iterator[tuple[str, str]]:
    for entry in sorted(entry_points(group=_GROUP), key=lambda entry: entry.name):
        if entry.name not in GlasshouseDistro.active:
            why = GlasshouseDistro.off.get(entry.name) or why_off(entry)
            if why and (why != _ABSENT or entry.name in (chosen()[0] or ())):
                yield entry.name, why


def _refusal(conflict: DependencyConflict) -> str:
    wanted = conflict.required or " or ".join(map(str, conflict.required_any or ()))
    found = conflict.found or ", ".join(map(str, conflict.found_any or ()))
    return f"wants {_plain(str(wanted))}, found {found}" if found else _ABSENT


def _plain(requirement: str) -> str:
    return requirement.partition(";")[0].strip()


def _available() -> Iterator[str]:
    """Yield a hint for each library that is here without its instrumentation."""
    libraries: list[dict[str, str]] = bootstrap_gen.libraries
    # By name first: a requirement is parsed where there is something to say.
    pairs = [(each, _named(each["library"]), _named(each["instrumentation"])) for each in libraries]
    recorded = {library for _, library, package in pairs if version_of(package)}
    ours = {entry.name for entry in entry_points(group=_GROUP) if _is_ours(entry)}
    hinted: set[str] = set()
    for each, library, package in pairs:
        if library in _UNHINTED | hinted | ours or version_of(package):
            continue
        found = version_of(library)
        if found is None:
            continue
        if not Requirement(each["library"]).specifier.contains(found, prereleases=True):
            continue
        if library in ("fastapi", "starlette") and _fastapi_records_itself():
            continue
        hinted.add(library)
        state = (
            "is recorded in part" if library in recorded else "is here, its instrumentation is not"
        )
        yield f"{library} {state}: pip install {_installable(package)}"


def _named(requirement: str) -> str:
    found = _NAME.match(requirement.strip())
    return found[0] if found else ""


def _installable(package: str) -> str:
    """Return our extra that brings ``package`` along, where there is one, else itself."""
    extra = _extras().get(canonicalize_name(package))
    return package if extra is None else f"glasshouse[{extra}]"


@functools.cache
def _extras() -> dict[str, str]:
    """Return the extra of each package that one brings along."""
    found: dict[str, str] = {}
    for line in metadata("glasshouse").get_all("Requires-Dist") or ():
        extra = _EXTRA.search(line)
        # A service wants the part that it lacks, not every one.
        if extra is not None and extra[1] != "all":
            found.setdefault(canonicalize_name(_named(line)), extra[1])
    return found
