"""Kafka between edges and gateways: known ids and counts, with each part killed once under load."""

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

import pytest

from support import known
from support.arrivals import Arrivals
from support.behind_kafka import EDGES, GATEWAYS, Estate
from support.kafka import needs_java
from support.known import Known, Verdict
from support.waiting import until

pytestmark = needs_java
# How many batches an edge has sent before, between and after faults; 19 records each.
SHARE = 200 if os.environ.get("GLASSHOUSE_DISTRIBUTED") == "long" else 40

Remark = Callable[[str, str], None]


def until_sent(load: Known, more: int = SHARE) -> None:
    """Wait until each edge has acknowledged so many batches more."""
    before = {edge: load.events_of(edge) for edge in EDGES}

    def sent() -> tuple[bool | None, object]:
        now = {edge: load.events_of(edge) - before[edge] for edge in EDGES}
        return min(now.values()) >= more or None, now

    until(sent, what=f"each edge acknowledges {more} batches")


def until_passing(arrivals: Arrivals, load: Known) -> None:
    """Wait until records of this load come through to the sink."""

    def comes() -> tuple[bool | None, object]:
        there = sum(one.startswith(load.run) for one in arrivals.ids()["logs"])
        return there > 0 or None, there

    until(comes, what="records of this load come")


def until_counted(arrivals: Arrivals, load: Known, before: dict[str, float]) -> None:
    """Wait until the counts of events are exactly what each edge acknowledged."""

    def exact() -> tuple[bool | None, object]:
        found = {edge: arrivals.events(edge) - before[edge] for edge in EDGES}
        wanted = {edge: float(load.events_of(edge)) for edge in EDGES}
        assert all(found[edge] <= wanted[edge] for edge in EDGES), (found, wanted)
        return found == wanted or None, (found, wanted)

    until(exact, what="the counts of events are exact")


class Proof:
    """A load of which everything must arrive."""

    def __init__(self, estate: Estate, remark: Remark, name: str) -> None:
        self.estate, self._remark, self._name = estate, remark, name
        self.arrivals = Arrivals(estate.sink)
        self._counted: dict[str, float] = {}

    @contextlib.contextmanager
    def load(self) -> Iterator[Known]:
        self.arrivals.ids()
        self._counted = {edge: self.arrivals.events(edge) for edge in EDGES}
        with known.load(self.estate.targets()) as load:
            yield load

    def holds(self, load: Known) -> Verdict:
        found = known.until_whole(load, self.arrivals.ids)
        until_counted(self.arrivals, load, self._counted)
        split = self.arrivals.split(load.traces)
        self.say(
            f"{found}; {split} of {len(load.traces)} traces split; events exact; "
            f"{load.tries} requests of senders failed"
        )
        return found

    def say(self, line: str) -> None:
        self._remark("Kafka between", f"{self._name}: {line}")


@pytest.fixture
def proof(estate: Estate, remark: Remark, request: pytest.FixtureRequest) -> Proof:
    return Proof(estate, remark, request.node.name.removeprefix("test_").replace("_", " "))


def test_steady_load(estate: Estate, proof: Proof) -> None:
    with estate.edges_running(), estate.gateways_running():
        with proof.load() as load:
            until_passing(proof.arrivals, load)
            until_sent(load)
        proof.holds(load)
        assert proof.arrivals.by_gateway.keys() == set(GATEWAYS)


def test_a_gateway_is_killed(estate: Estate, proof: Proof) -> None:
    with estate.edges_running(), contextlib.ExitStack() as others:
        others.enter_context(estate.gateways["gateway-2"].running())
        with proof.load() as load:
            with estate.gateways["gateway-1"].running() as gateway:
                until_passing(proof.arrivals, load)
                until_sent(load)
                gateway.popen.send_signal(signal.SIGKILL)
                gateway.popen.wait(60)
            until_sent(load)
            others.enter_context(estate.gateways["gateway-1"].running())
            until_sent(load)
        proof.holds(load)


def test_a_broker_is_killed_with_its_disk(estate: Estate, proof: Proof) -> None:
    with estate.edges_running(), estate.gateways_running():
        with proof.load() as load:
            until_passing(proof.arrivals, load)
            until_sent(load)
            estate.kafka.kill("kafka-2")
            estate.kafka.wipe("kafka-2")
            until_sent(load)
            estate.kafka.start("kafka-2")
            until_sent(load)
        proof.holds(load)


def test_an_edge_is_killed_with_a_backlog_while_the_brokers_are_away(
    estate: Estate, proof: Proof
) -> None:
    with estate.gateways_running(), contextlib.ExitStack() as edges:
        running = {name: edges.enter_context(one.running()) for name, one in estate.edges.items()}
        with proof.load() as load:
            until_sent(load, 5)
            for broker in ("kafka-1", "kafka-2", "kafka-3"):
                estate.kafka.kill(broker)
            until_sent(load)
            running["edge-1"].popen.send_signal(signal.SIGKILL)
            running["edge-1"].popen.wait(60)
            edges.enter_context(estate.edges["edge-1"].running())
            until_sent(load, 5)
            estate.kafka.start("kafka-1", "kafka-2", "kafka-3")
        proof.holds(load)


def test_gateways_are_restarted_one_after_the_other(estate: Estate, proof: Proof) -> None:
    with estate.edges_running(), contextlib.ExitStack() as stack:
        with proof.load() as load:
            running = {
                name: stack.enter_context(estate.gateways[name].running()) for name in GATEWAYS
            }
            until_passing(proof.arrivals, load)
            for name in GATEWAYS:
                until_sent(load)
                assert running[name].stop(within_s=240) == 0
                stack.enter_context(estate.gateways[name].running())
            until_sent(load)
        proof.holds(load)
