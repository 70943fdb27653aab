"""Three Lokis over an object store: what they acknowledge is there, by its id."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from backend.operations.forgetting import Lokis, Pseudonyms
from glasshouse.redaction import Redactor
from support.distributed import proofs
from support.distributed.group import Programs, ended_after
from support.distributed.lokis import lokis
from support.distributed.object_store import ObjectStore, key_file, object_store
from support.distributed.reading import Reader, all_lines
from support.distributed.sending import Stream

TEAM_A, TEAM_B = "team-a", "team-b"
JANE, BOB = "jane@mail.example", "bob"
KEY = "k" * 32
KEPT_S = 14 * 86400.0
Remark = Callable[[str, str], None]
# Before the members know that others are lost, and after.
UNTAKEN = ("live replicas", "connection refused", "DeadlineExceeded", "Unavailable")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    made = object_store(tmp_path_factory.mktemp("s3"))
    with ended_after(made.program):
        made.program.start()
        yield made


@pytest.fixture(scope="module")
def three(store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    made = lokis(tmp_path_factory.mktemp("loki"), store.environment)
    with ended_after(made):
        made.start_all()
        yield made


def test_one_loki_and_its_disk_are_lost_under_load(three: Programs, remark: Remark) -> None:
    found = proofs.one_loki_lost(three, "loki-2", TEAM_A)
    remark("distributed", f"one Loki of three killed, its disk deleted: {found}")
    assert found.lost == ()
    assert found.doubled == 0
    # Without a try that failed nothing was lost under load.
    assert found.refused > 0


def test_two_of_three_lost_take_nothing_and_say_so(three: Programs) -> None:
    stream = Stream("logs", [three.url("loki-1")], TEAM_A, batch=10)
    stream.send()
    for name in ("loki-2", "loki-3"):
        three.kill(name)
    try:
        answer = stream.try_once(three.url("loki-1"))
        # To come again later, as a gateway does.
        assert answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR, answer.text
        assert any(word in answer.text for word in UNTAKEN), answer.text
    finally:
        for name in ("loki-2", "loki-3"):
            three.programs[name].launch()
        for name in ("loki-2", "loki-3"):
            three.programs[name].wait()
    stream.send()
    assert all_lines(Reader(TEAM_A), three.url("loki-3"), stream.run, stream.sent).lost == ()


def test_a_tenant_sees_its_own_lines_alone(three: Programs) -> None:
    streams = {
        team: Stream("logs", [three.url("loki-1")], team, batch=20) for team in (TEAM_A, TEAM_B)
    }
    for stream in streams.values():
        stream.send()
    for team, stream in streams.items():
        own = all_lines(Reader(team), three.url("loki-2"), stream.run, stream.sent)
        assert own.lost == ()
        others = [other for other in streams if other != team]
        for other in others:
            assert not Reader(team).lines(three.url("loki-2"), streams[other].run)


def test_without_a_tenant_nothing_is_taken_or_answered(three: Programs) -> None:
    url = three.url("loki-1")
    stream = Stream("logs", [url], TEAM_A, batch=1)
    assert stream.try_once(url, tenant="").status_code == httpx.codes.UNAUTHORIZED
    assert stream.try_once(url).is_success
    assert Reader("").status(f"{url}/loki/api/v1/labels") == httpx.codes.UNAUTHORIZED
    assert Reader(TEAM_A).status(f"{url}/loki/api/v1/labels") == httpx.codes.OK


async def test_a_person_s_lines_are_deleted_when_each_is_asked(three: Programs) -> None:
    urls = [three.url(name) for name in three.names]
    # Nobody has asked for lines of these tenants: a Loki remembers for five minutes what of a
    # tenant is deleted.
    asked = {
        f"{word}-{secrets.token_hex(4)}": to for word, to in (("all", urls), ("one", urls[:1]))
    }
    names = Pseudonyms.of([JANE], [KEY])
    redactor = Redactor.load(key=KEY.encode())
    for tenant, to in asked.items():
        streams = {
            user: Stream(
                "logs",
                urls,
                tenant,
                batch=20,
                attributes={"payment.user_id": redactor.value(user, "user_id")},
            )
            for user in (JANE, BOB)
        }
        for stream in streams.values():
            stream.send(3)
        async with httpx.AsyncClient(trust_env=False) as client:
            await Lokis(client, to, KEPT_S, tenant).delete(names)
            for url in urls:
                own = Lokis(client, [url], KEPT_S, tenant)
                # The control: where it was not asked, they are there.
                there = url not in to
                assert await own.count(names) == (60 if there else 0), (tenant, url)
                assert len(Reader(tenant).lines(url, streams[JANE].run)) == (60 if there else 0)
                # Another person's stay.
                kept = all_lines(Reader(tenant), url, streams[BOB].run, streams[BOB].sent)
                assert (kept.lost, kept.doubled) == ((), 0)


def test_the_object_store_is_unavailable_under_load(
    three: Programs, store: ObjectStore, remark: Remark
) -> None:
    found = proofs.object_store_lost_by_loki(three, store.program, store, TEAM_A)
    remark("distributed", f"S3 unavailable under load, Loki: {found}")
    assert found.lost == ()
    assert found.doubled == 0


def test_a_loki_with_an_empty_disk_reads_all_from_the_object_store(
    tmp_path: Path, remark: Remark
) -> None:
    store = object_store(tmp_path / "s3")
    before = lokis(tmp_path / "before", store.environment)
    after = lokis(
        tmp_path / "after",
        store.environment,
        ["loki-4"],
        flags=["-distributor.replication-factor=1"],
    )
    with ended_after(store.program, before, after):
        store.program.start()
        before.start_all()
        stream = Stream("logs", [before.url(name) for name in before.names], TEAM_A, batch=100)
        stream.send(40)
        sent = all_lines(Reader(TEAM_A), before.url("loki-1"), stream.run, stream.sent)
        assert sent.lost == ()
        for name in before.names:
            before.programs[name].stop()
            before.wipe(name)
        assert store.objects("loki")
        after.start_all()
        found = all_lines(Reader(TEAM_A), after.url("loki-4"), stream.run, stream.sent)
        remark("distributed", f"read from S3 alone by a Loki with an empty disk: {found}")
        assert found.lost == ()
        assert found.doubled == 0


# What is wrong -> what stands in the last line.
WRONG = {
    "key": "SignatureDoesNotMatch",
    "bucket": "NoSuchBucket",
    "address": "connection refused",
}


@pytest.mark.parametrize("wrong", list(WRONG))
def test_a_wrong_object_store_is_named_and_nothing_is_taken(
    store: ObjectStore, tmp_path: Path, wrong: str
) -> None:
    other = key_file(tmp_path / "key", secret="another-secret-0123456789012345")
    changes = {
        "key": {"AWS_SHARED_CREDENTIALS_FILE": str(other)},
        "bucket": {"LOKI_BUCKET": "absent"},
        "address": {"S3_ENDPOINT": "127.0.0.1:1"},
    }
    group = lokis(tmp_path / "loki", {**store.environment, **changes[wrong]}, ["loki-1"])
    loki = group.programs["loki-1"]
    with ended_after(group):
        loki.launch()
        assert loki.ended() != 0
        last = loki.log().strip().splitlines()[-1]
        assert "error running loki" in last, last
        assert WRONG[wrong] in last, last
