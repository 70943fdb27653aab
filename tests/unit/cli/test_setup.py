"""What plain `docker compose up` makes, in the container `setup`: as root, for another user."""

import os
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from glasshouse_cli import compose, handing, project, setup
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project, User

ROOT = Path(__file__).parents[3]
INSIDE = {"GLASSHOUSE_UID": "10001", "GLASSHOUSE_GID": "10001"}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")


@pytest.fixture
def here(tmp_path: Path) -> Project:
    checkout = project.load(ROOT)
    settings = {**checkout.settings, "GLASSHOUSE_STATE": str(tmp_path / "state")}
    return replace(checkout, settings=settings)


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    folder = tmp_path / "volumes"
    (folder / "loki" / "chunks").mkdir(parents=True)
    (folder / "loki" / "chunks" / "one").write_text("kept")
    (folder / "tempo").mkdir()
    return folder


@needs_root
@pytest.mark.parametrize("given", [False, True])
def test_a_credential_is_what_compose_mounts_and_dev_null_is_none(
    given: bool, here: Project, volumes: Path, tmp_path: Path
) -> None:
    file = tmp_path / "key"
    file.write_text("example-key")
    settings = {
        **here.settings,
        "PAGERDUTY_ROUTING_KEY_FILE": str(file) if given else "/dev/null",
        "SLACK_WEBHOOK_URL_FILE": "/dev/null",
    }
    setup.setup(replace(here, settings=settings), volumes, INSIDE, lambda _: None)
    folder = here.state / "alertmanager" / "credentials"
    found = {path.name: (path.read_text(), *owned(path)) for path in folder.iterdir()}
    assert found == (
        {"pagerduty_routing_key": ("example-key", 10001, 10001, 0o600)} if given else {}
    )


def owned(path: Path) -> tuple[int, int, int]:
    found = path.stat(follow_symlinks=False)
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)


