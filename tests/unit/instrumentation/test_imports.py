"""What a service imports by our start: nothing that its settings do not ask for.

Times cannot be asserted, so these are names: of what takes long, or is of use to few.
"""

import importlib.util
import json
import subprocess
import sys

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
    ran = subprocess.run(
        [*command, sys.executable, "-c", f"{'' if command else IMPORT}{SHOW}"],
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
