from collections.abc import Callable

import pytest

from backend.payments.chain import (
    Chain,
    ChainBusyError,
    ChainError,
    ChainRefusedError,
    ChainUnreachableError,
    Receipt,
)
from backend.payments.confirmation import Confirmation
from backend.payments.store import PaymentId, State

from .conftest import FakePayments, payment

MINED, REVERTED = Receipt(reverted=False), Receipt(reverted=True)
HASH = "0x" + "ab" * 32


class FakeChain(Chain):
    """Gives the answers of a script; the last one indefinitely."""

    def __init__(
        self, submit: list[str | ChainError], receipt: list[Receipt | ChainError | None]
    ) -> None:
        self.script = {"submit": list(submit), "receipt": list(receipt)}
        self.calls: list[str] = []
        self.before_answer: Callable[[], object] = lambda: None

    async def submit(self, payment_id: str) -> str:
        answer = self._next("submit")
        assert isinstance(answer, str)
        return answer

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        assert transaction_hash == HASH
        answer = self._next("receipt")
        assert not isinstance(answer, str)
        return answer

    def _next(self, call: str) -> str | Receipt | None:
        self.calls.append(call)
        self.before_answer()
        script = self.script[call]
        answer = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(answer, ChainError):
            raise answer
        return answer


async def confirm(payments: FakePayments, chain: FakeChain, limit: float = 5.0) -> None:
    confirmation = Confirmation(
        payments=payments,  # pyright: ignore[reportArgumentType]  # keeps the same promises
        chain=chain,
        timeout=limit,
        poll_interval=0.001,
    )
    for identifier in list(payments.rows):
        await confirmation.confirm(PaymentId(identifier))


async def test_payment_is_submitted_and_confirmed(payments: FakePayments):
    row = payments.add(payment())
    chain = FakeChain([HASH], [None, None, MINED])
    await confirm(payments, chain)
    assert payments.changes == [("created", "submitted"), ("submitted", "confirmed")]
    assert payments.rows[row.id].blockchain_tx_id == HASH
    assert chain.calls == ["submit", "receipt", "receipt", "receipt"]


async def test_second_run_changes_nothing(payments: FakePayments):
    payments.add(payment())
    chain = FakeChain([HASH], [MINED])
    await confirm(payments, chain)
    await confirm(payments, chain)
    assert chain.calls == ["submit", "receipt"]
    assert len(payments.changes) == 2


async def test_run_after_a_crash_goes_on_from_submitted(payments: FakePayments):
    payments.add(payment(state=State.SUBMITTED, blockchain_tx_id=HASH))
    chain = FakeChain([], [MINED])
    await confirm(payments, chain)
    assert chain.calls == ["receipt"]
    assert payments.changes == [("submitted", "confirmed")]


async def test_run_that_lost_the_race_goes_on_from_the_winners_state(payments: FakePayments):
    row = payments.add(payment())
    chain = FakeChain(["0xlate"], [MINED])
    chain.before_answer = lambda: payments.add(
        payment(state=State.SUBMITTED, blockchain_tx_id=HASH)
    )
    await confirm(payments, chain)
    assert payments.changes == [("submitted", "confirmed")]
    assert payments.rows[row.id].blockchain_tx_id == HASH


async def test_reverted_transaction_fails_the_payment(payments: FakePayments):
    row = payments.add(payment())
    await confirm(payments, FakeChain([HASH], [REVERTED]))
    assert payments.rows[row.id].error_type == "reverted"


@pytest.mark.parametrize(
    ("submit", "receipt", "error_type"),
    [
        ([ChainUnreachableError()], [], "chain_unreachable"),
        ([ChainBusyError()], [], "chain_error"),
        ([HASH], [None], "confirmation_timeout"),
        ([HASH], [ChainUnreachableError()], "chain_unreachable"),
        ([HASH], [None, ChainUnreachableError()], "confirmation_timeout"),
        ([HASH], [ChainBusyError()], "confirmation_timeout"),
    ],
)
async def test_payment_fails_when_its_time_is_over(
    payments: FakePayments,
    submit: list[str | ChainError],
    receipt: list[Receipt | ChainError | None],
    error_type: str,
):
    row = payments.add(payment())
    await confirm(payments, FakeChain(submit, receipt), limit=0.02)
    assert payments.rows[row.id].state is State.FAILED
    assert payments.rows[row.id].error_type == error_type


async def test_refused_transaction_fails_at_once(payments: FakePayments):
    row = payments.add(payment())
    chain = FakeChain([ChainRefusedError()], [])
    await confirm(payments, chain)
    assert chain.calls == ["submit"]
    assert payments.rows[row.id].error_type == "chain_error"


async def test_transient_errors_are_tried_again(payments: FakePayments):
    row = payments.add(payment())
    chain = FakeChain(
        [ChainUnreachableError(), HASH], [ChainBusyError(), ChainUnreachableError(), MINED]
    )
    await confirm(payments, chain)
    assert payments.rows[row.id].state is State.CONFIRMED


async def test_late_run_asks_the_chain_once_before_it_gives_up(payments: FakePayments):
    row = payments.add(payment(state=State.SUBMITTED, blockchain_tx_id=HASH))
    payments.waited = 1000.0
    await confirm(payments, FakeChain([], [MINED]), limit=1.0)
    assert payments.rows[row.id].state is State.CONFIRMED


async def test_unknown_payment_is_an_error(payments: FakePayments):
    confirmation = Confirmation(
        payments=payments,  # pyright: ignore[reportArgumentType]  # keeps the same promises
        chain=FakeChain([], []),
        timeout=1,
        poll_interval=1,
    )
    with pytest.raises(LookupError):
        await confirmation.confirm(PaymentId("tx_none"))


async def test_who_debugs_sees_each_wait_for_the_chain(
    payments: FakePayments, caplog: pytest.LogCaptureFixture
):
    caplog.set_level("DEBUG", logger="backend.payments.confirmation")
    payments.add(payment())
    await confirm(payments, FakeChain([HASH], [None, None, MINED]))
    said = [(one.levelname, one.getMessage()) for one in caplog.records]
    assert said == [("DEBUG", "Payment waits for the chain")] * 2
