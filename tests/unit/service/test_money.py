from decimal import Decimal

import pytest

from backend.payments.money import MAX_AMOUNT, AmountError, format_amount, parse_amount


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("10.5", "EUR", "10.50"),
        ("0.01", "USD", "0.01"),
        ("1.500", "GBP", "1.50"),
        ("10", "JPY", "10"),
        ("10.00", "JPY", "10"),
        ("1E+3", "JPY", "1000"),
        ("1000000", "EUR", "1000000.00"),
    ],
)
def test_amount_gets_the_minor_digits_of_its_currency(amount: str, currency: str, text: str):
    assert format_amount(parse_amount(Decimal(amount), currency), currency) == text


@pytest.mark.parametrize(
    ("amount", "currency", "rule"),
    [
        ("0", "EUR", "amount_not_positive"),
        ("-0.01", "EUR", "amount_not_positive"),
        ("0.001", "EUR", "amount_too_precise"),
        ("0.5", "JPY", "amount_too_precise"),
        ("1E-9999", "EUR", "amount_too_precise"),
        ("1000000.01", "EUR", "amount_too_large"),
        ("1E+9999", "EUR", "amount_too_large"),
        ("NaN", "EUR", "amount_not_finite"),
        ("Infinity", "EUR", "amount_not_finite"),
    ],
)
def test_amount_that_breaks_a_rule_is_refused(amount: str, currency: str, rule: str):
    with pytest.raises(AmountError) as refused:
        parse_amount(Decimal(amount), currency)
    assert refused.value.rule == rule


def test_highest_amount_is_accepted():
    assert parse_amount(MAX_AMOUNT, "EUR") == MAX_AMOUNT
