"""Settles one payment on the chain.

created ──submit──▶ submitted ──receipt──▶ confirmed
   │                    │
   └──────failed────────┘

Every step reads the state from the database, so a run may start anywhere and may be repeated:
after a crash, or twice at once.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from backend.chain import Chain, ChainError, ChainRefusedError, ChainUnreachableError
from backend.payments import Failure, Payment, PaymentId, Payments, State

FIRST_RETRY_S: Final = 0.2
LAST_RETRY_S: Final = 5.0
_random = secrets.SystemRandom()


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What settling needs. ``timeout`` and ``poll_interval`` are in seconds.

    ``timeout`` bounds the attempts to submit, and, from the submission on, the wait for the
    receipt. However late a run starts, it asks the chain at least once.
    """

    payments: Payments
    chain: Chain
    timeout: float
    poll_interval: float
    clock: Callable[[], float] = time.monotonic

    async def settle(self, payment_id: PaymentId) -> None:
        """Bring the payment to confirmed or failed. Safe to run twice.

        Raises:
            LookupError: there is no such payment.
        """
        payment = await self.payments.find(payment_id)
        if payment is None:
            raise LookupError("no such payment")
        if payment.state is State.CREATED:
            payment = await self._submit(payment)
        if payment and payment.state is State.SUBMITTED:
            await self._await_receipt(payment)

    async def _submit(self, payment: Payment) -> Payment | None:
        deadline = self.clock() + self.timeout
        pause = FIRST_RETRY_S
        failure = Failure.CHAIN_UNREACHABLE
        while True:
            try:
                tx_id = await self.chain.submit(payment.id)
            except ChainRefusedError:
                failure = Failure.CHAIN_ERROR
                break
            except ChainError as error:
                if not isinstance(error, ChainUnreachableError):
                    failure = Failure.CHAIN_ERROR
            else:
                changed = await self.payments.submitted(payment.id, tx_id)
                # Another run was first: go on from what it wrote.
                return changed or await self.payments.find(payment.id)
            remaining = deadline - self.clock()
            if remaining <= 0:
                break
            await asyncio.sleep(min(_jittered(pause), remaining))
            pause = min(pause * 2, LAST_RETRY_S)
        return await self.payments.failed(payment.id, failure, from_state=State.CREATED)

    async def _await_receipt(self, payment: Payment) -> None:
        if payment.blockchain_tx_id is None:
            raise LookupError("a submitted payment has no transaction hash")
        spent = await self.payments.seconds_since_submission(payment.id)
        deadline = self.clock() + self.timeout - spent
        failure = Failure.CHAIN_UNREACHABLE
        pause = self.poll_interval
        while True:
            try:
                receipt = await self.chain.receipt(payment.blockchain_tx_id)
            except ChainError as error:
                if not isinstance(error, ChainUnreachableError):
                    failure = Failure.CONFIRMATION_TIMEOUT
                pause = min(pause * 2, LAST_RETRY_S)
            else:
                if receipt is not None:
                    await self._finish(payment, reverted=receipt.reverted)
                    return
                failure = Failure.CONFIRMATION_TIMEOUT
                pause = self.poll_interval
            remaining = deadline - self.clock()
            if remaining <= 0:
                break
            await asyncio.sleep(min(_jittered(pause), remaining))
        await self.payments.failed(payment.id, failure, from_state=State.SUBMITTED)

    async def _finish(self, payment: Payment, *, reverted: bool) -> None:
        if reverted:
            failure = Failure.REVERTED
            await self.payments.failed(payment.id, failure, from_state=State.SUBMITTED)
        else:
            await self.payments.confirmed(payment.id)


def _jittered(pause: float) -> float:
    # Spread out, so that payments created together do not ask together for ever.
    return pause * _random.uniform(0.8, 1.2)
