"""Currencies and amounts: what may be paid."""

from decimal import Decimal
from typing import Final

# Minor digits of each currency that is accepted (ISO 4217).
MINOR_DIGITS: Final = {"EUR": 2, "GBP": 2, "JPY": 0, "USD": 2}
MAX_AMOUNT: Final = Decimal(1_000_000)


class AmountError(ValueError):
    """An amount breaks a rule. ``rule`` names it; the message holds no value."""

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


def parse_amount(amount: Decimal, currency: str) -> Decimal:
    """Return ``amount`` with exactly the minor digits of ``currency``.

    parse_amount(Decimal("10.5"), "EUR")   # Decimal("10.50")
    parse_amount(Decimal("10.5"), "JPY")   # AmountError: JPY has no minor digits

    Raises:
        AmountError: not finite, not positive, over `MAX_AMOUNT`, or too precise.
        KeyError: the currency is not in `MINOR_DIGITS`.
    """
    if not amount.is_finite():
        raise AmountError("amount_not_finite", "Amount must be a finite number")
    if amount <= 0:
        raise AmountError("amount_not_positive", "Amount must be greater than 0")
    if amount > MAX_AMOUNT:
        raise AmountError("amount_too_large", f"Amount must be at most {MAX_AMOUNT}")
    digits = MINOR_DIGITS[currency]
    # Trailing zeros are no precision: 1.500 EUR is 1.50 EUR.
    if amount != round(amount, digits):
        message = f"Amount must have at most {digits} decimal places in {currency}"
        raise AmountError("amount_too_precise", message)
    return round(amount, digits)


def format_amount(amount: Decimal, currency: str) -> str:
    """Return ``amount`` as plain digits with the minor digits of ``currency``."""
    return f"{amount:.{MINOR_DIGITS[currency]}f}"
