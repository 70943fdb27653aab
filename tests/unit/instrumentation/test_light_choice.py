"""Who gets the light parts: everybody, but for a word or an SDK that they do not know."""

import functools
import subprocess
import sys

import pytest
from opentelemetry.sdk.metrics._internal.instrument import _Histogram
from opentelemetry.sdk.trace import Tracer

from glasshouse import light, versions
from glasshouse.errors import ConfigurationError

ASKED = """
from opentelemetry.instrumentation.auto_instrumentation import initialize
initialize()
from opentelemetry.sdk.metrics._internal.instrument import _Histogram
print("record" in vars(_Histogram))
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [(None, True), ("", True), ("light", True), (" Light ", True), ("full", False)],
)
def test_the_light_parts_are_the_default(text: str | None, expected: bool) -> None:
    assert light.is_light({} if text is None else {"GLASSHOUSE_SDK": text}) is expected


def test_another_word_is_refused_in_one_line() -> None:
    with pytest.raises(ConfigurationError, match=r"^GLASSHOUSE_SDK: 'fast' is neither light nor"):
        light.is_light({"GLASSHOUSE_SDK": "fast"})


def reasons(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.message, vars(record)["reason"]) for record in caplog.records]


SLOWER = "Spans and measurements take upstream's own ways, which are slower"


def test_an_unknown_release_keeps_its_own_ways_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert light.fits()
    monkeypatch.setattr(versions, "version_of", lambda _: "1.45.3")
    assert not light.fits()
    assert reasons(caplog) == [(SLOWER, "opentelemetry-sdk 1.45.3 is not a tested release")]


@pytest.mark.parametrize(
    ("kind", "name", "shown"),
    [(Tracer, "start_span", "Tracer.start_span"), (_Histogram, "record", "_Histogram.record")],
)
def test_what_another_package_has_replaced_stays_replaced(
    kind: type, name: str, shown: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        original = getattr(kind, name)
        patch.setattr(kind, name, functools.wraps(original)(lambda *args: original(*args)))
        assert not light.fits()
    assert reasons(caplog) == [(SLOWER, f"another package has replaced {shown}")]
    assert light.fits()


@pytest.mark.parametrize(("word", "expected"), [("light", "True"), ("full", "False")])
def test_the_distro_does_as_the_variable_says(
    word: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_PYTHON_DISTRO", "glasshouse")
    monkeypatch.setenv("OTEL_PYTHON_CONFIGURATOR", "glasshouse")
    monkeypatch.setenv("GLASSHOUSE_SDK", word)
    for signal in ("TRACES", "METRICS", "LOGS"):
        monkeypatch.setenv(f"OTEL_{signal}_EXPORTER", "none")
    ended = subprocess.run(
        [sys.executable, "-c", ASKED], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.stdout.splitlines()[-1:] == [expected], ended.stderr
