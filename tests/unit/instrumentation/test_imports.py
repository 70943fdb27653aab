"""What a service imports by our start: nothing of exporters that it does not use."""

import json
import subprocess
import sys

import pytest

from support import shop_process

# Each takes about as long to import as the SDK itself.
HEAVY = ["google.protobuf", "grpc", "requests", "urllib3"]
SHOW = f"""
import json, os, sys
print(json.dumps([name for name in {HEAVY} if name in sys.modules]), flush=True)
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


def test_the_modules_themselves_import_no_exporter() -> None:
    assert imported() == []


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
