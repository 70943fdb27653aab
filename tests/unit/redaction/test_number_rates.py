"""How many ids of people are found bare, and how many ordinary numbers are taken for one.

The texts are synthetic, new in each run; the seed is printed, and `REDACTION_SEED` repeats a run.
"""

import math
import os
import random
import re
import sys
import time
from collections.abc import Callable

import pytest
from faker import Faker

from glasshouse.redaction import Redactor

SEED = int(os.environ.get("REDACTION_SEED", time.time_ns()))
COUNT = 400
MASK = re.compile(
    r"\[(?:national_id|ssn|passport|driver_license|bank_account|iban|wallet|credentials)\]"
)
# What stands around a number that says nothing about it.
CARRIERS = ("value {} seen", "with {} on file", "{} was there", "got ({})")
# Countries whose ids have a written form or check digits of their own, as Faker makes them.
SELF_CHECKED = (
    *("ar_AA", "bg_BG", "cs_CZ", "de_CH", "de_DE", "dk_DK", "el_GR", "en_GB", "en_IE", "en_IN"),
    *("en_PH", "en_US", "es_AR", "es_CL", "es_CO", "es_ES", "et_EE", "fi_FI", "fr_CH", "fr_FR"),
    *("hu_HU", "it_IT", "ko_KR", "lt_LT", "lv_LV", "nl_BE", "no_NO", "pl_PL", "pt_BR", "pt_PT"),
    *("ro_RO", "sk_SK", "sl_SI", "sv_SE", "th_TH", "tr_TR", "zh_CN", "zh_TW"),
)
# One check digit or none: every tenth number would be one of these.
UNCHECKED = ("de_AT", "en_CA", "he_IL", "hr_HR", "nl_NL", "ru_RU", "uk_UA")


def digits(count: int) -> Callable[[random.Random], str]:
    return lambda source: str(source.randrange(10 ** (count - 1), 10**count))


def epoch(unit: int) -> Callable[[random.Random], str]:
    return lambda source: str(int(source.uniform(1.5e9, 1.9e9) * unit))


def utc(count: int) -> Callable[[random.Random], str]:
    return lambda source: (
        f"2026-{source.randint(1, 12):02}-{source.randint(1, 28):02}T12:00:00."
        f"{source.randrange(10**count):0{count}}Z"
    )


def characters(count: int, letters: str) -> Callable[[random.Random], str]:
    return lambda source: "".join(source.choices(f"0123456789{letters}", k=count))


# Each with the share of it, in percent, that may be taken for an id. Eleven digits have the most
# kinds of ids, two of them without a date of birth; they are rare in logs (6 in 80,000 lines).
ORDINARY: dict[str, tuple[Callable[[random.Random], str], float]] = {
    **{f"{count} digits": (digits(count), 0.5) for count in range(8, 20) if count != 11},
    "11 digits": (digits(11), 5),
    **{f"epoch x {unit}": (epoch(unit), 0.9) for unit in (1, 1_000, 1_000_000, 10**9)},
    **{f"UTC, {count} digits": (utc(count), 0) for count in (7, 8, 9)},
    **{f"hex of {count}": (characters(count, "abcdef"), 0.5) for count in (7, 8, 9, 16, 32, 40)},
    "order of a day": (
        lambda s: f"2026{s.randint(1, 12):02}{s.randint(1, 28):02}-{s.randrange(10000):04}",
        0.1,
    ),
    "build of a day": (
        lambda s: f"2026{s.randint(1, 12):02}{s.randint(1, 28):02}-{s.randrange(10)}",
        0.1,
    ),
}


def found(redactor: Redactor, value: str, carrier: str) -> bool:
    """Return whether a mask of an id took the place of the value, or of a part of it."""
    return MASK.search(redactor.text(carrier.format(value))) is not None


@pytest.mark.parametrize("kind", ORDINARY)
def test_ordinary_numbers_are_kept(redactor: Redactor, kind: str) -> None:
    source = random.Random(f"{SEED} {kind}")  # noqa: S311 (it must be repeatable)
    make, most = ORDINARY[kind]
    texts = [(make(source), source.choice(CARRIERS)) for _ in range(COUNT)]
    taken = [value for value, carrier in texts if found(redactor, value, carrier)]
    share = 100 * len(taken) / COUNT
    sys.stdout.write(f"{kind}: {share:.2f} % taken for an id, seed {SEED}\n")
    # A share of most is allowed for; four more, and as much again as two deviations, are chance:
    # with four alone one run in a thousand had more.
    allowed = COUNT * most / 100
    assert len(taken) <= allowed + 4 + 2 * math.sqrt(allowed), f"seed {SEED}: {taken[:5]}"


@pytest.mark.parametrize("locale", SELF_CHECKED)
def test_ids_that_check_themselves_are_found_bare(redactor: Redactor, locale: str) -> None:
    fake = Faker(locale)
    fake.seed_instance(f"{SEED} {locale}")
    ids = [fake.ssn() for _ in range(40)]
    missed = [one for one in ids if one in redactor.text(f"value {one} seen")]
    sys.stdout.write(f"{locale}: {len(ids) - len(missed)} of {len(ids)} found, seed {SEED}\n")
    # One in six of what Faker calls a social security number was never issued.
    assert len(missed) <= 15, f"seed {SEED}: {missed[:5]}"


@pytest.mark.parametrize("locale", [*SELF_CHECKED, *UNCHECKED])
def test_ids_are_found_beside_their_word(redactor: Redactor, locale: str) -> None:
    fake = Faker(locale)
    fake.seed_instance(f"{SEED} {locale}")
    ids = [fake.ssn() for _ in range(20)]
    assert [one for one in ids if one in redactor.text(f"national id: {one}")] == []
