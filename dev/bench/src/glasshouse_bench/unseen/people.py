"""Generated people of many locales: bare in a sentence, beside a word, under a key."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

from glasshouse_bench.unseen.probes import Probe

REPORT = "people"
LOCALES = (
    "ar_AE",
    "ar_DZ",
    "az_AZ",
    "bg_BG",
    "bn_BD",
    "cs_CZ",
    "da_DK",
    "de_AT",
    "de_CH",
    "de_DE",
    "el_GR",
    "en_AU",
    "en_CA",
    "en_GB",
    "en_IE",
    "en_IN",
    "en_US",
    "es_AR",
    "es_CL",
    "es_ES",
    "es_MX",
    "et_EE",
    "fa_IR",
    "fi_FI",
    "fr_CA",
    "fr_FR",
    "he_IL",
    "hi_IN",
    "hr_HR",
    "hu_HU",
    "id_ID",
    "it_IT",
    "ja_JP",
    "ko_KR",
    "lt_LT",
    "lv_LV",
    "nl_BE",
    "nl_NL",
    "no_NO",
    "pl_PL",
    "pt_BR",
    "pt_PT",
    "ro_RO",
    "ru_RU",
    "sk_SK",
    "sl_SI",
    "sv_SE",
    "th_TH",
    "tr_TR",
    "uk_UA",
    "vi_VN",
    "zh_CN",
    "zh_TW",
)
EACH = 10
# Faker makes IBANs of a wrong length for these, which no validator of the field accepts.
NO_IBAN = frozenset(("bn_BD", "en_IN", "es_AR", "es_CL", "es_MX", "th_TH", "zh_CN"))

# How a value is made, the English word it stands beside, the key it stands under.
_ENTITIES: dict[str, tuple[Callable[[Any], str], str, str]] = {
    "e-mail": (lambda fake: fake.ascii_safe_email(), "e-mail", "customer.email"),
    "phone": (lambda fake: fake.phone_number(), "phone", "phone_number"),
    "national id": (lambda fake: fake.ssn(), "national id", "national_id"),
    "IBAN": (lambda fake: fake.iban(), "IBAN", "iban"),
    "card": (lambda fake: fake.credit_card_number(), "card", "card_number"),
    "IPv4": (lambda fake: fake.ipv4_public(), "IP address", "client.address"),
    "IPv6": (lambda fake: _public_ipv6(fake), "IP address", "client.address"),
}
# Known by their key alone.
_KEYED: dict[str, tuple[Callable[[Any], str], str]] = {
    "name": (lambda fake: fake.name(), "customer_name"),
    "street": (lambda fake: fake.street_address(), "street_address"),
}


def _public_ipv6(fake: Any) -> str:
    address: str = fake.ipv6()
    return f"2a01:{address.partition(':')[2]}"


def probes(seed: int, each: int = EACH) -> Iterator[Probe]:
    """Yield every entity of every locale, made from ``seed``."""
    # Imported here: it takes a second, and only this needs it.
    from faker import Faker

    for locale in LOCALES:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some locales are deprecated names of others
            fake: Any = Faker(locale)
        fake.seed_instance(seed)
        for _ in range(each):
            yield from _person(fake, locale)


def _person(fake: Any, locale: str) -> Iterator[Probe]:
    for entity, (make, word, key) in _ENTITIES.items():
        value = make(fake)
        if entity == "IBAN" and locale in NO_IBAN:
            continue
        texts = {
            "bare": ("", f"request for {value} was handled"),
            "word": ("", f"{word}: {value}"),
            "key": (key, value),
        }
        for where, (name, text) in texts.items():
            yield Probe(
                report=REPORT,
                group=entity,
                label=f"{where} {locale}",
                key=name,
                text=text,
                secret=value,
            )
    for entity, (make, key) in _KEYED.items():
        value = make(fake)
        yield Probe(
            report=REPORT, group=entity, label=f"key {locale}", key=key, text=value, secret=value
        )
