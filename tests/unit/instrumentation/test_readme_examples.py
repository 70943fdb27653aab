"""What `instrumentation/README.md` shows of tests and of the check is run as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from support import otlp_sink

README = Path(__file__).parents[3] / "instrumentation" / "README.md"
SERVICE = """
from opentelemetry import metrics, trace

from glasshouse import emit_event

payments = metrics.get_meter("shop").create_counter("payments")


def pay(order, mail):
    with trace.get_tracer("shop").start_as_current_span("pay", attributes={"order": order}):
        emit_event("payment.created", "Payment created", mail=mail)
        payments.add(1, {"currency": "EUR"})
"""


def blocks(section: str, language: str) -> list[str]:
    text = README.read_text(encoding="utf-8")
    [found] = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    return re.findall(rf"```{language}\n(.*?)```", found, re.DOTALL)


def test_the_test_of_a_service_passes(tmp_path: Path) -> None:
    example, _ = blocks("Test your service", "python")
    (tmp_path / "test_shop.py").write_text(SERVICE + "\n\n" + example, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "_glasshouse_pytest", "test_shop.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout


def test_the_check_runs() -> None:
    [command] = blocks("Check that it arrives", "sh")
    setting, *words = command.split()
    name, _, value = setting.partition("=")
    assert value == "http://collector:4318"
    with otlp_sink.running() as sink:
        ran = subprocess.run(
            [str(Path(sys.executable).parent / words[0]), *words[1:]],
            env={**os.environ, name: sink.url},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert ran.stdout.count(" arrived ") == 3
