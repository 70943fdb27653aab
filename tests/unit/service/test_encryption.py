"""What is encrypted names its key, so that the key can be changed."""

import json
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import SecretStr

from backend.platform import people
from backend.platform.encryption import DecryptionError, Encryptor
from glasshouse import keyring
from glasshouse.keyring import KeyFile, key_id

OLD, NEW, OTHER = "o" * 32, "n" * 32, "x" * 32
VALUE = {"to": "jane@example.com"}


def of(*keys: str) -> Encryptor:
    return Encryptor(SecretStr("\n".join(keys)))


def as_before(secret: str, aad: str) -> bytes:
    """Encrypt as it was before values named their key."""
    derived = HKDF(SHA256(), 32, salt=None, info=b"glasshouse/seal").derive(secret.encode())
    nonce = os.urandom(12)
    return nonce + AESGCM(derived).encrypt(nonce, json.dumps(VALUE).encode(), aad.encode())


def test_a_value_begins_with_the_id_of_the_current_key():
    encrypted = of(NEW, OLD).encrypt(VALUE, aad="row")
    assert encrypted[:2] == bytes([1, int(key_id(NEW.encode()), 16)])
    assert of(NEW).decrypt(encrypted, aad="row") == VALUE


def test_previous_keys_still_open():
    encrypted = of(OLD).encrypt(VALUE, aad="row")
    assert of(NEW, OTHER, OLD).decrypt(encrypted, aad="row") == VALUE


@pytest.mark.parametrize("keys", [(OLD,), (NEW, OLD)])
def test_a_value_of_before_still_opens(keys: tuple[str, ...]):
    assert of(*keys).decrypt(as_before(OLD, "row"), aad="row") == VALUE


@pytest.mark.parametrize("spoil", ["key", "row", "value", "header", "cut"])
def test_nothing_else_opens(spoil: str):
    encrypted = of(OLD).encrypt(VALUE, aad="row")
    assert of(OLD).decrypt(encrypted, aad="row") == VALUE
    if spoil == "value":
        encrypted = encrypted[:-1] + bytes([encrypted[-1] ^ 1])
    elif spoil == "header":
        encrypted = of(NEW).header + encrypted[2:]
    elif spoil == "cut":
        encrypted = encrypted[:5]
    with pytest.raises(DecryptionError, match="DATA_KEY_FILE"):
        of(NEW if spoil == "key" else OLD, NEW).decrypt(
            encrypted, aad="other" if spoil == "row" else "row"
        )


def test_digests_are_of_every_key_the_current_one_first():
    digests = of(NEW, OLD).digests(VALUE)
    assert digests == [of(NEW).digest(VALUE), of(OLD).digest(VALUE)]
    assert len(set(digests)) == 2


def test_a_key_that_another_process_uses_already_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(keyring, "READ_AGAIN_AFTER_S", 1e9)
    file = tmp_path / "data_key"
    file.write_text(OLD)
    late = Encryptor(KeyFile(file))
    encrypted = of(NEW).encrypt(VALUE, aad="row")
    with pytest.raises(DecryptionError):
        late.decrypt(encrypted, aad="row")
    file.write_text(f"{NEW}\n{OLD}\n")
    assert late.decrypt(encrypted, aad="row") == VALUE


def test_a_user_id_opens_in_its_own_row_and_column_only():
    encryptor = of(OLD)
    columns = people.sealed(encryptor, "jane", "tx_1")
    assert people.opened(encryptor, columns["user_sealed"], "tx_1") == "jane"
    with pytest.raises(DecryptionError):
        people.opened(encryptor, columns["user_sealed"], "tx_2")
    with pytest.raises(DecryptionError):
        # As another column's of the same row.
        encryptor.decrypt(columns["user_sealed"], aad="tx_1")
    assert columns["user_digest"] == people.digests(encryptor, "jane")[0]
