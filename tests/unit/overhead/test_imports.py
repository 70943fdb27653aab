"""What `make bench` measures of imports: what a service pays, with compiled files."""

import sys
from pathlib import Path

import pytest

from glasshouse_bench.overhead import imports
from glasshouse_cli.errors import StackError

PYTHON = Path(sys.executable)


def test_no_variable_of_the_caller_keeps_python_from_compiling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    code = "import os, sys; sys.exit(sys.dont_write_bytecode or 'OTEL_SDK_DISABLED' in os.environ)"
    assert imports.cpu_ms(PYTHON, code) > 0


def test_a_program_that_fails_is_no_measurement() -> None:
    with pytest.raises(StackError, match="run make bench"):
        imports.cpu_ms(PYTHON, "import nothing_of_that_name")


def test_upstreams_own_imports_stand_beside_ours() -> None:
    found = imports.measure(PYTHON, 1)
    assert "nothing" not in found
    assert {"glasshouse", "opentelemetry.distro"} <= set(found)
    assert all(one["pairs"] == 1 for one in found.values())
