"""Parts of the stack past one machine lost under load, and what it costs: counted by id."""

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from support import backends
from support.chaos import load as loads
from support.chaos.faults import Allowed, Result
from support.chaos.ledger import Ledger
from support.chaos.load import Load
from support.chaos.load import running as loaded
from support.distributed.kept import Kept
from support.distributed.whole import Whole
from support.waiting import until
from support.words import fresh

CURRENCY: Final = "XXX"  # no API's: its load is counted by other labels
# On a machine ten times slower, after a Loki or a live-store has read back what it missed.
SETTLED_WITHIN_S: Final = 600.0
# Under load before and after the fault, so that it meets records on their way.
AROUND_S: Final = 4.0
BROKERS: Final = ("kafka-1", "kafka-2", "kafka-3")
GATEWAYS: Final = ("gateway-1", "gateway-2")

Loss = Callable[[Whole, float], None]


@dataclass(frozen=True, kw_only=True)
class Lost:
    """One row. lose: does it, for so many seconds, and puts right what it did. what: in the page.

    short_s, long_s: for how long, in `make test` and in `make test-distributed`.
    """

    name: str
    what: str
    lose: Loss
    short_s: float = 5
    long_s: float = 20
    in_short: bool = False
    alert: str = ""
    allowed: Allowed = field(default_factory=Allowed)


def _killed(service: str, *, with_disk: bool = False) -> Loss:
    def do(whole: Whole, seconds: float) -> None:
        whole.docker("kill", service)
        try:
            if with_disk:
                whole.wipe(service)
            time.sleep(seconds)
        finally:
            whole.docker("start", service)
        whole.wait_healthy([service])

    return do


def _away(service: str) -> Loss:
    def do(whole: Whole, seconds: float) -> None:
        whole.docker("stop", service)
        try:
            time.sleep(seconds)
        finally:
            whole.docker("start", service)
        whole.wait_healthy([service])

    return do


def _edge_killed_with_backlog(whole: Whole, seconds: float) -> None:
    """No broker is reached: the edge takes and keeps. Then it is killed, and comes again first."""
    with _cut_off(whole, "edge-2"):
        time.sleep(seconds)
        whole.docker("kill", "edge-2")
        whole.docker("start", "edge-2")
        whole.wait_healthy(["edge-2"])
        time.sleep(min(seconds, AROUND_S))


@contextlib.contextmanager
def _cut_off(whole: Whole, edge: str) -> Iterator[None]:
    whole.network("disconnect", edge, "kafka")
    try:
        yield
    finally:
        whole.network("connect", edge, "kafka")


def _rolled(*services: str) -> Loss:
    """One after the other asked to end and started, as by an upgrade."""

    def do(whole: Whole, seconds: float) -> None:
        for service in services:
            whole.docker("stop", service)
            whole.docker("start", service)
            whole.wait_healthy([service])
            time.sleep(seconds / len(services))

    return do


def _one_of_each(whole: Whole, seconds: float) -> None:
    for lose in (
        _killed("gateway-1"),
        _killed("kafka-2"),
        _killed("loki-3", with_disk=True),
        _killed("tempo-live-store-b", with_disk=True),
    ):
        lose(whole, seconds / 5)
    _edge_killed_with_backlog(whole, seconds / 5)


# A record that is sent again, because its acknowledgement was lost, is in Kafka twice. Loki and
# Prometheus take the second for the first; Tempo does where both are in one block.
AGAIN: Final = Allowed(twice=("traces",))

