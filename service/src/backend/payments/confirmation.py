"""Confirms one payment on the chain.

created ──submit──▶ submitted ──receipt──▶ confirmed
   │                    │
   └──────failed────────┘

Every step reads the state from the database, so a run may start anywhere and may be repeated:
after a crash, or twice at once. A run that has waited long enough reschedules the payment, so that
one which is never mined holds up no other.
"""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from procrastinate.exceptions import JobRetry
from procrastinate.retry import RetryDecision

from backend.payments.chain import Chain, ChainError, ChainRefusedError, ChainUnreachableError
from backend.payments.store import Failure, Payment, PaymentId, Payments, State
from glasshouse import traced

FIRST_RETRY_S: Final = 0.2
LAST_RETRY_S: Final = 5.0
# Most payments are confirmed in less; the others cost one poll every few seconds.
POLL_WINDOW_S: Final = 5.0
RESCHEDULE_DELAY_S: Final = 3
_random = secrets.SystemRandom()

_logger = logging.getLogger(__name__)


class StillPendingError(JobRetry):
    """The payment is neither confirmed nor failed yet. No fault: the job is rescheduled."""


@dataclass(frozen=True, kw_only=True)
class Confirmation:
    """What confirming needs. ``timeout``, ``poll_interval`` and ``poll_window`` are in seconds.

    ``timeout`` bounds the attempts to submit, from the creation on, and the wait for the receipt,
    from the submission on. However late a run starts, it asks the chain at least once. After
    ``poll_window`` a run reschedules the payment.
    """

    payments: Payments
    chain: Chain
    timeout: float
    poll_interval: float
    poll_window: float = POLL_WINDOW_S
    clock: Callable[[], float] = time.monotonic

    @traced
    async def confirm(self, payment_id: PaymentId, *, resumed: bool = False) -> None:
        """Bring the payment to confirmed or failed. Safe to run twice.

        With ``resumed`` (an earlier run rescheduled it) it polls once and does not wait.

        Raises:
            StillPendingError: neither yet; the job is rescheduled.
            LookupError: there is no such payment.
        """
        payment = await self.payments.find(payment_id)
        if payment is None:
            raise LookupError("no such payment")
        reschedule_at = self.clock() + (0 if resumed else self.poll_window)
        if payment.state is State.CREATED:
            payment = await self._submit(payment, reschedule_at)
        if payment and payment.state is State.SUBMITTED:
            await self._await_receipt(payment, reschedule_at)

    async def _submit(self, payment: Payment, reschedule_at: float) -> Payment | None:
        age = await self.payments.age(payment.id)
        deadline = self.clock() + self.timeout - age.created
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
                changed = await self.payments.mark_submitted(payment.id, tx_id)
                # Another run was first: go on from what it wrote.
                return changed or await self.payments.find(payment.id)
            if not await self._pause(pause, deadline, reschedule_at):
                break
            pause = min(pause * 2, LAST_RETRY_S)
        return await self.payments.mark_failed(payment.id, failure, from_state=State.CREATED)

    async def _await_receipt(self, payment: Payment, reschedule_at: float) -> None:
        if payment.blockchain_tx_id is None:
            raise LookupError("a submitted payment has no transaction hash")
        age = await self.payments.age(payment.id)
        deadline = self.clock() + self.timeout - age.submitted
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
            if not await self._pause(pause, deadline, reschedule_at):
                break
        await self.payments.mark_failed(payment.id, failure, from_state=State.SUBMITTED)

    async def _pause(self, pause: float, deadline: float, reschedule_at: float) -> bool:
        """Wait, and return whether time is left. Raises StillPendingError."""
        now = self.clock()
        if now >= deadline:
            return False
        if now >= reschedule_at:
            _logger.debug("Payment rescheduled", extra={"seconds": RESCHEDULE_DELAY_S})
            raise StillPendingError(RetryDecision(retry_in={"seconds": RESCHEDULE_DELAY_S}))
        seconds = min(_jittered(pause), deadline - now)
        _logger.debug("Payment waits for the chain", extra={"seconds": round(seconds, 3)})
        await asyncio.sleep(seconds)
        return True

    async def _finish(self, payment: Payment, *, reverted: bool) -> None:
        if reverted:
            failure = Failure.REVERTED
            await self.payments.mark_failed(payment.id, failure, from_state=State.SUBMITTED)
        else:
            await self.payments.mark_confirmed(payment.id)


def _jittered(pause: float) -> float:
    # Spread out, so that payments created together do not ask together indefinitely.
    return pause * _random.uniform(0.8, 1.2)
