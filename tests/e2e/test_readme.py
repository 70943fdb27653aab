"""The README's commands are run as they stand, and find what it says they find."""

import os
import re
import subprocess
import sys
from pathlib import Path

import httpx

from support import backends, plain_sender
from support.stack import Stack
from support.waiting import PATIENCE_S, until

README = Path(__file__).parents[2] / "README.md"
REQUEST_ID = "readme-0001"
# Its port in the README, and the component that answers there.
PORTS = {
    "4318": "OTLP_HTTP_PORT",
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


def commands(stack: Stack, begin: str, end: str) -> list[str]:
    section = README.read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]
    found = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    for port, variable in PORTS.items():
        found = [
            text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{stack.ports[variable]}")
            for text in found
        ]
    return [text.replace(".glasshouse/", f"{stack.state}/") for text in found]


def test_every_command_finds_the_payment(stack: Stack) -> None:
    found = commands(stack, "## Follow one payment", "\n## ")
    assert len(found) == len(EXPECTED)
    for number, (command, expected) in enumerate(zip(found, EXPECTED, strict=True)):

        def probe(command: str = command, expected: list[str] = expected):
            ran = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            missing = [text for text in expected if text not in ran.stdout]
            return (True if not missing else None), (missing, ran.stdout, ran.stderr)

        # Only the first one changes anything, and it answers at once.
        until(probe, what=f"command {number + 1}", deadline_s=0 if number == 0 else PATIENCE_S)


def test_a_service_with_the_three_lines_is_stored(http: httpx.Client, stack: Stack) -> None:
    [lines] = commands(stack, "Send your own service", "\n## ")
    assert len(lines.splitlines()) == 3
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    sender = f"{sys.executable} -W ignore {plain_sender.__file__}"
    ran = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{lines}\n{sender}"],
        env={**kept, "NO_PROXY": "127.0.0.1"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")

    def stored() -> tuple[bool | None, object]:
        found = backends.loki_lines(http, stack.url("loki"), '{service_name="shop"}')
        lines = [one["line"] for one in found]
        redacted = any(re.fullmatch(r"a book was sold to \[email:\w+\]", line) for line in lines)
        return redacted or None, lines

    until(stored, what="its log, redacted")
