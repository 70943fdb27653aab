"""``/payments``."""

import json
import re
from collections.abc import Callable, Coroutine
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final, LiteralString, NoReturn, cast

from fastapi import APIRouter, Header, HTTPException, Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from backend.api.auth import PaymentReader, PaymentWriter
from backend.api.dependencies import Provided
from backend.api.models import In, NotifyIn, Out, UserId, contact_of
from backend.payments.money import MINOR_DIGITS, AmountError, parse_amount
from backend.payments.store import (
    PAYMENT_ID_PATTERN,
    NewPayment,
    Payment,
    PaymentId,
    State,
)
from glasshouse import request_id

# Visible ASCII, as RFC 8941 strings allow it, without spaces.
IDEMPOTENCY_KEY_PATTERN: Final = r"^[\x21-\x7e]{1,255}$"
# Plain digits: no sign, exponent, blanks or separators.
_DECIMAL: Final = re.compile(r"[0-9]{1,32}(\.[0-9]{1,32})?", re.ASCII)


class _ExactRequest(Request):
    async def json(self) -> Any:
        # Decimal keeps every digit; float would turn 0.1 into 0.1000000000000000055.
        return json.loads(
            await self.body(), parse_float=Decimal, parse_int=Decimal, parse_constant=_refuse
        )


def _refuse(constant: str) -> NoReturn:
    raise json.JSONDecodeError("not JSON", constant, 0)


class ExactNumbersRoute(APIRoute):
    """A route whose JSON numbers arrive as `Decimal`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_exactly(request: Request) -> Response:
            return await handle(_ExactRequest(request.scope, request.receive))

        return handle_exactly


def _to_decimal(value: object) -> Decimal:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return Decimal(value)
    if isinstance(value, Decimal):
        return value
    raise PydanticCustomError("amount_not_decimal", "Amount must be a decimal number")


def _known_currency(value: str) -> str:
    if value not in MINOR_DIGITS:
        allowed = ", ".join(sorted(MINOR_DIGITS))
        raise PydanticCustomError(
            "currency_unknown", "Currency must be one of {allowed}", {"allowed": allowed}
        )
    return value


PaymentIdOut = Annotated[str, Field(pattern=PAYMENT_ID_PATTERN)]


class PaymentIn(In):
    """The body of ``POST /payments``. An amount is a decimal string or a JSON number.

    ``notify`` is notified of how the payment ended.
    """

    user_id: UserId
    # Before the amount, whose precision depends on it.
    currency: Annotated[str, AfterValidator(_known_currency)]
    amount: Annotated[Decimal, BeforeValidator(_to_decimal, json_schema_input_type=str | float)]

    notify: NotifyIn | None = None

    @field_validator("amount")
    @classmethod
    def _check_amount(cls, amount: Decimal, info: ValidationInfo) -> Decimal:
        if "currency" not in info.data:
            return amount  # the currency is what is reported
        try:
            return parse_amount(amount, info.data["currency"])
        except AmountError as error:
            # Both are texts of `money`, without a value in them.
            rule, message = cast(LiteralString, error.rule), cast(LiteralString, str(error))
            raise PydanticCustomError(rule, message) from None


class Accepted(Out):
    """The answer to a write: the work goes on after it."""

    transaction_id: PaymentIdOut
    state: State
    request_id: str | None


class PaymentOut(Out):
    """One payment. Times are in UTC; ``amount`` has the currency's decimal places."""

    transaction_id: PaymentIdOut
    state: State
    amount: str
    currency: str
    blockchain_tx_id: str | None
    error_type: str | None
    created_at: datetime
    submitted_at: datetime | None
    finished_at: datetime | None

    @classmethod
    def of(cls, payment: Payment) -> "PaymentOut":
        return cls(
            transaction_id=payment.id,
            state=payment.state,
            amount=payment.amount_text,
            currency=payment.currency,
            blockchain_tx_id=payment.blockchain_tx_id,
            error_type=payment.error_type,
            created_at=payment.created_at,
            submitted_at=payment.submitted_at,
            finished_at=payment.finished_at,
        )


router = APIRouter(prefix="/payments", route_class=ExactNumbersRoute)


@router.post("", status_code=202)
async def create_payment(
    body: PaymentIn,
    response: Response,
    services: Provided,
    caller: PaymentWriter,
    idempotency_key: Annotated[str | None, Header(pattern=IDEMPOTENCY_KEY_PATTERN)] = None,
) -> Accepted:
    contact = contact_of(body.notify)
    await services.contacts.check(caller.name, body.user_id, contact)
    new = NewPayment(
        owner=caller.name,
        user_id=body.user_id,
        amount=body.amount,
        currency=body.currency,
        contact=contact,
    )
    created = await services.payments.create(new, idempotency_key)
    payment = created.payment
    response.headers["Location"] = f"/payments/{payment.id}"
    if created.replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return Accepted(transaction_id=payment.id, state=payment.state, request_id=request_id())


@router.get("/{transactionId}")
async def read_payment(
    transaction_id: Annotated[str, Path(alias="transactionId", pattern=PAYMENT_ID_PATTERN)],
    services: Provided,
    caller: PaymentReader,
) -> PaymentOut:
    payment = await services.payments.find(PaymentId(transaction_id))
    if payment is None or payment.owner != caller.name:
        raise HTTPException(404, "There is no payment with this id.")
    return PaymentOut.of(payment)
