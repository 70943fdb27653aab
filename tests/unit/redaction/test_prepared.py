"""Nothing is compiled while a record waits for it."""

from typing import Any

import pytest
import re2  # pyright: ignore[reportMissingTypeStubs]  # it has no types
from tests.unit.redaction.conftest import KEY
from tests.unit.redaction.test_two_engines import generated

from glasshouse.redaction import Redactor, patterns, redactor
from glasshouse.redaction.patterns import MEMORY, MOST_MEMORY, PatternError, compile_pattern
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


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [("a", [MEMORY]), (r"\p{L}{1,1000}", [MEMORY, MOST_MEMORY])],
    ids=["small", "large"],
)
def test_a_pattern_takes_no_more_than_it_has_to(
    pattern: str, wanted: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed, compiles = list[int](), re2.compile

    def compile_noted(source: Any, options: Any) -> Any:
        allowed.append(options.max_mem)
        return compiles(source, options)

    monkeypatch.setattr(re2, "compile", compile_noted)
    compile_pattern(pattern)
    assert allowed == wanted


def test_a_pattern_that_is_too_large_for_any_is_refused() -> None:
    with pytest.raises(PatternError, match="too large"):
        compile_pattern(r"\p{L}{1,1000}" * 20)


def test_all_that_comes_with_the_package_is_small(
    compiled: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "MOST_MEMORY", 0)
    Redactor.load(key=KEY).prepare()
    assert len(compiled) > 100