LOSSES: Final = [
    Lost(
        name="distributed-none",
        what="No fault",
        lose=lambda _, seconds: time.sleep(seconds),
        long_s=30,
    ),
    Lost(
        name="distributed-each-killed",
        what="One after the other killed: a gateway, a broker, a Loki and a live-store with their "
        "disks, an edge with a backlog",
        lose=_one_of_each,
        short_s=10,
        long_s=20,
        in_short=True,
        allowed=AGAIN,
    ),
    Lost(
        name="distributed-gateway-killed",
        what="One of two gateways killed, away, started again",
        lose=_killed("gateway-1"),
        allowed=AGAIN,
    ),
    Lost(
        name="distributed-broker-killed",
        what="One of three brokers of Kafka killed, away, started again",
        lose=_killed("kafka-1"),
        allowed=AGAIN,
    ),
    Lost(
        name="distributed-loki-killed",
        what="One of three Lokis killed, its disk deleted, away, started again",
        lose=_killed("loki-2", with_disk=True),
        allowed=AGAIN,
    ),
    Lost(
        name="distributed-live-store-killed",
        what="One of two live-stores of Tempo killed, its disk deleted, away, started again",
        lose=_killed("tempo-live-store-a", with_disk=True),
        allowed=AGAIN,
    ),
    Lost(
        name="distributed-edge-killed-backlog",
        what="An edge that reaches no broker killed with its backlog, started again, connected",
        lose=_edge_killed_with_backlog,
        allowed=AGAIN,
    ),
    Lost(
        name="distributed-s3-stopped",
        what="S3 stopped, away, started again",
        lose=_away("s3"),
        long_s=60,
        allowed=AGAIN,
    ),
    Lost(
        name="distributed-gateways-rolled",
        what="Both gateways asked to end and started again, one after the other, as by an upgrade",
        lose=_rolled(*GATEWAYS),
        allowed=AGAIN,
    ),
]
BY_NAME: Final = {one.name: one for one in LOSSES}


def counted(whole: Whole, http: httpx.Client) -> dict[str, float]:
    """Return how many payments of the load were counted, and their amounts, over all edges."""
    url = whole.url("PROMETHEUS_PORT")
    found: dict[str, float] = {}
    for name, key in (("payments_total", "events"), ("payments_amount_total", "amount")):
        series = backends.prometheus_query(http, url, f'sum({name}{{currency="{CURRENCY}"}})')
        found[key] = sum(one["value"] for one in series)
    return found


def run(lost: Lost, whole: Whole, seconds: float) -> Result:
    """Lose the part under load from every edge; return what it cost."""
    ledger = Ledger()
    kept = [
        Kept(
            whole=whole,
            tenant=edge.tenant,
            load=Load(
                endpoint=lambda url=edge.url: url,
                ledger=ledger,
                run=fresh("d"),
                rate=3,
                batch=5,
                headers=whole.sender,
                currency=CURRENCY,
            ),
        )
        for edge in whole.edges
    ]
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(one.client()) for one in kept]
        before = counted(whole, clients[0])
        with contextlib.ExitStack() as sending:
            for one in kept:
                sending.enter_context(_sending(one.load))
            time.sleep(AROUND_S)
            lost.lose(whole, seconds)
            time.sleep(AROUND_S)
        whole.wait_healthy()
        began = time.monotonic()

        def settled() -> tuple[Any, object]:
            try:
                verdicts = [
                    ledger.verdict(
                        signal,
                        [
                            arrival
                            for one, http in zip(kept, clients, strict=True)
                            for arrival in one.arrivals(http, signal)
                        ],
                    )
                    for signal in loads.SIGNALS
                ]
                now = counted(whole, clients[0])
            except httpx.HTTPError as error:
                return None, repr(error)
            money = ledger.money({key: now[key] - before[key] for key in now})
            done = money.is_exact and not any(one.lost for one in verdicts)
            over = time.monotonic() > began + SETTLED_WITHIN_S
            state = (verdicts, money)
            return (state if done or over else None), state

        verdicts, money = until(
            settled, what="everything accepted is stored", deadline_s=SETTLED_WITHIN_S + 120
        )
        settled_s = time.monotonic() - began
    refused = {one: ledger.refused.count(one) for one in sorted(set(ledger.refused))}
    return Result(
        fault=lost.name,
        seconds=seconds,
        verdicts=verdicts,
        money=money,
        refused=refused,
        reported={"settled_s": round(settled_s, 1)},
    )


def _sending(load: Load) -> AbstractContextManager[Load]:
    return loaded(load, stop_within_s=SETTLED_WITHIN_S)
