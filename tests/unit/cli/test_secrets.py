"""Secrets are private, made once, and never overwritten."""

import os
import stat
from pathlib import Path

import pytest

from backend.platform.callers import Callers, Scope
from glasshouse_cli import operator, secrets
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import User

ME = User(uid=os.geteuid(), gid=os.getegid())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_all_are_made_private(tmp_path: Path):
    made = secrets.ensure(tmp_path, ME)

    assert sorted(made) == [
        "api_callers",
        "api_key",
        "data_key",
        "database_owner_password",
        "database_password",
        "grafana_password",
        "hmac_key",
        "internal_token",
        "operator_password",
        "otlp_token",
        "postgres_password",
        "provider_secret",
    ]
    assert {mode(path) for path in made.values()} == {0o600}
    assert mode(tmp_path / "secrets") == 0o700


def test_values_are_long_distinct_and_never_numbers(tmp_path: Path):
    made = secrets.ensure(tmp_path, ME)
    values = [path.read_text() for name, path in made.items() if name != "api_callers"]

    assert len(set(values)) == len(values)
    assert all(value[0].isalpha() and value.isalnum() for value in values)
    assert all(len(value) == 65 for value in values)


def test_the_callers_are_one_who_has_the_key_and_may_do_everything(tmp_path: Path):
    made = secrets.ensure(tmp_path, ME)

    callers = Callers(made["api_callers"])
    found = callers.find(made["api_key"].read_text())
    assert found is not None
    assert (found.name, found.scopes, found.trusted) == ("local", frozenset(Scope), True)
    assert callers.find("another") is None
    assert made["api_key"].read_text() not in made["api_callers"].read_text()


def test_second_run_keeps_the_values(tmp_path: Path):
    before = {name: path.read_text() for name, path in secrets.ensure(tmp_path, ME).items()}

    after = {name: path.read_text() for name, path in secrets.ensure(tmp_path, ME).items()}

    assert after == before


def test_a_secret_of_the_user_stays(tmp_path: Path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "hmac_key").write_text("chosen by hand")

    made = secrets.ensure(tmp_path, ME)

    assert made["hmac_key"].read_text() == "chosen by hand"
    assert mode(made["hmac_key"]) == 0o600


def test_a_run_at_the_same_time_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "secrets"

    def meanwhile(_: int) -> str:
        for name in secrets.NAMES:
            (folder / name).write_text("of the other run")
        return "ours"

    monkeypatch.setattr("secrets.token_hex", meanwhile)

    made = secrets.ensure(tmp_path, ME)

    assert {path.read_text() for path in made.values()} == {"of the other run"}


def test_an_empty_secret_is_refused(tmp_path: Path):
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "hmac_key").touch()

    with pytest.raises(StackError, match="hmac_key is empty: delete it"):
        secrets.ensure(tmp_path, ME)


def test_nothing_is_left_behind(tmp_path: Path):
    secrets.ensure(tmp_path, ME)

    expected = sorted([*secrets.NAMES, operator.NETRC])
    assert sorted(p.name for p in (tmp_path / "secrets").iterdir()) == expected


def test_curl_reads_the_current_password_of_the_operator(tmp_path: Path):
    secrets.ensure(tmp_path, ME)
    file = tmp_path / "secrets" / operator.NETRC
    first = (tmp_path / "secrets" / operator.SECRET).read_text()
    assert file.read_text() == f"default login glasshouse password {first}\n"

    (tmp_path / "secrets" / operator.SECRET).write_text(f"another\n{first}\n")
    secrets.ensure(tmp_path, ME)

    assert file.read_text() == "default login glasshouse password another\n"
    assert mode(file) == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_root_gives_them_to_the_containers_user(tmp_path: Path):
    made = secrets.ensure(tmp_path)

    assert {path.stat().st_uid for path in made.values()} == {10001}
