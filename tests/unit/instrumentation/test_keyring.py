"""A key can be changed while all runs: files of keys, and the id of a key in what it makes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from glasshouse import keyring, user_pseudonym
from glasshouse.keyring import KeyFile, key_id, keys_of
from glasshouse.pseudonym import current_hmac_key, hmac_key
from glasshouse.redaction import Redactor

OLD, NEW = "o" * 32, "n" * 32


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyring, "READ_AGAIN_AFTER_S", 0.0)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    times = iter(range(1, 100))

    def write(*lines: str) -> Path:
        path = tmp_path / "keys"
        path.write_text("\n".join(lines), encoding="utf-8")
        os.utime(path, ns=(0, next(times)))  # the clock of a file system may be too coarse
        return path

    return write


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("one", ("one",)),
        ("one\n", ("one",)),
        ("one\ntwo\n", ("one", "two")),
        ("\n  one \r\n\n two\n", ("one", "two")),
        ("one\u2028two", ("one\u2028two",)),
        (" \n", ()),
    ],
)
def test_a_file_holds_one_key_per_line(text: str, keys: tuple[str, ...]) -> None:
    assert keys_of(text) == keys


def test_an_id_does_not_change() -> None:
    # Printed by `openssl dgst -sha256 -hmac`: stored values and pseudonyms carry it.
    assert key_id(b"glasshouse-test-key-0123456789abcdef") == "c9"


def test_a_change_is_read(write: Callable[..., Path]) -> None:
    file = KeyFile(write(OLD))
    assert file.keys == (OLD,)
    write(NEW, OLD)
    assert file.keys == (NEW, OLD)


def test_a_change_is_looked_for_once_a_second(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyring, "READ_AGAIN_AFTER_S", 1e9)
    file = KeyFile(write(OLD))
    write(NEW, OLD)
    assert file.keys == (OLD,)
    assert file.read_again()
    assert file.keys == (NEW, OLD)


@pytest.mark.parametrize("spoil", ["empty", "gone", "no text"])
def test_a_file_that_cannot_be_read_changes_nothing(write: Callable[..., Path], spoil: str) -> None:
    path = write(OLD)
    file = KeyFile(path)
    if spoil == "empty":
        write("", "")
    elif spoil == "gone":
        path.unlink()
    else:
        path.write_bytes(b"\xff\xfe\xff")
    assert file.keys == (OLD,)
    write(NEW)
    assert file.keys == (NEW,)


def test_pseudonyms_follow_the_file(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSHOUSE_HMAC_KEY_FILE", str(write(OLD)))
    hmac_key.cache_clear()
    engine = Redactor.load(key=current_hmac_key)
    before = user_pseudonym("jane")
    assert engine.value("jane", "user_id") == before
    assert before.startswith(f"[user:{key_id(OLD.encode())}")
    write(NEW, OLD)
    after = user_pseudonym("jane")
    assert after != before
    assert after.startswith(f"[user:{key_id(NEW.encode())}")
    assert engine.value("jane", "user_id") == after
    hmac_key.cache_clear()


def test_a_new_key_that_is_too_short_is_not_used(
    write: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLASSHOUSE_HMAC_KEY_FILE", str(write(OLD)))
    hmac_key.cache_clear()
    before = user_pseudonym("jane")
    write("short", OLD)
    assert user_pseudonym("jane") == before
    hmac_key.cache_clear()


def test_every_line_but_the_first_is_of_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLASSHOUSE_HMAC_KEY_FILE", raising=False)
    monkeypatch.setenv("GLASSHOUSE_HMAC_KEY", f"{NEW}\n{OLD}")
    hmac_key.cache_clear()
    assert hmac_key() == NEW.encode()
    hmac_key.cache_clear()
