"""What is remembered of texts: bounded, without clear personal data, for one secret at a time."""

import json
import logging
import pickle
import sys
import uuid
from collections.abc import Iterator

import pytest
from tests.unit.redaction.test_two_engines import generated

from glasshouse.capture.translate import said
from glasshouse.formatters import JsonFormatter
from glasshouse.redaction import Redactor, bounded
from glasshouse.redaction import engine as of_engine
from glasshouse.redaction.bounded import CUT
from glasshouse.redaction.keys import NO_KEY
from glasshouse.redaction.redactor import LONGEST_REMEMBERED
from glasshouse.redaction.remembered import Remembered, Sized, is_lone_id
from glasshouse.redaction.telemetry import TelemetryRedactor
from support import native
from support.engines import FRESH_SEED

MAIL = "mail jane@example.com at once"


@pytest.fixture(autouse=True)
def in_python() -> Iterator[None]:
    """What the native part calls clean is not remembered."""
    with native.installed(None):
        yield


def searches(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return the texts that the engine asked through, from now on."""
    seen: list[bytes] = []
    real = of_engine.Engine.text

    def text(self: of_engine.Engine, key: object, one: bytes, *rest: object) -> bytes | None:
        seen.append(one)
        return real(self, key, one, *rest)  # pyright: ignore[reportArgumentType]  # passed on

    monkeypatch.setattr(of_engine.Engine, "text", text)
    return seen


def made(secret: list[bytes]) -> Redactor:
    return Redactor.load(key=lambda: secret[0])


def test_a_hit_is_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor = made([b"a" * 16])
    first, _ = redactor.text(MAIL), redactor.text(MAIL)
    seen = searches(monkeypatch)
    assert redactor.text(MAIL) == first != MAIL
    assert seen == []
    # Under another key it is another text.
    redactor.value(MAIL, "note")
    assert MAIL.encode() in seen


def test_a_new_secret_makes_new_pseudonyms() -> None:
    secret = [b"a" * 16]
    redactor = made(secret)
    before = {redactor.text(MAIL) for _ in range(3)}
    secret[0] = b"b" * 16
    after = {redactor.text(MAIL) for _ in range(3)}
    assert after == {made([b"b" * 16]).text(MAIL)}
    secret[0] = b"a" * 16
    assert {redactor.text(MAIL)} == before != after


def test_nothing_clear_stays_in_memory() -> None:
    redactor = made([b"a" * 16])
    for _ in range(3):
        redactor.text(MAIL)
        redactor.value("hunter2x", "password")
        redactor.text("nothing in this one")
    kept = {name: value for name, value in vars(redactor).items() if name in ("_clean", "_hits")}
    kept["_hits"] = vars(vars(kept["_hits"])["_kept"])
    written = pickle.dumps(kept)
    assert b"nothing in this one" in written
    assert b"[email:" in written
    assert b"jane" not in written
    assert b"hunter2x" not in written


def test_what_cannot_be_checked_is_counted_each_time() -> None:
    counted: list[None] = []
    redactor = Redactor.load(key=b"a" * 16, unchecked=lambda: counted.append(None))
    for _ in range(3):
        assert redactor.text("x" * (2 << 20)) == "[unchecked]"
    assert len(counted) == 3


LONG = f"Traceback: {'in handler, line 12 ' * 100}{MAIL}"


def test_a_long_text_is_searched_once_for_console_and_export(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redactor = made([b"a" * 16])
    records = TelemetryRedactor(redactor, lambda _: None)
    clean = "nothing of anybody " * 100
    shown = redactor.for_caller().text(LONG)
    assert "jane" not in shown
    assert redactor.for_caller().text(clean) == clean
    redactor.value("a", "exception.stacktrace")  # what a name means is asked of the engine, too
    seen = searches(monkeypatch)
    assert records.body(LONG) == shown
    assert records.attribute("exception.stacktrace", LONG) == shown
    assert redactor.text(clean) is clean
    assert seen == []
    # A name that says what a number beside it is makes another text of it.
    redactor.value(LONG, "phone")
    assert LONG.encode() in seen


def deep(level: int) -> None:
    if not level:
        raise ValueError(MAIL)
    deep(level - 1)


def test_a_traceback_is_searched_once_for_console_and_export(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    redactor, record = made([b"a" * 16]), logging.makeLogRecord({"msg": "failed"})
    # Of different frames: else the traceback leaves some out.
    source = "".join(f"def f{n}(): f{n + 1}()\n" for n in range(40))
    scope: dict[str, object] = {"f40": lambda: deep(1)}
    try:
        exec(source, scope)  # noqa: S102 (made above)
        scope["f0"]()  # pyright: ignore[reportCallIssue]
    except ValueError:
        record.exc_info = sys.exc_info()
    shown = json.loads(JsonFormatter("shop", redactor).format(record))["exception"]
    assert len(shown) > LONGEST_REMEMBERED
    assert "jane" not in shown
    exported = said(record).attributes
    seen = searches(monkeypatch)
    stack = redactor.value(exported["exception.stacktrace"], "exception.stacktrace")
    assert stack == f"{shown}\n"
    assert exported["exception.stacktrace"].encode() not in seen


@pytest.mark.parametrize("seed", [20261127, FRESH_SEED], ids=["fixed", "fresh"])
def test_names_without_a_meaning_change_no_text(redactor: Redactor, seed: int) -> None:
    engine, lines = redactor._engine, generated(seed, 1500)
    keys = {"exception.stacktrace", "exception.message", "note", "body", *(x["key"] for x in lines)}
    infos = [engine.key_info(key) for key in keys]
    unnamed = [info for info in infos if engine.is_as_unnamed(info)]
    assert 5 < len(unnamed) < len(infos)
    for number, line in enumerate(lines):
        if isinstance(value := line["value"], str):
            info = unnamed[number % len(unnamed)]
            expected = engine.string(NO_KEY, value.encode("utf-8", "replace"))
            found = engine.string(info, value.encode("utf-8", "replace"))
            assert found == expected, (info, value, f"seed {seed}")


def test_long_texts_stay_within_their_bytes() -> None:
    kept = Sized(100_000)
    for n in range(1000):
        kept.put(b"%d" % n, "é" * (n % 400))
    held = [*vars(kept)["_young"].values(), *vars(kept)["_old"].values()]
    assert 25_000 < sum(map(sys.getsizeof, held)) <= 100_000
    assert kept.get(b"999") == "é" * 199
    assert kept.get(b"0") is None
    kept.put(b"large", "x" * 60_000)
    assert kept.get(b"large") is None


def test_nothing_clear_stays_of_a_long_text() -> None:
    redactor = made([b"a" * 16])
    for _ in range(3):
        redactor.text(LONG)
        redactor.value(f"hunter2x{'y' * 600}", "password")
        redactor.text("nothing in this one " * 100)
    written = pickle.dumps(vars(vars(vars(redactor)["_long"])["_kept"]))
    assert b"in handler" in written
    for clear in (b"jane", b"hunter2x", b"nothing in this one"):
        assert clear not in written


def test_a_new_secret_makes_new_pseudonyms_of_a_long_text() -> None:
    secret = [b"a" * 16]
    redactor = made(secret)
    before = redactor.text(LONG)
    secret[0] = b"b" * 16
    assert redactor.text(LONG) == made([b"b" * 16]).text(LONG) != before


def test_a_text_that_is_cut_is_not_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    redactor, text = made([b"a" * 16]), "jane@example.com " * 1000
    monkeypatch.setattr(bounded, "is_on_loop", lambda: True)
    monkeypatch.setattr(bounded, "MOST_S", -1.0)
    assert redactor.for_caller().text(text).endswith(CUT)
    assert "jane" not in redactor.text(text)
    assert CUT not in redactor.text(text)


def test_what_is_asked_for_survives_a_flood() -> None:
    kept: Remembered[str, bool] = Remembered(100)
    kept.put("wanted", True)
    for n in range(1000):
        kept.put(str(n), True)
        if n % 40 == 0:
            assert kept.get("wanted")
        assert len(kept) <= 100
    assert kept.get("0") is None
    assert kept.get("999")


def test_lone_ids_are_not_kept() -> None:
    redactor = made([b"a" * 16])
    for _ in range(100):
        redactor.text(f"tx_{uuid.uuid4().hex}")
        redactor.text(uuid.uuid4().hex)
    assert len(vars(redactor)["_clean"]) == 0
    redactor.text("a text")
    assert len(vars(redactor)["_clean"]) == 1
    assert not is_lone_id("/payments/" + uuid.uuid4().hex)
