"""Synthetic users, the same for the same seed."""

import random
from dataclasses import dataclass
from typing import Final

from faker import Faker

PEOPLE: Final = 200
LOCALES: Final = ("de_DE", "en_GB", "en_US", "fr_FR", "it_IT")


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who pays. ``device`` is a push token; ``address`` the one their traffic is from."""

    user_id: str
    name: str
    email: str
    phone: str
    device: str
    card: str
    iban: str
    street: str
    address: str
    browser: str


def make_people(count: int, seed: int) -> list[Person]:
    """Return ``count`` people. E-mail addresses end in the domains kept for examples."""
    fakers = [Faker(locale) for locale in LOCALES]
    for number, faker in enumerate(fakers):
        faker.seed_instance(seed + number)
    # Not for secrets: it must be repeatable.
    rng = random.Random(seed)  # noqa: S311 (see above)
    return [_person(fakers[number % len(fakers)], rng) for number in range(count)]


def _person(faker: Faker, rng: random.Random) -> Person:
    email = faker.ascii_safe_email()
    # Many services have no other user id than the address.
    user_id = email if rng.random() < 0.3 else f"user-{rng.getrandbits(40):010x}"
    return Person(
        user_id=user_id,
        name=faker.name(),
        email=email,
        phone=f"+{rng.choice(('1', '33', '39', '44', '49'))}{rng.randrange(10**9, 10**10)}",
        device=f"{rng.getrandbits(256):064x}",
        card=faker.credit_card_number("visa16"),
        iban=faker.iban(),
        street=faker.street_address().replace("\n", ", "),
        address=faker.ipv4_public(),
        browser=faker.user_agent(),
    )
