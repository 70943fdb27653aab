"""Who gets the light parts: everybody, but for a word or an SDK that they do not know."""

import logging
import subprocess
import sys

import pytest

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


def test_an_unknown_release_gets_its_own_ways_and_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    assert light.fits()
    monkeypatch.setattr(versions, "version", lambda _: "1.45.3")
    with caplog.at_level(logging.WARNING, "glasshouse.light"):
        assert not light.fits()
    assert [record.message for record in caplog.records] == [
        "The SDK's own spans and instruments are used, which are slower: this release is not known"
    ]


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
