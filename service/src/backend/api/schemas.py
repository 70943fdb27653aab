"""What the models cannot say in JSON Schema: rules between fields, closed lists, examples.

A client that checks a body against the schema finds what the API would refuse, and nothing else.
"""

from collections.abc import Mapping
from typing import Any, Final

from backend.automation.strategies import STRATEGIES
from backend.notifications.channels.base import CHANNELS, Channel
from backend.notifications.templates import templates
from backend.payments.money import MAX_AMOUNT, MINOR_DIGITS

Schema = dict[str, Any]

_REQUEST_ID: Final = "8e1c5b0f6f0e4f4c9a4d5b2f7a1c3d9e"
_CREATED: Final = "2026-01-02T03:04:05.123456Z"
_FINISHED: Final = "2026-01-02T03:04:07.654321Z"
_PAYMENT: Final = "tx_5f0c7a2e9b1d4c3f8e6a7b9c0d1e2f3a"
_RUN: Final = "run_5f0c7a2e9b1d4c3f8e6a7b9c0d1e2f3a"
_SESSION: Final = "as_0d1e2f3a5f0c7a2e9b1d4c3f8e6a7b9c"
_NOTIFICATION: Final = "nt_5f0c7a2e9b1d4c3f8e6a7b9c0d1e2f3a"
_NOTIFY: Final = {"channel": "email", "to": "zoe@example.org"}
_JOB: Final = {
    "job": "sweep_payments",
    "schedule": "* * * * *",
    "nextRun": "2026-01-02T03:05:00Z",
    "lastSuccess": "2026-01-02T03:04:01.5Z",
    "lastFinished": "2026-01-02T03:04:01.5Z",
    "lastOutcome": "succeeded",
    "lastError": None,
    "running": 0,
    "pending": 0,
    "failed": 0,
    "oldestPendingAge": 0.0,
    "overdue": False,
    "lastFailure": None,
    "lastFailureError": None,
    "lastFailureTrace": None,
}
_WORKER: Final = {
    "worker": "backend-7-1f0c9a2e",
    "state": "alive",
    "started": "2026-01-02T03:00:00Z",
    "heartbeatAge": 1.2,
}

EXAMPLES: Final[Mapping[str, Schema]] = {
    "PaymentIn": {"userId": "user-7", "amount": "19.99", "currency": "EUR", "notify": _NOTIFY},
    "Accepted": {"transactionId": _PAYMENT, "state": "created", "requestId": _REQUEST_ID},
    "PaymentOut": {
        "transactionId": _PAYMENT,
        "state": "confirmed",
        "amount": "19.99",
        "currency": "EUR",
        "blockchainTxId": "0x" + "5f0c7a2e" * 8,
        "errorType": None,
        "createdAt": _CREATED,
        "submittedAt": _CREATED,
        "finishedAt": _FINISHED,
    },
    "RunIn": {"userId": "user-7", "strategy": "rebalance", "notify": _NOTIFY},
    "RunAccepted": {
        "runId": _RUN,
        "automationSessionId": _SESSION,
        "state": "requested",
        "requestId": _REQUEST_ID,
    },
    "RunOut": {
        "runId": _RUN,
        "automationSessionId": _SESSION,
        "strategy": "rebalance",
        "state": "completed",
        "steps": ["holdings", "quote", "plan"],
        "slaSeconds": 60.0,
        "withinSla": True,
        "duration": 2.530865,
        "errorType": None,
        "requestedAt": _CREATED,
        "finishedAt": _FINISHED,
    },
    "NotificationIn": {
        "userId": "user-7",
        **_NOTIFY,
        "template": "welcome",
        "data": dict.fromkeys(sorted(templates()["welcome"].needs), "Zoe"),
    },
    "NotificationAccepted": {
        "notificationId": _NOTIFICATION,
        "state": "queued",
        "requestId": _REQUEST_ID,
    },
    "NotificationOut": {
        "notificationId": _NOTIFICATION,
        "state": "delivered",
        "channel": "email",
        "template": "welcome",
        "providerMessageId": "<5f0c7a2e@glasshouse.example>",
        "errorType": None,
        "createdAt": _CREATED,
        "finishedAt": _FINISHED,
    },
    "NotifyIn": _NOTIFY,
    "ContactIn": {"userId": "user-7", **_NOTIFY},
    # Here and not in its model, where FastAPI would leave out what is null.
    "JobsOut": {"jobs": [_JOB], "workers": [_WORKER]},
}


def refine(schemas: dict[str, Schema]) -> None:
    """Complete the schemas of an OpenAPI document, in place."""
    for name, example in EXAMPLES.items():
        schemas[name]["examples"] = [example]
    schemas["PaymentIn"]["properties"]["currency"]["enum"] = sorted(MINOR_DIGITS)
    schemas["PaymentIn"]["anyOf"] = [_amounts_with(digits) for digits in (0, 2)]
    schemas["RunIn"]["properties"]["strategy"]["enum"] = list(STRATEGIES)
    for name in ("NotifyIn", "NotificationIn", "NotificationOut", "ContactIn"):
        schemas[name]["properties"]["channel"]["enum"] = list(CHANNELS)
    addresses = [_address_of(name, channel) for name, channel in CHANNELS.items()]
    schemas["NotifyIn"]["anyOf"] = addresses
    schemas["ContactIn"]["anyOf"] = [*addresses, {"properties": {"to": {"type": "null"}}}]
    schemas["NotificationIn"]["properties"]["template"]["enum"] = list(templates())
    schemas["NotificationIn"]["properties"]["data"]["additionalProperties"] = False
    schemas["NotificationIn"]["allOf"] = [
        {"anyOf": addresses},
        {"anyOf": [_data_for(name) for name in templates()]},
    ]


def _amounts_with(digits: int) -> Schema:
    """Return the rule for currencies with so many minor digits."""
    largest = int(MAX_AMOUNT)
    whole = rf"[1-9][0-9]{{0,{len(str(largest)) - 2}}}"
    if digits:
        fraction = rf"(\.[0-9]{{1,{digits}}}0{{0,20}})?"
        small = r"|0\.(0[1-9]|[1-9][0-9]?)0{0,20}"
        number: Schema = {"type": "number", "minimum": 10**-digits, "multipleOf": 10**-digits}
    else:
        fraction, small = r"(\.0{1,20})?", ""
        number = {"type": "integer", "minimum": 1}
    pattern = rf"^0{{0,20}}({whole}{fraction}|{largest}(\.0{{1,20}})?{small})$"
    currencies = sorted(name for name, minor in MINOR_DIGITS.items() if minor == digits)
    text: Schema = {"type": "string", "pattern": pattern}
    return {
        "properties": {
            "currency": {"enum": currencies},
            "amount": {"anyOf": [text, {**number, "maximum": largest}]},
        }
    }


def _address_of(name: str, channel: Channel) -> Schema:
    address: Schema = {"type": "string", "pattern": f"^{channel.address.pattern}$"}
    if channel.max_length is not None:
        address["maxLength"] = channel.max_length
    return {"properties": {"channel": {"const": name}, "to": address}}


def _data_for(template: str) -> Schema:
    needs = sorted(templates()[template].needs)
    rule: Schema = {"properties": {"template": {"const": template}, "data": {"required": needs}}}
    return {**rule, "required": ["data"]} if needs else rule
