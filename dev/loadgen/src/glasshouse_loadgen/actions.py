"""What the traffic consists of: each action makes one request for a person, at random."""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from glasshouse_loadgen.known_values import (
    AutomationStrategy,
    NotificationChannel,
    NotificationTemplate,
    PaymentCurrency,
)
from glasshouse_loadgen.people import Person

CURRENCIES: Final[tuple[str, ...]] = tuple(PaymentCurrency)
STRATEGIES: Final[tuple[str, ...]] = tuple(AutomationStrategy)
CHANNELS: Final[tuple[str, ...]] = tuple(NotificationChannel)
TEMPLATES: Final[tuple[str, ...]] = tuple(NotificationTemplate)

ACCEPTED: Final = frozenset({202})


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request. ``name`` groups it in the report; ``expected`` are the right statuses."""

    name: str
    method: str
    path: str
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    expected: frozenset[int] = frozenset({200})


@dataclass(kw_only=True)
class Visitor:
    """One person's session: who, their random generator, the addresses of what they made.

    ``key``: of the caller who asks on their behalf.
    """

    person: Person
    rng: random.Random
    key: str = ""
    currencies: tuple[str, ...] = CURRENCIES
    made: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


def next_call(visitor: Visitor) -> Call:
    """Return what this visitor does next."""
    [action] = visitor.rng.choices(list(ACTIONS), weights=list(ACTIONS.values()))
    return action(visitor)


def remember(visitor: Visitor, call: Call, answer: Mapping[str, Any]) -> None:
    """Keep the address of what an accepted write made, to be read later."""
    if call.expected != ACCEPTED or call.path not in _IDENTIFIERS:
        return
    identifier = answer.get(_IDENTIFIERS[call.path])
    if isinstance(identifier, str):
        visitor.made.append((call.path, identifier))
        del visitor.made[:-_REMEMBERED]


_IDENTIFIERS: Final = {
    "/payments": "transactionId",
    "/automation/runs": "runId",
    "/notifications": "notificationId",
}
_REMEMBERED: Final = 20


def pay(visitor: Visitor) -> Call:
    """Pay some amount; half of the clients name a key, most want to be notified of its end."""
    rng = visitor.rng
    currency = rng.choice(visitor.currencies)
    cents = rng.randrange(100, 50_000)
    amount = str(cents) if currency == "JPY" else f"{cents // 100}.{cents % 100:02d}"
    headers = {"Idempotency-Key": f"demo-{rng.getrandbits(64):016x}"}
    body: dict[str, Any] = {"userId": visitor.person.user_id, "amount": amount}
    body |= {"currency": currency, **_notify(visitor)}
    return _write(visitor, "pay", "/payments", body, headers if rng.random() < 0.5 else {})


def automate(visitor: Visitor) -> Call:
    """Ask for a run of one strategy."""
    strategy = visitor.rng.choice(STRATEGIES)
    body = {"userId": visitor.person.user_id, "strategy": strategy, **_notify(visitor)}
    return _write(visitor, f"run {strategy}", "/automation/runs", body)


def notify(visitor: Visitor) -> Call:
    """Send a message by one channel, with what people write into messages."""
    person, rng = visitor.person, visitor.rng
    contact = _contact(visitor)
    # What any of the templates asks for, and a little more.
    data = {
        "name": person.name,
        "amount": f"{rng.randrange(1, 500)}.00",
        "currency": rng.choice(visitor.currencies),
        "transactionId": f"order-{rng.getrandbits(32):08x}",
        "strategy": rng.choice(STRATEGIES),
        "runId": f"run-{rng.getrandbits(32):08x}",
        "note": f"card {person.card}, {person.street}",
    }
    body = {"userId": person.user_id, "template": rng.choice(TEMPLATES), "data": data}
    return _write(visitor, f"notify by {contact['channel']}", "/notifications", body | contact)


def read(visitor: Visitor) -> Call:
    """Read something made before."""
    if not visitor.made:
        return pay(visitor)
    path, identifier = visitor.rng.choice(visitor.made)
    return Call(
        name=f"read {path}",
        method="GET",
        path=f"{path}/{identifier}",
        headers=_headers(visitor),
    )


def look_in_vain(visitor: Visitor) -> Call:
    """Ask for what is not there, with data in the URL that does not belong into one."""
    person = visitor.person
    path = visitor.rng.choice(
        (
            f"/payments/unknown-{visitor.rng.getrandbits(32):08x}",
            f"/profile?email={person.email}&token={visitor.rng.getrandbits(128):032x}",
            f"/cards/{person.card}",
        )
    )
    return Call(
        name="read in vain",
        method="GET",
        path=path,
        headers=_headers(visitor),
        expected=frozenset({404, 422}),
    )


def send_nonsense(visitor: Visitor) -> Call:
    """Send a payment that must be refused; the reason differs."""
    person, rng = visitor.person, visitor.rng
    good = {"userId": person.user_id, "amount": "10.00", "currency": "EUR"}
    bodies: tuple[str, ...] = (
        _json(good | {"amount": "-10.00"}),
        _json(good | {"amount": "0.001"}),
        _json(good | {"currency": "XTS"}),
        _json(good | {"card": person.card, "cvv": "123", "iban": person.iban}),
        _json(good | {"userId": f"{person.name} <{person.email}>"}),
        f'{{"userId": "{person.email}", "card": {person.card}',
    )
    return Call(
        name="pay wrongly",
        method="POST",
        path="/payments",
        body=rng.choice(bodies),
        headers=_headers(visitor) | {"Content-Type": "application/json"},
        expected=frozenset({400, 422}),
    )


def intrude(visitor: Visitor) -> Call:
    """Ask for what needs the internal token, with another one."""
    return Call(
        name="intrude",
        method="GET",
        path=visitor.rng.choice(("/jobs/status", "/metrics", "/readyz")),
        headers=_headers(visitor)
        | {"Authorization": f"Bearer {visitor.rng.getrandbits(160):040x}"},
        expected=frozenset({401, 403}),
    )


# How often each happens, beside the others.
ACTIONS: Final[Mapping[Callable[[Visitor], Call], int]] = {
    pay: 30,
    read: 30,
    notify: 15,
    automate: 12,
    send_nonsense: 6,
    look_in_vain: 4,
    intrude: 3,
}


def _contact(visitor: Visitor) -> dict[str, str]:
    person = visitor.person
    channel = visitor.rng.choice(CHANNELS)
    to = {"email": person.email, "sms": person.phone, "push": person.device}[channel]
    return {"channel": channel, "to": to}


def _notify(visitor: Visitor) -> dict[str, dict[str, str]]:
    return {"notify": _contact(visitor)} if visitor.rng.random() < 0.7 else {}


def _write(
    visitor: Visitor, name: str, path: str, body: Any, headers: Mapping[str, str] | None = None
) -> Call:
    return Call(
        name=name,
        method="POST",
        path=path,
        body=_json(body),
        headers={**_headers(visitor), "Content-Type": "application/json", **(headers or {})},
        expected=ACCEPTED,
    )


def _headers(visitor: Visitor) -> dict[str, str]:
    person = visitor.person
    authorization = {"Authorization": f"Bearer {visitor.key}"} if visitor.key else {}
    return {
        **authorization,
        "User-Agent": person.browser,
        "X-Forwarded-For": person.address,
        "Cookie": f"session={visitor.rng.getrandbits(128):032x}",
        "Referer": f"https://shop.example.com/checkout?email={person.email}",
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
