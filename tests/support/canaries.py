"""Made-up personal data and secrets, a fresh set for each run."""

import secrets
from dataclasses import dataclass


def _luhn_digit(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        number = int(digit) * (2 if place % 2 == 0 else 1)
        total += number - 9 if number > 9 else number
    return str(-total % 10)


def _card() -> str:
    body = "4" + "".join(str(secrets.randbelow(10)) for _ in range(14))
    return body + _luhn_digit(body)


@dataclass(frozen=True, kw_only=True)
class Canaries:
    """``word`` is harmless and must arrive; the others must not."""

    word: str
    email: str
    card: str
    token: str

    @property
    def forbidden(self) -> tuple[str, ...]:
        return (self.email, self.card, self.token)

    @property
    def sentence(self) -> str:
        return f"{self.word} {self.email} paid with {self.card} using Bearer {self.token}"


def fresh() -> Canaries:
    word = "canary" + secrets.token_hex(6)
    return Canaries(
        word=word,
        email=f"{word}@people.example.com",
        card=_card(),
        token=f"sk_live_{secrets.token_hex(16)}",
    )
