"""A Tempo in several processes over Kafka and an object store: each trace is found, by its id."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from support.distributed import proofs
from support.distributed.broker import Broker, broker
from support.distributed.group import Programs, ended_after
from support.distributed.object_store import ObjectStore, key_file, object_store
from support.distributed.reading import Reader, all_traces
from support.distributed.sending import Stream
from support.distributed.tempos import STORES, tempos
from support.waiting import until

TEAM_A, TEAM_B = "team-a", "team-b"
Remark = Callable[[str, str], None]
# Of two equal addresses the generator wants none.
NOBODY = ("http://127.0.0.1:1/1", "http://127.0.0.1:1/2")


@dataclass(frozen=True, kw_only=True)
class Cluster:
    store: ObjectStore
    broker: Broker
    tempo: Programs

    @property
    def asked(self) -> str:
        return self.tempo.url("tempo-query-frontend")

    def stream(self, tenant: str, batch: int = 20) -> Stream:
        return Stream("traces", [self.tempo.url("tempo-distributor")], tenant, batch=batch)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("tempo")
    store, kafka = object_store(folder / "s3"), broker(folder / "kafka")
    made = tempos(folder, store.environment, kafka.address, NOBODY)
    with ended_after(store.program, kafka.program, made):
        store.program.start()
        kafka.start()
        made.start_all()
        yield Cluster(store=store, broker=kafka, tempo=made)


def test_one_live_store_and_its_disk_are_lost_under_load(cluster: Cluster, remark: Remark) -> None:
    found = proofs.one_live_store_lost(cluster.tempo, STORES[0], TEAM_A)
    remark("distributed", f"one live-store of two killed, its disk deleted: {found}")
    assert found.lost == ()
    assert found.doubled == 0


def test_a_tenant_finds_its_own_traces_alone(cluster: Cluster) -> None:
    streams = {team: cluster.stream(team) for team in (TEAM_A, TEAM_B)}
    for stream in streams.values():
        stream.send()
    for team, stream in streams.items():
        assert all_traces(Reader(team), cluster.asked, stream.sent).lost == ()

        def found(team: str = team, run: str = stream.run) -> tuple[object, object]:
            ids = Reader(team).searched(cluster.asked, run)
            return ids or None, ids

        until(found, what="a search finds them")
        [other] = [one for one in streams if one != team]
        assert not Reader(other).traces(cluster.asked, stream.sent.ids)
        assert not Reader(other).searched(cluster.asked, stream.run)


def test_without_a_tenant_nothing_is_taken_or_answered(cluster: Cluster) -> None:
    stream = cluster.stream(TEAM_A, batch=1)
    url = cluster.tempo.url("tempo-distributor")
    assert not stream.try_once(url, tenant="").is_success
    assert stream.try_once(url).is_success
    asked = f"{cluster.asked}/api/search?q=%7B%7D"
    assert Reader("").status(asked) == httpx.codes.UNAUTHORIZED
    assert Reader(TEAM_A).status(asked) == httpx.codes.OK


def test_the_object_store_is_unavailable_under_load(cluster: Cluster, remark: Remark) -> None:
    found = proofs.object_store_lost_by_tempo(
        cluster.tempo, cluster.store.program, cluster.store, TEAM_A
    )
    remark("distributed", f"S3 unavailable under load, Tempo: {found}")
    assert found.lost == ()
    assert found.doubled == 0


# What is wrong -> what stands in the last line.
WRONG = {
    "key": "signature",
    "bucket": "bucket does not exist",
    "address": "connection refused",
}


@pytest.mark.parametrize("wrong", list(WRONG))
def test_a_wrong_object_store_is_named_and_nothing_is_answered(
    cluster: Cluster, tmp_path: Path, wrong: str
) -> None:
    other = key_file(tmp_path / "key", secret="another-secret-0123456789012345")
    changes = {
        "key": {"AWS_SHARED_CREDENTIALS_FILE": str(other)},
        "bucket": {"TEMPO_BUCKET": "absent"},
        "address": {"S3_ENDPOINT": "127.0.0.1:1"},
    }
    environment = {**cluster.store.environment, **changes[wrong]}
    names = [*STORES, "tempo-query-frontend"]
    group = tempos(tmp_path / "tempo", environment, cluster.broker.address, NOBODY, names)
    program = group.programs["tempo-query-frontend"]
    with ended_after(program):
        program.launch()
        assert program.ended() != 0
        last = program.log().strip().splitlines()[-1]
        assert "error running Tempo" in last, last
        assert WRONG[wrong] in last, last


def test_without_kafka_nothing_is_acknowledged_and_nothing_is_lost(cluster: Cluster) -> None:
    stream = cluster.stream(TEAM_A)
    stream.send()
    cluster.broker.program.kill()
    try:
        answer = stream.try_once(cluster.tempo.url("tempo-distributor"))
        assert answer.is_server_error, answer.text
        assert "failed to write to kafka" in cluster.tempo.log("tempo-distributor")
    finally:
        cluster.broker.start()
    stream.send()
    assert all_traces(Reader(TEAM_A), cluster.asked, stream.sent).lost == ()


def test_without_live_stores_all_is_in_the_object_store(cluster: Cluster, remark: Remark) -> None:
    """Runs last: both live-stores come back without a disk, and Kafka has nothing to read again."""
    stream = cluster.stream(TEAM_A)
    stream.send(5)
    sent = len(stream.sent.ids)
    reader = Reader(TEAM_A)
    assert all_traces(reader, cluster.asked, stream.sent).lost == ()
    before = len(proofs.blocks(cluster.store, TEAM_A))

    def written() -> tuple[bool | None, object]:
        # A block ends with a record that is newer than its time.
        stream.send()
        now = len(proofs.blocks(cluster.store, TEAM_A))
        return now > before or None, f"{before} blocks before, {now} now"

    until(written, what="the block-builder has written them")
    first = stream.sent.until_now()
    del first.ids[sent:]
    for name in STORES:
        cluster.tempo.kill(name)
        cluster.tempo.wipe(name)
    cluster.broker.empty()
    for name in STORES:
        cluster.tempo.start(name)
    found = all_traces(reader, cluster.asked, first)
    remark("distributed", f"both live-stores lost with their disks, read from S3: {found}")
    assert found.lost == ()
    assert found.doubled == 0
