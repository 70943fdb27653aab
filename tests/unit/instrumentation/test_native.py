"""Without a native part that fits, Python does its work, and says so in one line."""

import importlib.metadata
import logging
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glasshouse import ConfigurationError, native
from glasshouse.redaction import Redactor

VERSION = importlib.metadata.version("glasshouse")


class Panic(BaseException):
    """As pyo3_runtime.PanicException: no Exception."""


class Module:
    """A module that does what it is made with."""

    def __init__(self, looks: Any, version: str | None = VERSION) -> None:
        self.Looks = looks
        if version is not None:
            self.__version__ = version


class Good:
    def __init__(self, _: Any) -> None:
        pass

    def learn(self, *_: Any) -> None:
        pass

    def is_clean(self, key: str, text: str) -> bool | None:
        return False


class Panicking(Good):
    def is_clean(self, key: str, text: str) -> bool | None:
        raise Panic("index out of bounds:\n the len is 0")


def raising(error: BaseException) -> Any:
    def make(_: Any) -> Any:
        raise error

    return make


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(native.VARIABLE, raising=False)
    monkeypatch.delitem(sys.modules, native.MODULE, raising=False)
    native.module.cache_clear()
    yield
    native.module.cache_clear()


def redacted(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Redact with what is there; return the lines about it."""
    with caplog.at_level(logging.WARNING, "glasshouse"):
        redactor = Redactor.load(key=b"k" * 32)
        for _ in range(3):
            path = f"/payments/{uuid.uuid4()}"
            assert redactor.value(path, "url.path") == path
            assert redactor.text(f"card 4111 1111 1111 1111 {path}") == f"card [card:1111] {path}"
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (Module(Good, "9.9.9"), f"its version is 9.9.9, that of glasshouse is {VERSION}"),
        (Module(Good, None), f"its version is none, that of glasshouse is {VERSION}"),
        (Module(raising(Panic("called `unwrap`"))), "Panic: called `unwrap`"),
        (Module(raising(ValueError("the policy is too large"))), "ValueError: the policy is too"),
        (Module(None), "TypeError: 'NoneType' object is not callable"),
        (Module(Panicking), "Panic: index out of bounds: the len is 0: install"),
        (Module(lambda _: object()), "AttributeError: 'object' object has no attribute 'is_clean'"),
    ],
    ids=["other", "none", "panic", "error", "damaged", "panic-later", "symbol"],
)
def test_one_that_does_not_fit_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, module: Any, reason: str
) -> None:
    monkeypatch.setitem(sys.modules, native.MODULE, module)
    [line] = redacted(caplog)
    assert line.startswith(f"glasshouse-native is not used, Python does its work: {reason}")
    assert line.endswith(f"or set {native.VARIABLE}=off")
    assert "\n" not in line


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (f"{native.MODULE}.abi3.so", b"\x7fELF and no more", "ImportError: "),
        (f"{native.MODULE}.py", b"import not_there_at_all", "ModuleNotFoundError: No module named"),
        (f"{native.MODULE}.py", b"raise SystemError('bad magic')", "SystemError: bad magic: "),
    ],
    ids=["wheel", "import", "init"],
)
def test_one_that_cannot_be_imported_is_left_alone(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    name: str,
    content: bytes,
    reason: str,
) -> None:
    (tmp_path / name).write_bytes(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    [line] = redacted(caplog)
    assert line.startswith(f"glasshouse-native is not used, Python does its work: {reason}")


def test_one_that_fits_is_used_without_a_word(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, native.MODULE, Module(Good))
    assert redacted(caplog) == []
    assert Redactor.load(key=b"k" * 32).looks is not None


def test_where_there_is_none_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    class Finder:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == native.MODULE:
                raise ModuleNotFoundError(name=name)

    finder: Any = Finder()
    sys.meta_path.insert(0, finder)
    try:
        assert redacted(caplog) == []
    finally:
        sys.meta_path.remove(finder)


@pytest.mark.parametrize("text", ["off", " OFF "])
def test_it_can_be_switched_off(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, text: str
) -> None:
    monkeypatch.setitem(sys.modules, native.MODULE, Module(Good))
    monkeypatch.setenv(native.VARIABLE, text)
    assert redacted(caplog) == []
    assert Redactor.load(key=b"k" * 32).looks is None


def test_another_word_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(native.VARIABLE, "maybe")
    with pytest.raises(ConfigurationError, match=r"^GLASSHOUSE_NATIVE: 'maybe' is neither on nor"):
        native.is_wanted()


def test_one_that_panics_later_says_nothing_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Later(Good):
        panics = False

        def is_clean(self, key: str, text: str) -> bool | None:
            if self.panics:
                raise Panic("later")
            return False

    monkeypatch.setitem(sys.modules, native.MODULE, Module(Later))
    redactor = Redactor.load(key=b"k" * 32)
    Later.panics = True
    for _ in range(3):
        assert redactor.text("mail jane@example.com now") != "mail jane@example.com now"
    assert len(caplog.records) == 1
