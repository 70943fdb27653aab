"""What a service imports by our start: nothing that its settings do not ask for.

Times cannot be asserted, so these are names: of what takes long, or is of use to few.
"""

import importlib.util
import json
import subprocess
import sys
from typing import Any

import pytest

from support import shop_process

# Each takes about as long to import as the SDK itself.
HEAVY = ["google.protobuf", "grpc", "requests", "urllib3"]
# Of these no part either, whatever is exported. YAML and what reads it are for a policy of one's
# own, pools of threads for services that have some; the rest are commands, tests and settings that
# name them.
NEVER = [
    "_glasshouse_pytest",
    "glasshouse.__main__",
    "glasshouse.acknowledged",
    "glasshouse.checking",
    "glasshouse.command",
    "glasshouse.prometheus",
    "glasshouse.redaction.deriving",
    "glasshouse.redaction.policy_file",
    "glasshouse.redaction.schema",
    "glasshouse.testing",
    "jsonschema",
    "multiprocessing.pool",
    "opentelemetry.exporter.prometheus",
    "yaml",
]
SHOW = f"""
import json, os, sys
print(json.dumps([name for name in {HEAVY + NEVER} if name in sys.modules]), flush=True)
os._exit(0)
"""
SIGNALS = ("TRACES", "METRICS", "LOGS")


def imported(*command: str, **variables: str) -> list[str]:
    code = f"{'' if command else IMPORT}{SHOW}"
    return run(*command, sys.executable, "-c", code, **variables)


def run(*command: str, **variables: str) -> list[Any]:
    ran = subprocess.run(
        command,
        env=shop_process.environment(
            "http://127.0.0.1:1", GLASSHOUSE_HMAC_KEY="sixteen bytes or more", **variables
        ),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    # Beside the console's own lines, which are maps.
    [found] = [line for line in ran.stdout.splitlines() if line.startswith("[")]
    return json.loads(found)


IMPORT = "import glasshouse.distro, glasshouse.configurator\n"


def test_the_modules_themselves_import_no_exporter_and_nothing_that_few_need() -> None:
    assert imported() == []


def test_what_is_not_imported_could_be() -> None:
    """A module that is renamed would otherwise leave the list without a word."""
    assert [name for name in NEVER if importlib.util.find_spec(name) is None] == []


@pytest.mark.parametrize(
    ("exporter", "wanted"),
    [("none", []), ("otlp", ["google.protobuf", "requests", "urllib3"])],
    ids=["none", "otlp"],
)
def test_a_start_imports_the_exporter_that_is_chosen(exporter: str, wanted: list[str]) -> None:
    chosen = {f"OTEL_{signal}_EXPORTER": exporter for signal in SIGNALS}
    # Those of libraries would import these libraries.
    found = imported(str(shop_process.INSTRUMENT), GLASSHOUSE_INSTRUMENTATIONS="", **chosen)
    assert found == wanted


# A route that fails, one that logs what is redacted, and a control that imports something.
FIRST = """
import asyncio, json, logging, os, sys
from fastapi import FastAPI
from opentelemetry import metrics, trace

app = FastAPI()
logger = logging.getLogger("shop")
taken = metrics.get_meter("shop").create_histogram("shop.taken")

@app.get("/items/{item}")
async def items(item: str, mail: str = ""):
    with trace.get_tracer("shop").start_as_current_span("look up", attributes={"mail": mail}):
        taken.record(1.5, {"item": item})
        logger.warning("sent to %s", mail, extra={"card": "4111111111111111"})
    return {"item": item}

@app.get("/broken")
async def broken():
    try:
        raise ValueError("jane@example.com")
    except ValueError:
        logger.exception("failed")
    raise KeyError("é@bücher.example")

@app.get("/control")
async def control():
    import wave
    return {}

async def get(path, query=b""):
    sent = []
    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}
    async def send(message):
        sent.append(message)
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": query,
        "root_path": "", "headers": [(b"host", b"shop.example.com")],
        "client": ("192.0.2.1", 1234), "server": ("192.0.2.2", 80),
    }
    try:
        await app(scope, receive, send)
    except KeyError:
        pass
    return sent[0]["status"]

async def main():
    before, found = set(sys.modules), []
    for path in ("/items/1", "/items/2", "/broken", "/control"):
        status = await get(path, b"mail=jane%40example.com")
        found.append([path, status, sorted(set(sys.modules) - before)])
        before = set(sys.modules)
    print(json.dumps(found), flush=True)
    os._exit(0)

asyncio.run(main())
"""


@pytest.mark.parametrize("exporter", ["none", "otlp"])
def test_the_first_requests_import_nothing(exporter: str) -> None:
    """It would be on the event loop, and in each process that was forked before."""
    chosen = {f"OTEL_{signal}_EXPORTER": exporter for signal in SIGNALS}
    found = run(str(shop_process.INSTRUMENT), sys.executable, "-c", FIRST, **chosen)
    ours = ("glasshouse", "opentelemetry", "google", "requests", "urllib3", "re2", "wrapt")
    statuses: list[int] = []
    for path, status, modules in found:
        statuses.append(status)
        assert not [name for name in modules if name.partition(".")[0] in ours], (path, modules)
    assert statuses == [200, 200, 500, 200]
    assert "wave" in found[-1][2]
