"""What comes twice: which backend takes the second for the first."""

import httpx

from support.chaos.ledger import Ledger
from support.chaos.load import SIGNALS, Load
from support.distributed.kept import Kept
from support.distributed.losses import CURRENCY, counted
from support.distributed.whole import NEIGHBOURS, Whole
from support.waiting import until
from support.words import fresh

pytestmark = NEIGHBOURS


def test_a_request_that_is_sent_twice_is_stored_and_counted_once(whole: Whole) -> None:
    """As an SDK does whose answer was lost: the same bytes again, to the same edge."""
    edge = whole.edges[0]
    ledger = Ledger()
    load = Load(
        endpoint=lambda: edge.url, ledger=ledger, run=fresh("d"), currency=CURRENCY, batch=5
    )
    kept = Kept(whole=whole, tenant=edge.tenant, load=load)
    with kept.client() as http:
        before = counted(whole, http)
        for signal in SIGNALS:
            ids = [f"{load.run}-{signal[0]}0-{n}" for n in range(load.batch)]
            path, body = load.request(signal, ids)
            ledger.send(signal, ids)
            for _ in range(2):
                answer = httpx.post(
                    f"{edge.url}/v1/{path}", json=body, headers=whole.sender, timeout=60
                )
                answer.raise_for_status()
            ledger.accept(signal, ids)

        def probe() -> tuple[dict[str, int] | None, object]:
            verdicts = [ledger.verdict(one, kept.arrivals(http, one)) for one in SIGNALS]
            now = counted(whole, http)
            money = ledger.money({key: now[key] - before[key] for key in now})
            done = not any(one.lost for one in verdicts) and money.is_exact
            return ({one.signal: one.doubled for one in verdicts} if done else None), verdicts

        doubled = until(probe, what="all are stored, and counted once")
    assert {signal: doubled[signal] for signal in ("logs", "events", "metrics")} == {
        "logs": 0,
        "events": 0,
        "metrics": 0,
    }
    # Tempo: once, where both are in one block.
    assert doubled["traces"] <= load.batch
