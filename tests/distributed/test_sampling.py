"""Tail sampling behind Kafka: whole traces in steady state; what a rebalance and a kill cost."""

import contextlib
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
import yaml

from support import otlp
from support.arrivals import Arrivals
from support.behind_kafka import GATEWAYS, Estate
from support.collector_process import Collector
from support.edges import SAMPLING
from support.kafka import needs_java
from support.waiting import PATIENCE_S, until

pytestmark = needs_java
SPANS = 4
# A share of the deployed one, so that a test need not wait as long.
WAIT_S = 3
# As far apart from it as they are deployed.
COMMITTED_S = 6 * WAIT_S


def overlay(committed: str = f"{COMMITTED_S}s") -> str:
    """The deployed times, shorter. committed: how often what was read is committed."""
    return yaml.safe_dump(
        {
            "processors": {"tail_sampling": {"decision_wait": f"{WAIT_S}s"}},
            "receivers": {"kafka/traces": {"autocommit": {"interval": committed}}},
        }
    )


Remark = Callable[[str, str], None]


@dataclass(kw_only=True)
class Traces:
    """What was acknowledged, each trace as a whole: those with an error, and others."""

    failed: dict[str, float] = field(default_factory=dict[str, float])
    others: dict[str, float] = field(default_factory=dict[str, float])


@contextlib.contextmanager
def traces(*edges: Collector, pause_s: float = 0.02) -> Iterator[Traces]:
    """Send traces until the end of the block, each over all edges, every second with an error."""
    sent, stop = Traces(), threading.Event()

    def send() -> None:
        with contextlib.ExitStack() as stack:
            senders = [
                stack.enter_context(otlp.Sender(one.otlp, "shop", one.sender)) for one in edges
            ]
            number = 0
            while not stop.wait(pause_s):
                number += 1
                trace, is_failed = secrets.token_hex(16), number % 2 == 0
                for i in range(SPANS):
                    span = otlp.span(f"{trace}.{i}", trace_id=trace)
                    if is_failed and i == 0:
                        span["status"] = {"code": 2}
                    senders[i % len(senders)].spans([span])
                (sent.failed if is_failed else sent.others)[trace] = time.monotonic()

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield sent
    finally:
        stop.set()
        thread.join(PATIENCE_S)


def until_sent(sent: Traces, count: int) -> None:
    wanted = len(sent.failed) + count

    def there() -> tuple[bool | None, object]:
        return len(sent.failed) >= wanted or None, len(sent.failed)

    until(there, what=f"{count} traces with an error more")


def spans_of(arrivals: Arrivals) -> dict[str, set[str]]:
    """The spans of each trace that have come."""
    found: dict[str, set[str]] = {}
    for name in arrivals.ids()["spans"]:
        found.setdefault(name.partition(".")[0], set()).add(name)
    return found


def settled(arrivals: Arrivals, sent: Traces) -> dict[str, set[str]]:
    """Wait until nothing more comes for three decisions' time; return the spans by trace."""
    last, since = -1, time.monotonic()

    def quiet() -> tuple[dict[str, set[str]] | None, object]:
        nonlocal last, since
        found = spans_of(arrivals)
        now = sum(len(found.get(one, ())) for one in sent.failed)
        if now != last:
            last, since = now, time.monotonic()
        return (found if time.monotonic() - since > 3 * WAIT_S + 10 else None), now

    return until(quiet, what="all decisions")


def whole(found: dict[str, set[str]], trace: str) -> bool:
    return len(found.get(trace, ())) == SPANS


def test_traces_are_whole_and_those_with_an_error_are_kept(estate: Estate, remark: Remark) -> None:
    arrivals = Arrivals(estate.sink)
    with (
        estate.gateways_running(SAMPLING, overlay()) as gateways,
        estate.edges["edge-1"].running() as one,
        estate.edges["edge-3"].running() as other,
    ):
        settle(estate, one)
        with traces(one, other) as sent:
            until_sent(sent, 60)

        def complete() -> tuple[bool | None, object]:
            found = spans_of(arrivals)
            missing = [trace for trace in sent.failed if not whole(found, trace)]
            return not missing or None, f"{len(missing)} of {len(sent.failed)} are not whole"

        until(complete, what="every trace with an error, whole")
        found = settled(arrivals, sent)
        kept = [trace for trace in sent.others if trace in found]
        # A tenth of the others: what is not sampled does not come, and what comes is whole.
        assert len(kept) < len(sent.others) / 2, f"{len(kept)} of {len(sent.others)}"
        assert all(whole(found, trace) for trace in kept)
        split = arrivals.split(set(sent.failed) | set(kept))
        remark(
            "tail sampling",
            f"steady: {len(sent.failed)} traces with an error, all whole, {split} split; "
            f"{len(kept)} of {len(sent.others)} others kept",
        )
        assert split == 0
        assert {gateway.popen.poll() for gateway in gateways.values()} == {None}


@pytest.mark.parametrize("committed", ["500ms", f"{COMMITTED_S}s"])
def test_what_a_rebalance_and_a_kill_cost_is_printed(
    estate: Estate, remark: Remark, committed: str
) -> None:
    """No promise but that the rest is whole: gateway/sampling.yaml says so."""
    arrivals = Arrivals(estate.sink)
    with (
        estate.edges["edge-1"].running() as one,
        estate.edges["edge-3"].running() as other,
        contextlib.ExitStack() as stack,
    ):
        stack.enter_context(estate.gateways["gateway-2"].running(SAMPLING, overlay(committed)))
        gateway = stack.enter_context(
            estate.gateways["gateway-1"].running(SAMPLING, overlay(committed))
        )
        settle(estate, one)
        with traces(one, other) as sent:
            until_sent(sent, 60)
            killed = time.monotonic()
            gateway.popen.send_signal(signal.SIGKILL)
            gateway.popen.wait(60)
            until_sent(sent, 60)
            stack.enter_context(estate.gateways["gateway-1"].running(SAMPLING, overlay(committed)))
            until_sent(sent, 60)
        found = settled(arrivals, sent)
        lost = [at for trace, at in sent.failed.items() if trace not in found]
        torn = [trace for trace in sent.failed if trace in found and not whole(found, trace)]
        split = arrivals.split(set(sent.failed))
        remark(
            "tail sampling",
            f"a gateway of {len(GATEWAYS)} killed and started again: of {len(sent.failed)} traces "
            f"with an error {len(lost)} lost, {len(torn)} torn, {split} split over gateways, with "
            f"a decision_wait of {WAIT_S} s and a commit every {committed}",
        )
        # What was decided before, or came when the partitions had moved, is there.
        early = [at for at in lost if at < killed - 4 * WAIT_S - 20]
        assert early == []


def settle(estate: Estate, edge: Collector) -> None:
    """Wait until the gateways have their partitions: each delivers traces."""
    arrivals, seen = Arrivals(estate.sink), set[str]()

    def both() -> tuple[bool | None, object]:
        with otlp.Sender(edge.otlp, "shop", edge.sender) as sender:
            for _ in range(4):
                span = otlp.span("settling") | {"status": {"code": 2}}
                sender.spans([span])
        arrivals.ids()
        for gateways in arrivals.gateways_of.values():
            seen.update(gateways)
        return seen >= set(GATEWAYS) or None, seen

    # Only what comes from now on counts.
    arrivals.ids()
    arrivals.gateways_of.clear()
    until(both, what="both gateways deliver traces", deadline_s=PATIENCE_S)
