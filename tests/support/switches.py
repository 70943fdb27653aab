"""Ways that the distro can go, each of which every test of correctness has to pass with.

`GLASSHOUSE_TESTS_SWITCH` names the one that a run of tests goes: `make test-switches` runs the
suites with each. It holds for the processes that tests start, by variables, and for this one, by
what `apply` puts in place.
"""

import importlib
import importlib.util
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

VARIABLE = "GLASSHOUSE_TESTS_SWITCH"


def _nothing() -> None:
    pass


def _light_everywhere() -> None:
    importlib.import_module("glasshouse.light").install()


def _upstream_encodes() -> None:
    exporters = importlib.import_module("glasshouse.delivery.exporters")
    vars(exporters)["takes_encoded"] = lambda _: False


def _nothing_is_known() -> None:
    """Let every instrumentation find code that it does not know."""
    for name in ("fastapi_known", "httpx_calls", "psycopg_statements"):
        module = importlib.import_module(f"glasshouse.instrumentors.{name}")
        vars(module)["digest"] = lambda *_: "unknown"


@dataclass(frozen=True, kw_only=True)
class Switch:
    """One way. ``variables``: for this process and those that tests start. ``apply``: for this one.

    ``suites``: all that says what a record has to hold, and can come out differently this way.
    ``short``: the files that stand for it where time is short. ``leaves_out``: tests that are about
    the other way, by a part of their id, with the reason. ``needs``: a module without which there
    is no such way.
    """

    name: str
    title: str
    short: tuple[str, ...]
    # Of the redaction's own tests those of where it is put in: its engine knows of no way but
    # the native part.
    suites: tuple[str, ...] = (
        "tests/unit/instrumentation",
        "tests/unit/redaction/test_surfaces.py",
    )
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    apply: Callable[[], None] = _nothing
    leaves_out: Mapping[str, str] = field(default_factory=dict[str, str])
    needs: str = ""

    @property
    def is_there(self) -> bool:
        return not self.needs or importlib.util.find_spec(self.needs) is not None


_OWN = "tests/unit/instrumentation"
_BOTH = (_OWN, "tests/unit/redaction")
_CHECK = f"{_OWN}/test_switches.py"
_VECTORS = ("tests/unit/redaction/test_vectors.py",)
_RECORDS = (f"{_OWN}/test_encoding.py", f"{_OWN}/test_encoded_delivery.py")
_SPANS = (f"{_OWN}/test_guard.py", f"{_OWN}/test_tracing.py", f"{_OWN}/test_sampling.py")
_REQUESTS = tuple(f"{_OWN}/test_{name}.py" for name in ("request_context", "response_ids", "wsgi"))

SWITCHES = (
    Switch(
        name="sdk-light",
        title="GLASSHOUSE_SDK=light, in the tests' own process, too",
        short=(_CHECK, *_SPANS),
        variables={"GLASSHOUSE_SDK": "light"},
        apply=_light_everywhere,
    ),
    Switch(
        name="sdk-full",
        title="GLASSHOUSE_SDK=full",
        short=(_CHECK, f"{_OWN}/test_light_choice.py", f"{_OWN}/test_threads.py"),
        variables={"GLASSHOUSE_SDK": "full"},
        leaves_out={"test_the_distro_does_as_the_variable_says": "sets the variable itself"},
    ),
    Switch(
        name="encoding-upstream",
        title="upstream's exporters encode, after the redaction",
        short=(_CHECK, *_RECORDS),
        apply=_upstream_encodes,
        leaves_out={
            "test_another_try_sends_the_same_bytes": "counts what our encoder is asked",
            "test_a_release_that_encodes_elsewhere_gets_records": "is this way",
            "test_shortcut.py": "is the short way, which leads to our encoder alone",
        },
    ),
    Switch(
        name="instrumentations-upstream",
        title="no instrumentation of upstream's is known, so none is shortened",
        short=(_CHECK, *_REQUESTS),
        apply=_nothing_is_known,
        leaves_out={
            "test_httpx_calls.py": "compares both ways by itself",
            "test_psycopg_statements.py": "compares both ways by itself",
            "test_fastapi_requests.py": "compares both ways by itself",
        },
    ),
    Switch(
        name="compression-gzip",
        title="OTEL_EXPORTER_OTLP_COMPRESSION=gzip",
        short=(_CHECK, f"{_OWN}/test_encoded_delivery.py"),
        variables={"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"},
    ),
    Switch(
        name="gc-rare",
        title="GLASSHOUSE_GC=rare",
        short=(_CHECK, f"{_OWN}/test_garbage.py", f"{_OWN}/test_forks.py"),
        variables={"GLASSHOUSE_GC": "rare"},
        leaves_out={"test_it_is_python_s_own_unless_somebody_asks": "is about the other way"},
    ),
    Switch(
        name="native-off",
        title="GLASSHOUSE_NATIVE=off",
        short=(_CHECK, *_VECTORS, f"{_OWN}/test_encoding.py"),
        suites=_BOTH,
        variables={"GLASSHOUSE_NATIVE": "off"},
        needs="glasshouse_native",
    ),
    Switch(
        name="native-on",
        title="GLASSHOUSE_NATIVE=on",
        short=(_CHECK, *_VECTORS, f"{_OWN}/test_encoding.py"),
        suites=_BOTH,
        variables={"GLASSHOUSE_NATIVE": "on"},
        needs="glasshouse_native",
    ),
)


def chosen() -> Switch | None:
    """Return the way that this run goes; ``None`` for what is the default.

    Raises:
        ValueError: there is none of that name.
    """
    name = os.environ.get(VARIABLE, "")
    if not name:
        return None
    found = next((one for one in SWITCHES if one.name == name), None)
    if found is None:
        names = ", ".join(one.name for one in SWITCHES)
        raise ValueError(f"{VARIABLE}: there is no switch {name!r}: choose of {names}")
    return found


def variables() -> Mapping[str, str]:
    """Return what processes that a test starts get beside their own."""
    found = chosen()
    return found.variables if found else {}


def apply() -> None:
    """Let this process go the chosen way."""
    found = chosen()
    if found is not None:
        os.environ.update(found.variables)
        found.apply()
