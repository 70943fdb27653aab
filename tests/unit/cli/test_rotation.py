"""A key changes in two steps, in place; the old one stays until it is dropped."""

import os
import threading
from pathlib import Path

import pytest

from glasshouse.keyring import KeyFile, key_id, keys_of
from glasshouse_cli import compose, handing, rotation, secrets
from glasshouse_cli.errors import StackError
from glasshouse_cli.process import Finished
from glasshouse_cli.project import Project, User


@pytest.fixture
def checkout(project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.setattr(rotation, "SETTLED_AFTER_S", 0.0)
    monkeypatch.setattr(compose, "containers", lambda _: [])
    state = tmp_path / "state"
    secrets.ensure(state, User(uid=os.geteuid(), gid=os.getegid()))
    monkeypatch.setattr(Project, "state", state)
    return project


def path_of(checkout: Project, name: str) -> Path:
    return checkout.state / "secrets" / name


def keys(checkout: Project, name: str) -> tuple[str, ...]:
    return keys_of(path_of(checkout, name).read_text())


def silent(_: str) -> None:
    pass


def test_a_new_key_comes_first_and_the_old_one_stays(checkout: Project) -> None:
    [old] = keys(checkout, "internal_token")
    before = path_of(checkout, "internal_token").stat()
    said: list[str] = []
    rotation.rotate(checkout, "internal_token", said.append)
    new, kept = keys(checkout, "internal_token")
    assert (kept, len(new)) == (old, len(old))
    assert key_id(new.encode()) != key_id(old.encode())
    assert said == ["internal_token: a new key is in use, 1 of before still accepted"]
    after = path_of(checkout, "internal_token").stat()
    # A container has this very file mounted.
    assert (after.st_ino, after.st_mode, after.st_uid) == (
        before.st_ino,
        before.st_mode,
        before.st_uid,
    )
    rotation.rotate(checkout, "internal_token", silent)
    assert keys(checkout, "internal_token")[1:] == (new, old)
    rotation.drop_previous(checkout, "internal_token", said.append)
    assert len(keys(checkout, "internal_token")) == 1
    assert said[-1] == "internal_token: 2 previous keys dropped"


def test_everybody_knows_a_key_before_it_is_used(
    checkout: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, ...]] = []
    monkeypatch.setattr("time.sleep", lambda _: seen.append(keys(checkout, "otlp_token")))
    [old] = keys(checkout, "otlp_token")
    rotation.rotate(checkout, "otlp_token", silent)
    (first, second), (third, fourth) = seen
    assert (first, fourth) == (old, old)
    assert second == third


def test_whoever_reads_meanwhile_finds_only_whole_keys(checkout: Project) -> None:
    path = path_of(checkout, "provider_secret")
    known = set(keys(checkout, "provider_secret"))
    read: set[str] = set()
    done = threading.Event()

    def reading() -> None:
        while not done.is_set():
            read.update(keys_of(path.read_text()))

    reader = threading.Thread(target=reading)
    reader.start()
    try:
        for _ in range(50):
            rotation.rotate(checkout, "provider_secret", silent)
            known |= set(keys(checkout, "provider_secret"))
            rotation.drop_previous(checkout, "provider_secret", silent)
    finally:
        done.set()
        reader.join(timeout=60)
    assert len(known) == 51
    assert read <= known


def test_two_at_once_are_refused(checkout: Project) -> None:
    with (
        rotation._locked(path_of(checkout, "hmac_key")),  # pyright: ignore[reportPrivateUsage]
        pytest.raises(StackError, match=r"^hmac_key: is being rotated already$"),
    ):
        rotation.rotate(checkout, "hmac_key", silent)
    rotation.rotate(checkout, "hmac_key", silent)
    assert len(keys(checkout, "hmac_key")) == 2


@pytest.mark.parametrize("name", ["database_password", "../hmac_key", ""])
def test_what_cannot_be_rotated_is_refused(checkout: Project, name: str) -> None:
    with pytest.raises(StackError, match=r"cannot be rotated; these can: data_key, hmac_key"):
        rotation.rotate(checkout, name, silent)


def test_data_keys_are_dropped_only_after_everything_was_sealed_again(
    checkout: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StackError, match="worker: is not running"):
        rotation.rotate(checkout, "data_key", silent)
    kept = keys(checkout, "data_key")
    assert len(kept) == 2
    monkeypatch.setattr(rotation, "_is_running", lambda *_: True)
    failed = Finished(code=1, out="0 values\n", err="backend: reseal: no key opens 3 values\n")
    monkeypatch.setattr(rotation, "run", lambda *_, **__: failed)
    with pytest.raises(StackError, match="worker: backend: reseal: no key opens 3 values"):
        rotation.drop_previous(checkout, "data_key", silent)
    assert keys(checkout, "data_key") == kept
    done = Finished(code=0, out="12 values encrypted again\n", err="")
    monkeypatch.setattr(rotation, "run", lambda *_, **__: done)
    said: list[str] = []
    rotation.drop_previous(checkout, "data_key", said.append)
    assert keys(checkout, "data_key") == kept[:1]
    assert said[0] == "database: 12 values encrypted again"


def test_a_key_made_by_hand_is_rotated_too(checkout: Project) -> None:
    path = path_of(checkout, "hmac_key")
    path.write_text("chosen by hand, and longer than what is generated here " * 3 + "\n\n")
    file = KeyFile(path)
    rotation.rotate(checkout, "hmac_key", silent)
    file.read_again()
    assert len(file.keys) == 2
    assert file.keys[1].startswith("chosen by hand")
    rotation.drop_previous(checkout, "hmac_key", silent)
    assert path.read_text().count("\n") == 1


def test_every_container_s_copy_changes_with_it_in_place(checkout: Project) -> None:
    me = User(uid=os.geteuid(), gid=os.getegid())
    wanted = {"api": ["internal_token"], "worker": ["otlp_token"], "proxy": ["internal_token"]}
    handing.hand_out(checkout.state, wanted, me)
    copies = handing.copies(checkout.state, "internal_token")
    before = [path.stat().st_ino for path in copies]
    assert len(before) == 2
    rotation.rotate(checkout, "internal_token", silent)
    assert {path.read_text() for path in copies} == {
        path_of(checkout, "internal_token").read_text()
    }
    assert len(keys_of(copies[0].read_text())) == 2
    rotation.drop_previous(checkout, "internal_token", silent)
    assert {path.read_text() for path in copies} == {
        path_of(checkout, "internal_token").read_text()
    }
    assert len(keys_of(copies[0].read_text())) == 1
    assert [path.stat().st_ino for path in copies] == before
    [other] = handing.copies(checkout.state, "otlp_token")
    assert len(keys_of(other.read_text())) == 1
