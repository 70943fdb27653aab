import json
import random
from collections import Counter
from typing import Any

import pytest
from pydantic import BaseModel

from backend.api.automation import RunIn
from backend.api.notifications import NotificationIn
from backend.api.payments import PaymentIn
from backend.automation.strategies import STRATEGIES
from backend.notifications.templates import templates
from backend.payments.money import MINOR_DIGITS
from glasshouse_fakes.app import create_services
from glasshouse_fakes.faults import Fault
from glasshouse_fakes.settings import Settings
from glasshouse_loadgen import actions, faults, people
from glasshouse_loadgen.actions import Call, Visitor

SEED = 7
PEOPLE = people.make_people(50, SEED)


def new_visitor(seed: int = SEED, person: int = 0) -> Visitor:
    rng = random.Random(seed)  # noqa: S311 (not for secrets)
    return Visitor(person=PEOPLE[person], rng=rng)


def session(seed: int = SEED, person: int = 0, calls: int = 1000) -> list[Call]:
    """What one visitor does when every write is accepted."""
    visitor = new_visitor(seed, person)
    done: list[Call] = []
    for number in range(calls):
        call = actions.next_call(visitor)
        answer = {"transactionId": f"t{number}", "runId": f"r{number}"}
        actions.remember(visitor, call, answer | {"notificationId": f"n{number}"})
        done.append(call)
    return done


def bodies(calls: list[Call], path: str) -> list[dict[str, Any]]:
    chosen = [call for call in calls if call.path == path and call.expected == actions.ACCEPTED]
    return [json.loads(call.body) for call in chosen]


def test_people_repeat_with_the_same_seed():
    assert people.make_people(50, SEED) == PEOPLE
    assert people.make_people(20, SEED + 1) != PEOPLE


def test_people_are_synthetic():
    domains = {person.email.partition("@")[2] for person in PEOPLE}
    assert domains <= {"example.com", "example.net", "example.org"}
    assert len({person.phone for person in PEOPLE}) == len(PEOPLE)


def test_sessions_repeat_with_the_same_seed():
    assert session() == session()
    assert session() != session(SEED + 1)


def test_every_kind_of_thing_happens():
    calls = session()
    payments = bodies(calls, "/payments")
    assert {body["currency"] for body in payments} == set(actions.CURRENCIES) == set(MINOR_DIGITS)
    assert {body["strategy"] for body in bodies(calls, "/automation/runs")} == set(
        actions.STRATEGIES
    )
    messages = bodies(calls, "/notifications")
    assert {(body["channel"], body["template"]) for body in messages} == {
        (channel, template) for channel in actions.CHANNELS for template in actions.TEMPLATES
    }
    assert {call.name for call in calls} >= {
        "read /payments",
        "read /automation/runs",
        "read /notifications",
        "read in vain",
        "pay wrongly",
        "intrude",
    }
    assert len({call.body for call in calls if call.name == "pay wrongly"}) == 6


def test_requests_carry_what_must_never_be_stored():
    person = PEOPLE[0]
    everything = "\n".join(f"{call.path} {call.body} {call.headers}" for call in session())
    for value in (person.email, person.phone, person.card, person.iban, person.address):
        assert value in everything


def test_amounts_suit_their_currency():
    for body in bodies(session(), "/payments"):
        digits = len(body["amount"].partition(".")[2])
        assert digits == MINOR_DIGITS[body["currency"]], body


@pytest.mark.parametrize(
    ("path", "model"),
    [("/payments", PaymentIn), ("/automation/runs", RunIn), ("/notifications", NotificationIn)],
)
def test_the_service_takes_what_is_meant_to_be_taken(path: str, model: type[BaseModel]):
    for number in range(len(PEOPLE)):
        for body in bodies(session(number, number, 100), path):
            text = json.dumps(body)
            assert model.model_validate_json(text), text


def test_every_strategy_and_template_is_tried():
    assert set(actions.STRATEGIES) == set(STRATEGIES)
    assert set(actions.TEMPLATES) == set(templates())


def test_only_what_was_accepted_is_read_again():
    visitor = new_visitor()
    actions.remember(visitor, actions.send_nonsense(visitor), {"transactionId": "no"})
    actions.remember(visitor, actions.pay(visitor), {"detail": "no id"})
    assert visitor.made == []
    actions.remember(visitor, actions.pay(visitor), {"transactionId": "tx-1"})
    assert actions.read(visitor).path == "/payments/tx-1"


def test_plan_repeats_with_the_same_seed():
    assert faults.plan(120, SEED) == faults.plan(120, SEED)
    assert faults.plan(120, SEED) != faults.plan(120, SEED + 1)


@pytest.mark.parametrize("duration", [5.0, 120.0, 3600.0])
@pytest.mark.parametrize("seed", range(20))
def test_every_fault_has_its_time_and_the_end_is_quiet(duration: float, seed: int):
    plan = faults.plan(duration, seed)
    assert Counter(one.title for one in plan) == Counter(title for title, _, _ in faults.KINDS)
    moments = [moment for one in plan for moment in (one.start, one.end)]
    assert moments == sorted(moments)
    assert moments[0] > 0
    assert moments[-1] < duration * 0.9


def test_the_sandbox_knows_every_fault():
    services = {service.name: service for service in create_services(Settings())}
    for _, service, fault in faults.KINDS:
        assert Fault.model_validate(fault).mode in services[service].switch.modes
