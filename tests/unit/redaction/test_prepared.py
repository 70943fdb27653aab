"""Nothing is compiled while a record waits for it."""

from typing import Any

import pytest
import re2  # pyright: ignore[reportMissingTypeStubs]  # it has no types
from tests.unit.redaction.conftest import KEY
from tests.unit.redaction.test_two_engines import generated

from glasshouse.redaction import Redactor, redactor
from support.engines import FRESH_SEED


@pytest.fixture
def compiled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found, compiles = list[Any](), re2.compile

    def compile_counted(pattern: Any, options: Any = None) -> Any:
        found.append(pattern)
        return compiles(pattern, options)

    monkeypatch.setattr(re2, "compile", compile_counted)
    return found


def test_nothing_is_compiled_once_it_is_prepared(compiled: list[Any]) -> None:
    prepared = Redactor.load(key=KEY)
    assert compiled
    compiled.clear()
    prepared.prepare()
    assert compiled
    compiled.clear()
    for line in generated(FRESH_SEED, 1500):
        prepared.value(line["value"], line["key"])
    prepared.text('{"long": "' + "word \\n" * 10_000 + '"}')
    assert compiled == [], f"seed {FRESH_SEED}"


def test_without_it_a_record_waits(compiled: list[Any]) -> None:
    late = Redactor.load(key=KEY)
    compiled.clear()
    # Something to find: of the rest the native part says that it is clean.
    late.text("GET /payments/4711 for jane@example.com")
    assert compiled


def test_the_redactor_of_the_process_is_prepared(
    compiled: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSHOUSE_HMAC_KEY", "k" * 32)
    made = redactor._default.__wrapped__()
    compiled.clear()
    made.text("GET /payments/4711, order 12345678 for jane@example.com")
    assert compiled == []
