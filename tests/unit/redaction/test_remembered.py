"""What is remembered of texts: bounded, without clear personal data, for one secret at a time."""

import pickle
import uuid
from collections.abc import Iterator

import pytest

from glasshouse.redaction import Redactor
from glasshouse.redaction import engine as of_engine
from glasshouse.redaction.remembered import Remembered, is_lone_id
from support import native

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