def owner_of(monkeypatch: pytest.MonkeyPatch, uid: int, *, mapped: bool = False) -> None:
    """Let the checkout belong to somebody; `mapped`: in an engine that is rootless."""
    monkeypatch.setattr(setup, "_maps_users", lambda: mapped)
    real = Path.stat

    def status(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        found = real(path, follow_symlinks=follow_symlinks)
        if path == ROOT / ".env":
            fields: Sequence[float] = [*found[:4], uid, uid, *found[6:]]
            return os.stat_result(fields)
        return found

    monkeypatch.setattr(Path, "stat", status)


@needs_root
@pytest.mark.parametrize(
    ("owner", "mapped", "secret", "copy"),
    [
        (1000, False, (1000, 1000, 0o600), (1000, 10001, 0o640)),
        (0, False, (10001, 10001, 0o600), (10001, 10001, 0o600)),
        (0, True, (0, 0, 0o600), (0, 10001, 0o640)),  # it is the user who runs the engine
        (10001, False, (10001, 10001, 0o600), (10001, 10001, 0o600)),
    ],
    ids=["a user's checkout", "root's", "with a rootless engine", "the containers' user's"],
)
def test_secrets_are_read_by_the_checkouts_owner_and_copies_by_the_containers(
    owner: int,
    mapped: bool,
    secret: tuple[int, int, int],
    copy: tuple[int, int, int],
    here: Project,
    volumes: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As the engine leaves it: folders that were to be mounted.
    (here.state / "secrets" / "for" / "api").mkdir(parents=True)
    owner_of(monkeypatch, owner, mapped=mapped)
    said: list[str] = []
    setup.setup(here, volumes, INSIDE, said.append)
    assert owned(here.state / "secrets" / "otlp_token") == secret
    assert owned(here.state / "secrets")[0] == owned(here.state / "secrets" / "for")[0] == secret[0]
    for service, names in compose.secrets(here).items():
        folder = here.state / "secrets" / "for" / service
        assert {path.name for path in folder.iterdir()} == set(names)
        for name in names:
            assert owned(folder / name) == copy
            assert (folder / name).read_bytes() == (here.state / "secrets" / name).read_bytes()
        assert owned(folder) == (*copy[:2], 0o700 if copy[2] == 0o600 else 0o750)
    # `make up` may follow, as the owner: it writes these anew.
    for name in ("runbooks/CollectorDown.md", "alertmanager/alertmanager.yaml", "alertmanager"):
        assert owned(here.state / name)[0] == secret[0], name
    for name in ("alertmanager/credentials", "profiles/profiles.yaml", "."):
        assert owned(here.state / name)[0] == secret[0], name
    assert owned(volumes / "loki" / "chunks" / "one")[:2] == (10001, 10001)
    assert said[1:] == ["loki: given to user 10001", "tempo: given to user 10001"]


@needs_root
@pytest.mark.parametrize(("owner", "refused"), [(1000, True), (0, False), (10001, False)])
def test_a_checkout_that_containers_cannot_read_is_named(
    owner: int, refused: bool, here: Project, volumes: Path, tmp_path: Path
) -> None:
    private = tmp_path / "checkout"
    private.mkdir()
    for name in (".env", "docker-compose.yml", "alertmanager", "runbooks"):
        (private / name).symlink_to(ROOT / name)
    (private / ".env").unlink()
    (private / ".env").write_bytes((ROOT / ".env").read_bytes())
    (private / ".env").chmod(0o600)
    os.chown(private / ".env", owner, owner)
    checkout = replace(here, root=private)
    if not refused:
        setup.setup(checkout, volumes, INSIDE, lambda _: None)
        return
    with pytest.raises(StackError) as caught:
        setup.setup(checkout, volumes, INSIDE, lambda _: None)
    assert str(caught.value) == (
        "containers run as user 10001, who may not read .env of the checkout: "
        "`chmod -R o+rX .` there, or `make up`, which sees to it"
    )
    assert not here.state.exists()


def test_tls_is_not_left_out_in_silence(here: Project, volumes: Path) -> None:
    with_tls = replace(here, settings={**here.settings, "OTLP_TLS": "mutual"})
    with pytest.raises(StackError, match=r"OTLP_TLS=mutual: only `make up` starts with TLS"):
        setup.setup(with_tls, volumes, INSIDE, lambda _: None)
    assert not here.state.exists()


@needs_root
def test_the_second_start_changes_nothing(
    here: Project, volumes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner_of(monkeypatch, 1000)
    setup.setup(here, volumes, INSIDE, lambda _: None)
    before = {path: path.read_bytes() for path in here.state.rglob("*") if path.is_file()}
    said: list[str] = []
    setup.setup(here, volumes, INSIDE, said.append)
    assert {path: path.read_bytes() for path in here.state.rglob("*") if path.is_file()} == before
    assert said == ["secrets, runbooks and Alertmanager's configuration are made"]


@needs_root
def test_after_make_up_it_gives_the_volumes_alone(here: Project, volumes: Path) -> None:
    setup.setup(here, volumes, {**INSIDE, "GLASSHOUSE_SETUP": "volumes"}, lambda _: None)
    assert not here.state.exists()
    assert owned(volumes / "loki" / "chunks" / "one")[:2] == (10001, 10001)


@needs_root
def test_a_volume_that_was_given_halfway_is_given_again(here: Project, volumes: Path) -> None:
    os.chown(volumes / "loki" / "chunks", 10001, 10001)
    (volumes / "loki" / "link").symlink_to(volumes / "tempo")
    setup.setup(here, volumes, {**INSIDE, "GLASSHOUSE_SETUP": "volumes"}, lambda _: None)
    assert owned(volumes / "loki" / "chunks" / "one")[:2] == (10001, 10001)
    assert owned(volumes / "loki" / "link")[:2] == (10001, 10001)


@pytest.mark.parametrize(
    ("environment", "fault"),
    [
        (
            {"GLASSHOUSE_UID": "me", "GLASSHOUSE_GID": "1"},
            "GLASSHOUSE_UID must be a number, not 'me'",
        ),
        ({"GLASSHOUSE_UID": "1"}, "GLASSHOUSE_GID must be a number, not ''"),
        ({**INSIDE, "GLASSHOUSE_SETUP": "no"}, "GLASSHOUSE_SETUP must be all or volumes, not 'no'"),
    ],
)
def test_a_wrong_variable_is_one_line(
    environment: dict[str, str], fault: str, here: Project, volumes: Path
) -> None:
    with pytest.raises(StackError) as caught:
        setup.setup(here, volumes, environment, lambda _: None)
    assert str(caught.value) == fault
    assert not here.state.exists()


ME = User(uid=os.geteuid(), gid=os.getegid())


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "secrets").mkdir()
    for name in ("one", "two"):
        (tmp_path / "secrets" / name).write_text(name)
    return tmp_path


def test_a_secret_that_is_wanted_no_more_is_taken_back(state: Path) -> None:
    handing.hand_out(state, {"api": ["one", "two"], "worker": ["one"]}, ME)
    assert {path.parent.name for path in handing.copies(state, "one")} == {"api", "worker"}
    handing.hand_out(state, {"api": ["two"]}, ME)
    assert handing.copies(state, "one") == []
    assert [path.read_text() for path in handing.copies(state, "two")] == ["two"]


def test_a_new_value_comes_in_place(state: Path) -> None:
    handing.hand_out(state, {"api": ["one"]}, ME)
    [copy] = handing.copies(state, "one")
    before = copy.stat().st_ino
    (state / "secrets" / "one").write_text("o")  # shorter
    handing.hand_out(state, {"api": ["one"]}, ME)
    assert (copy.read_text(), copy.stat().st_ino) == ("o", before)


def test_a_secret_that_is_not_there_is_named(state: Path) -> None:
    with pytest.raises(StackError) as caught:
        handing.hand_out(state, {"api": ["three"]}, ME)
    assert str(caught.value) == f"{state}/secrets/three is missing: `make up` makes it"
