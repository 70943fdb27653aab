"""The strategies: each a list of steps.

A step gets the run and the results of the steps before it, and returns its own. It may be
executed again after a crash, so what it does to the world must bear that: `order` pays under a
key of the run, and everything else only reads.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from backend.automation.store import Run
from backend.payments.store import NewPayment, Payments
from backend.platform.database import Pool
from backend.platform.queries import query
from backend.platform.registry import Registry

if TYPE_CHECKING:
    # The API needs the names of the strategies, but no chain.
    from backend.payments.chain import Chain

NIGHTLY_REPORT: Final = "nightly_report"

DCA_AMOUNT: Final = Decimal("10.00")
DCA_CURRENCY: Final = "EUR"
STOP_LOSS_PRICE: Final = 95

Results = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class StepContext:
    """What steps work with."""

    pool: Pool
    chain: "Chain"
    payments: Payments


Step = Callable[[StepContext, Run, Results], Awaitable[dict[str, Any]]]


async def quote(context: StepContext, run: Run, before: Results) -> dict[str, Any]:
    """Ask the chain for its newest block, and take a price from it."""
    block = await context.chain.block_number()
    # A stand-in for a price oracle: from 90 to 110, the same for everybody in one block.
    return {"block": block, "price": 90 + block * 7 % 21}


async def holdings(context: StepContext, run: Run, before: Results) -> dict[str, Any]:
    """Sum up the user's confirmed payments by currency."""
    totals = await context.payments.totals(run.owner, run.user_id)
    return {"totals": {currency: str(total) for currency, total in totals.items()}}


async def plan(context: StepContext, run: Run, before: Results) -> dict[str, Any]:
    """Say how far each currency is from an equal share of all."""
    totals = {name: Decimal(total) for name, total in before["holdings"]["totals"].items()}
    share = sum(totals.values(), Decimal(0)) / (len(totals) or 1)
    return {"moves": {name: f"{share - total:.2f}" for name, total in totals.items()}}


async def order(context: StepContext, run: Run, before: Results) -> dict[str, Any]:
    """Pay the fixed amount. However often, it is one payment a run."""
    new = NewPayment(owner=run.owner, user_id=run.user_id, amount=DCA_AMOUNT, currency=DCA_CURRENCY)
    # With a blank, which no caller's own key has.
    created = await context.payments.create(new, f"run {run.id}")
    return {"transactionId": created.payment.id}


async def decide(context: StepContext, run: Run, before: Results) -> dict[str, Any]:
    """Compare the price with the limit."""
    return {"triggered": before["quote"]["price"] < STOP_LOSS_PRICE}


async def count_payments(context: StepContext, run: Run, before: Results) -> dict[str, Any]:
    """Count the last day's payments."""
    rows = await _rows(context.pool, "report_payments")
    return {"payments": [{**row, "total": str(row["total"])} for row in rows]}


async def count_notifications(context: StepContext, run: Run, before: Results) -> dict[str, Any]:
    """Count the last day's notifications."""
    return {"notifications": await _rows(context.pool, "report_notifications")}


async def summarise(context: StepContext, run: Run, before: Results) -> dict[str, Any]:
    """Put the day into two numbers."""
    counts = {"confirmed": 0, "failed": 0}
    for row in before["count_payments"]["payments"]:
        if row["state"] in counts:
            counts[row["state"]] += row["payments"]
    return counts


STRATEGIES: Final = Registry[tuple[Step, ...]]("strategy", "backend.automation.strategies")
STRATEGIES.register("rebalance", (holdings, quote, plan))
STRATEGIES.register("dca", (quote, order))
STRATEGIES.register("stop_loss", (quote, decide))
STRATEGIES.register(NIGHTLY_REPORT, (count_payments, count_notifications, summarise))


async def _rows(pool: Pool, name: str, **parameters: Any) -> list[dict[str, Any]]:
    async with pool.connection() as connection:
        cursor = await connection.execute(query(name), parameters)
        return await cursor.fetchall()
