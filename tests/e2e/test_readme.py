"""The README's commands are run as they stand, and find what it says they find."""

import re
import subprocess
from pathlib import Path

from support.stack import Stack
from support.waiting import until

README = Path(__file__).parents[2] / "README.md"
REQUEST_ID = "readme-0001"
# Its port in the README, and the component that answers there.
PORTS = {
    "8000": "SERVICE_PORT",
    "3200": "TEMPO_PORT",
    "3100": "LOKI_PORT",
    "9090": "PROMETHEUS_PORT",
}
# One entry a command, in order: what its output must hold.
EXPECTED = [
    ['"state":"created"', REQUEST_ID],
    ["backend-api | POST /payments", "backend-worker | process confirm_payment"],
    ["backend-api payment.created", "backend-worker payment.confirmed"],
    ["created ", "submitted ", "confirmed "],
]


def commands(stack: Stack) -> list[str]:
    section = README.read_text(encoding="utf-8").partition("## Follow one payment")[2]
    section = section.partition("\n## ")[0]
    found = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    found = [text.replace(".glasshouse/", f"{stack.state}/") for text in found]
    for port, variable in PORTS.items():
        found = [
            text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{stack.ports[variable]}")
            for text in found
        ]
    return [text.replace(".glasshouse/", f"{stack.state}/") for text in found]


def test_every_command_finds_the_payment(stack: Stack) -> None:
    found = commands(stack)
    assert len(found) == len(EXPECTED)
    for number, (command, expected) in enumerate(zip(found, EXPECTED, strict=True)):

        def probe(command: str = command, expected: list[str] = expected):
            ran = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            missing = [text for text in expected if text not in ran.stdout]
            return (True if not missing else None), (missing, ran.stdout, ran.stderr)

        # Only the first one changes anything, and it answers at once.
        until(probe, what=f"command {number + 1}", deadline_s=0 if number == 0 else 60)
