"""Validators by the names that the policy gives them."""

from collections.abc import Callable
from typing import Final

from glasshouse.redaction import (
    cards,
    emails,
    forms,
    identifiers,
    kubernetes,
    networks,
    phones,
    tokens,
    wallets,
)
from glasshouse.redaction.ascii import is_mixed_case
from glasshouse.redaction.networks import Network

# Sees the hit alone.
Test = Callable[[bytes], bool]
# Sees the hit in its text; returns the hit's end, which may be earlier, or None.
Shortener = Callable[[bytes, int, int], int | None]
# As a shortener, and returns the network.
NetworkReader = Callable[..., Network | None]

TESTS: Final[dict[str, Test]] = {
    "aadhaar": identifiers.is_aadhaar,
    "aba": identifiers.is_aba,
    "base58check": wallets.is_base58check,
    "basic_auth": tokens.is_basic_auth,
    "bech32": wallets.is_bech32,
    "cpf": identifiers.is_cpf,
    "dsn": tokens.is_dsn,
    "has_digit": tokens.has_digit,
    "hetu": identifiers.is_hetu,
    "id_like": identifiers.is_id_like,
    "jwt": tokens.is_jwt,
    "lower_and_digit": forms.is_lower_and_digit,
    "luhn9": identifiers.is_luhn9,
    "mac": tokens.is_mac,
    "mixed_case": is_mixed_case,
    "nanp": phones.is_nanp,
    "nhs": identifiers.is_nhs,
    "nif": identifiers.is_nif,
    "not_name": forms.is_not_name,
    "not_placeholder": forms.is_not_placeholder,
    "not_words": forms.is_not_words,
    "nric": identifiers.is_nric,
    "option_value": forms.is_option_value,
    "phone_digits": phones.is_phone_digits,
    "rrn": identifiers.is_rrn,
    "ssn": identifiers.is_ssn,
    "tckn": identifiers.is_tckn,
    "tokenish": tokens.is_tokenish,
    "trunk": phones.is_trunk,
    "user_password": forms.is_user_password,
    "wallet_other": wallets.is_other_wallet,
}

SHORTENERS: Final[dict[str, Shortener]] = {
    "card": cards.card,
    "email": emails.email,
    "email_near": emails.near_email,
    "e164": phones.e164,
    "iban": cards.iban,
    "kubernetes_secret": kubernetes.kubernetes_secret,
    "luhn": cards.luhn_number,
}

# Asks the engine about what it decodes.
ENCODED: Final = "encoded"

NETWORKS: Final[dict[str, NetworkReader]] = {"ipv4": networks.ipv4, "ipv6": networks.ipv6}
