"""Two APIs and two workers as they are deployed, on real Postgres, with the sandbox around them."""

import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from psycopg.rows import DictRow, dict_row
from pydantic import SecretStr

from backend.platform import people
from backend.platform.encryption import Encryptor
from backend.platform.migrate import migrate
from backend.platform.settings import DatabaseSettings
from glasshouse.events import field_name
from glasshouse_cli.telemetry.load import load
from glasshouse_fakes.settings import Settings
from support import deployed, postgres, processes, sandbox
from support.callers import AUTHORIZATION
from support.ports import free
from support.processes import Backend, Process
from support.waiting import PATIENCE_S, until
from support.words import fresh

SECRET = "provider-secret"
# Of a payment: longer than a slow machine takes for one that the chain has mined.
TIME_OUT_S = 600
ADDRESS = {
    "email": "zoe.kessler@mail.example",
    "sms": "+4915112345678",
    "push": "device-token-7f3a9c",
}
NAME = "Zoe Kessler"
ENCRYPTOR = Encryptor(SecretStr(processes.DATA_KEY))
ORDERS = "SELECT amount FROM payments WHERE user_digest = %(user)s"


@dataclass(frozen=True, kw_only=True)
class Running:
    """The backend and its two APIs."""

    backend: Backend
    apis: list[httpx.Client]
    database: DatabaseSettings

    def post(self, path: str, body: dict[str, Any], **headers: str) -> dict[str, Any]:
        answer = self.apis[0].post(path, json=body, headers=headers)
        assert answer.status_code == 202, answer.text
        return answer.json()

    def ended(self, path: str, states: set[str], deadline_s: float = PATIENCE_S) -> dict[str, Any]:
        """Ask the other API until the thing is in one of ``states``."""

        def probe() -> tuple[dict[str, Any] | None, object]:
            body = self.apis[1].get(path).json()
            return (body if body.get("state") in states else None), body

        return until(probe, what=f"{path} has ended", deadline_s=deadline_s)

    def rows(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        with psycopg.Connection[DictRow].connect(
            self.database.conninfo(), row_factory=dict_row
        ) as connection:
            return connection.execute(statement.encode(), parameters).fetchall()

    def events_of(self, key: str, value: str, count: int) -> list[dict[str, Any]]:
        """Return the events with this id, once there are as many."""

        def probe() -> tuple[list[dict[str, Any]] | None, object]:
            found = [one for one in self.backend.events() if one.get(key) == value]
            return (found if len(found) >= count else None), found

        return until(probe, what=f"{count} events of {value}")


@pytest.fixture(scope="module")
def running(server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    database = postgres.new_database(server)
    migrate(database)
    smtp_port = free(["smtp"])["smtp"]
    settings = Settings(smtp_port=smtp_port, block_seconds=0.2, provider_secret=SECRET)
    folder = tmp_path_factory.mktemp("backend")
    with (
        sandbox.running(settings) as outside,
        processes.running(database, folder, outside, smtp_port, SECRET) as backend,
    ):
        backend.environment["PAYMENT_CONFIRMATION_TIMEOUT"] = str(TIME_OUT_S)
        urls = [backend.api() for _ in range(2)]
        for _ in range(2):
            backend.worker()
        apis = [
            httpx.Client(base_url=url, headers=AUTHORIZATION, timeout=120, trust_env=False)
            for url in urls
        ]
        yield Running(backend=backend, apis=apis, database=database)
        for api in apis:
            api.close()


def no_faults(running: Running) -> None:
    for part in ("chain", "smtp", "sms", "push"):
        running.backend.fault(part)


@pytest.fixture(autouse=True)
def all_healthy(running: Running) -> Iterator[None]:
    yield
    no_faults(running)


def payment(**changes: Any) -> dict[str, Any]:
    return {"userId": "zoe", "amount": "12.34", "currency": "EUR", **changes}


def message(channel: str, /, **changes: Any) -> dict[str, Any]:
    body = {"userId": "zoe", "channel": channel, "template": "welcome", "to": ADDRESS[channel]}
    return {**body, "data": {"name": NAME}, **changes}


def texts(running: Running, channel: str) -> list[str]:
    part = "smtp" if channel == "email" else channel
    return [str(one) for one in running.backend.received(part)]


# Payments


def test_a_confirmed_payment_notifies_its_person(running: Running) -> None:
    notify = {"channel": "sms", "to": ADDRESS["sms"]}
    made = running.post("/payments", payment(notify=notify))
    assert made["state"] == "created"
    path = f"/payments/{made['transactionId']}"
    body = running.ended(path, {"confirmed", "failed"})
    assert (body["state"], body["amount"], body["currency"]) == ("confirmed", "12.34", "EUR")
    [sent] = until(
        lambda: (
            [one for one in running.backend.received("sms") if made["transactionId"] in one["text"]]
            or None,
            running.backend.received("sms"),
        ),
        what="the SMS arrived",
    )
    assert sent["to"] == ADDRESS["sms"]
    assert "12.34 EUR is confirmed" in sent["text"]
    stored = "SELECT contact_sealed FROM payments WHERE id = %(id)s"
    assert running.rows(stored, id=made["transactionId"]) == [{"contact_sealed": None}]


def test_a_failed_payment_notifies_its_person(running: Running) -> None:
    running.backend.fault("chain", mode="revert")
    notify = {"channel": "email", "to": ADDRESS["email"]}
    made = running.post("/payments", payment(notify=notify))
    body = running.ended(f"/payments/{made['transactionId']}", {"confirmed", "failed"})
    assert (body["state"], body["errorType"]) == ("failed", "reverted")
    until(
        lambda: (
            any(made["transactionId"] in text for text in texts(running, "email")) or None,
            texts(running, "email")[-1:],
        ),
        what="the mail arrived",
    )


def test_a_contact_of_another_channel_is_refused(running: Running) -> None:
    answer = running.apis[0].post(
        "/payments", json=payment(notify={"channel": "sms", "to": ADDRESS["email"]})
    )
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["rule"] == "address_invalid"
    assert ADDRESS["email"] not in answer.text


def test_the_same_key_with_another_contact_is_refused(running: Running) -> None:
    key = secrets.token_hex(8)
    first = payment(notify={"channel": "sms", "to": ADDRESS["sms"]})
    made = running.post("/payments", first, **{"Idempotency-Key": key})
    again = running.post("/payments", first, **{"Idempotency-Key": key})
    assert again["transactionId"] == made["transactionId"]
    # The contact is compared while the payment is open, which this one may be no more.
    other = payment(amount="7.77", notify={"channel": "sms", "to": ADDRESS["sms"]})
    answer = running.apis[0].post("/payments", json=other, headers={"Idempotency-Key": key})
    assert answer.json()["type"] == "urn:glasshouse:problem:idempotency-key-reused"


def test_a_payment_that_lost_its_job_is_swept_up_once(running: Running) -> None:
    lost = f"tx_{secrets.token_hex(16)}"
    [row] = running.rows(
        "INSERT INTO payments (id, owner, user_sealed, user_digest, amount, currency, created_at)"
        " VALUES (%(id)s, 'shop', %(user_sealed)s, %(user_digest)s, 5, 'EUR',"
        " now() - interval '1 hour')"
        " RETURNING id",
        id=lost,
        **people.sealed(ENCRYPTOR, "zoe", lost),
    )
    # Two sweeps at once, besides the one of the clock.
    for slot in (1, 2):
        defer_by_clock(running, "sweep_payments", slot)
    # It is older than its time-out allows, but whoever is late asks the chain once.
    body = running.ended(f"/payments/{row['id']}", {"confirmed", "failed"})
    assert body["submittedAt"] is not None
    emitted = running.events_of("transactionId", row["id"], 2)
    assert [one["event"] for one in emitted] == ["payment.submitted", f"payment.{body['state']}"]


# Automation


@pytest.mark.parametrize(
    ("strategy", "steps"),
    [
        ("rebalance", ["holdings", "quote", "plan"]),
        ("dca", ["quote", "order"]),
        ("stop_loss", ["quote", "decide"]),
        ("nightly_report", ["count_payments", "count_notifications", "summarise"]),
    ],
)
def test_each_strategy_runs_to_its_end(running: Running, strategy: str, steps: list[str]) -> None:
    user = fresh("user-")
    made = running.post("/automation/runs", {"userId": user, "strategy": strategy})
    assert made["state"] == "requested"
    assert made["requestId"]
    body = running.ended(f"/automation/runs/{made['runId']}", {"completed", "failed"})
    assert (body["state"], body["steps"]) == ("completed", steps)
    assert (body["slaSeconds"], body["withinSla"]) == (60, True)
    assert 0 < body["duration"] < 60
    again = running.post("/automation/runs", {"userId": user, "strategy": strategy})
    assert again["automationSessionId"] == made["automationSessionId"]
    assert again["runId"] != made["runId"]
    orders = running.rows(ORDERS, user=people.digests(ENCRYPTOR, user)[0])
    if strategy == "dca":
        assert [str(row["amount"]) for row in orders][:1] == ["10.00"]
    else:
        assert orders == []


def test_a_run_that_breaks_its_sla_says_so(running: Running) -> None:
    # It cannot end before it is changed.
    running.backend.fault("chain", mode="down")
    made = running.post("/automation/runs", {"userId": "zoe", "strategy": "rebalance"})
    with psycopg.connect(running.database.conninfo()) as connection:
        connection.execute(
            "UPDATE automation_runs SET requested_at = requested_at - interval '2 minutes'"
            " WHERE id = %s AND state = 'requested'",
            [made["runId"]],
        )
    running.backend.fault("chain")
    body = running.ended(f"/automation/runs/{made['runId']}", {"completed", "failed"})
    assert body["withinSla"] is False


def test_a_run_without_the_chain_fails_after_its_attempts(running: Running) -> None:
    running.backend.fault("chain", mode="down")
    made = running.post("/automation/runs", {"userId": "zoe", "strategy": "stop_loss"})

    def hurried() -> tuple[dict[str, Any] | None, object]:
        # The pauses of 1, 2, 4, 8 and 16 s are not what is tested.
        running.rows(
            "UPDATE procrastinate_jobs SET scheduled_at = now()"
            " WHERE status = 'todo' AND args ->> 'run_id' = %(id)s RETURNING id",
            id=made["runId"],
        )
        body = running.apis[1].get(f"/automation/runs/{made['runId']}").json()
        return (body if body["state"] != "requested" else None), body

    body = until(hurried, what="the run has ended")
    outcomes = [row["outcome"] for row in runs_of(running, "run_automation", made["runId"])]
    assert outcomes == ["retried"] * 5 + ["succeeded"]
    assert (body["state"], body["errorType"]) == ("failed", "chain_unreachable")
    assert (body["withinSla"], body["steps"]) == (False, [])


def test_an_unknown_strategy_is_refused(running: Running) -> None:
    answer = running.apis[0].post("/automation/runs", json={"userId": "zoe", "strategy": "hodl"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["rule"] == "strategy_unknown"
    assert "hodl" not in answer.text


def test_a_completed_run_notifies_its_person(running: Running) -> None:
    notify = {"channel": "push", "to": ADDRESS["push"]}
    body = {"userId": "zoe", "strategy": "stop_loss", "notify": notify}
    made = running.post("/automation/runs", body)
    until(
        lambda: (
            any(made["runId"] in text for text in texts(running, "push")) or None,
            texts(running, "push")[-1:],
        ),
        what="the push arrived",
    )


# Notifications


@pytest.mark.parametrize("channel", ["email", "sms", "push"])
def test_a_notification_arrives_once(running: Running, channel: str) -> None:
    name = f"Zoe {fresh()}"
    made = running.post("/notifications", message(channel, data={"name": name}))
    assert made["state"] == "queued"
    body = running.ended(f"/notifications/{made['notificationId']}", {"delivered", "failed"})
    assert (body["state"], body["channel"]) == ("delivered", channel)
    [sent] = [text for text in texts(running, channel) if name in text]
    assert ADDRESS[channel] in sent
    identifier = made["notificationId"]
    if channel == "email":
        assert body["providerMessageId"] == f"<{identifier}@backend.example>"
    else:
        assert body["providerMessageId"].startswith(f"{channel}-")
    # A person's messages are found by the pseudonym that is on all that the person does.
    paid = running.post("/payments", payment())
    [created, *_] = running.events_of("transactionId", paid["transactionId"], 1)
    whose = {one["userId"] for one in running.events_of("notificationId", identifier, 2)}
    assert whose == {created["userId"]}
    stored = "SELECT * FROM notifications WHERE id = %(id)s"
    [row] = running.rows(stored, id=identifier)
    assert row["sealed"] is None
    assert ADDRESS[channel] not in str(row)


@pytest.mark.parametrize("channel", ["email", "sms"])
def test_a_refused_notification_fails_at_once(running: Running, channel: str) -> None:
    part, status = ("smtp", 550) if channel == "email" else ("sms", 400)
    running.backend.fault(part, mode="error", status=status)
    made = running.post("/notifications", message(channel))
    identifier = made["notificationId"]
    body = running.ended(f"/notifications/{identifier}", {"delivered", "failed"})
    assert (body["state"], body["errorType"]) == ("failed", "rejected")
    assert len(runs_of(running, "deliver_notification", identifier)) == 1
    [row] = running.rows("SELECT sealed FROM notifications WHERE id = %(id)s", id=identifier)
    assert row["sealed"] is None


@pytest.mark.parametrize("channel", ["email", "sms"])
def test_a_lost_reply_is_tried_again_and_received_once(running: Running, channel: str) -> None:
    part = "smtp" if channel == "email" else channel
    running.backend.fault(part, mode="lost_reply")
    name = f"Zoe {fresh()}"
    made = running.post("/notifications", message(channel, data={"name": name}))
    until(
        lambda: (
            any(name in text for text in texts(running, channel)) or None,
            texts(running, channel)[-1:],
        ),
        what="the first attempt arrived",
    )
    running.backend.fault(part)
    body = running.ended(f"/notifications/{made['notificationId']}", {"delivered", "failed"})
    assert body["state"] == "delivered"
    sent = [text for text in texts(running, channel) if name in text]
    if channel == "email":
        # SMTP cannot recognize a repeat; its Message-ID can.
        assert len(sent) >= 2
        assert all(made["notificationId"] in text for text in sent)
    else:
        assert len(sent) == 1


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"template": "nowhere"}, "template_unknown"),
        ({"data": {}}, "data_incomplete"),
        ({"data": {"name": "Zoe\r\nBcc: all@mail.example"}}, "string_pattern_mismatch"),
        ({"to": "Zoe <zoe@mail.example>"}, "address_invalid"),
        ({"to": "zoe@mail.example\r\nBcc: all@mail.example"}, "address_invalid"),
        ({"channel": "fax"}, "channel_unknown"),
    ],
)
def test_a_bad_notification_is_refused(running: Running, change: dict[str, Any], rule: str) -> None:
    answer = running.apis[0].post("/notifications", json=message("email", **change))
    assert answer.status_code == 422
    assert rule in {error["rule"] for error in answer.json()["errors"]}
    assert "zoe@mail" not in answer.text


# Crashes


SLOW = {"mode": "slow", "delay": 2.5}
# Job: the argument that names its subject. Those of the clock are found by their slot.
SUBJECT = {
    "confirm_payment": "payment_id",
    "run_automation": "run_id",
    "deliver_notification": "notification_id",
    "sweep_payments": "timestamp",
    "run_scheduled_automation": "timestamp",
}


def runs_of(running: Running, job: str, subject: str) -> list[dict[str, Any]]:
    return running.rows(
        "SELECT run.* FROM job_runs AS run"
        " INNER JOIN procrastinate_jobs AS job ON job.id = run.job_id"
        " WHERE job.task_name = %(job)s AND job.args ->> %(argument)s = %(subject)s"
        " ORDER BY run.attempt",
        job=job,
        argument=SUBJECT[job],
        subject=subject,
    )


def defer_by_clock(running: Running, job: str, slot: int) -> None:
    running.rows(
        "SELECT procrastinate_defer_jobs_v1(ARRAY[ROW('default', %(job)s, 0, NULL, NULL,"
        " jsonb_build_object('timestamp', %(slot)s::bigint), NULL)"
        "::procrastinate_job_to_defer_v1])",
        job=job,
        slot=slot,
    )


def workers(running: Running) -> list[Process]:
    return [
        one
        for one in running.backend.processes
        if one.command == "worker" and one.popen.poll() is None
    ]


# Three workers are killed, and each job waits until the next one counts them lost.
@pytest.mark.slow
def test_each_kind_of_job_ends_once_though_its_worker_is_killed(running: Running) -> None:
    """kill -9 in the middle of all of them; new workers go on."""
    user, slot = fresh("user-"), 1_700_000_000
    name = f"Zoe {fresh()}"
    running.backend.fault("chain", **SLOW)
    running.backend.fault("sms", mode="slow", delay=8)
    subjects = {
        "confirm_payment": running.post("/payments", payment())["transactionId"],
        "run_automation": running.post("/automation/runs", {"userId": user, "strategy": "dca"})[
            "runId"
        ],
        "deliver_notification": running.post("/notifications", message("sms", data={"name": name}))[
            "notificationId"
        ],
    }
    for job, subject in subjects.items():
        until(
            lambda job=job, subject=subject: (runs_of(running, job, subject) or None, job),
            what=f"{job} runs",
        )
    with psycopg.connect(running.database.conninfo()) as connection:
        # Here they meet a closed door: those of the clock, which are too quick to be caught, and
        # the others, where this takes longer than what they call.
        tables = "payments, automation_sessions, notifications"
        connection.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE".encode())
        for job in ("sweep_payments", "run_scheduled_automation"):
            subjects[job] = str(slot)
            defer_by_clock(running, job, slot)
            until(
                lambda job=job: (runs_of(running, job, str(slot)) or None, job),
                what=f"{job} runs",
            )
        for worker in workers(running):
            worker.kill()
    for job, subject in subjects.items():
        assert [row["outcome"] for row in runs_of(running, job, subject)] == [None], job
    running.backend.fault("chain")
    running.backend.fault("sms")
    for _ in range(2):
        running.backend.worker()
    for job, subject in subjects.items():
        rows = until(
            lambda job=job, subject=subject: (
                rows
                if (rows := runs_of(running, job, subject))[-1]["outcome"] == "succeeded"
                else None,
                rows,
            ),
            what=f"{job} has ended",
        )
        ends = [(row["outcome"], row["error_class"]) for row in rows]
        assert ends[0] == ("retried", "WorkerLost"), job
        assert Counter(ends)["succeeded", None] == 1, job
    events = running.backend.events()
    for key, job, last in (
        ("transactionId", "confirm_payment", "payment.confirmed"),
        ("runId", "run_automation", "automation.run.completed"),
        ("notificationId", "deliver_notification", "notification.delivered"),
    ):
        emitted = Counter(one["event"] for one in events if one.get(key) == subjects[job])
        assert (emitted[last], max(emitted.values())) == (1, 1)
    assert len(running.rows(ORDERS, user=people.digests(ENCRYPTOR, user)[0])) == 1
    slots = (
        "SELECT count(*) AS number FROM automation_runs WHERE scheduled_for = to_timestamp(%(s)s)"
    )
    assert running.rows(slots, s=slot) == [{"number": 1}]
    assert len([text for text in texts(running, "sms") if name in text]) == 1


def test_a_worker_asked_to_stop_hands_its_job_back(running: Running) -> None:
    running.backend.fault("sms", mode="slow", delay=8)
    made = running.post("/notifications", message("sms"))
    [first] = until(
        lambda: (
            runs_of(running, "deliver_notification", made["notificationId"]) or None,
            "no row of the job",
        ),
        what="the job runs",
    )
    [worker] = [one for one in workers(running) if f"-{one.popen.pid}-" in first["worker"]]
    assert worker.stop() == 0
    running.backend.fault("sms")
    body = running.ended(f"/notifications/{made['notificationId']}", {"delivered", "failed"})
    assert body["state"] == "delivered"
    [row] = running.rows("SELECT * FROM job_runs WHERE id = %(id)s", id=first["id"])
    assert (row["outcome"], row["error_class"]) == ("retried", "CancelledError")
    running.backend.worker()


def test_payments_that_are_never_mined_hold_up_no_other(running: Running) -> None:
    """Forty of them, for two workers with twenty places each."""
    running.backend.fault("chain", mode="never_mine")
    with ThreadPoolExecutor(8) as threads:
        stuck = list(threads.map(lambda _: running.post("/payments", payment()), range(40)))
    running.ended(f"/payments/{stuck[-1]['transactionId']}", {"submitted"})
    running.backend.fault("chain")
    made = running.post("/payments", payment())
    # Their poll window is 5 s: were their places kept until they are over, it would wait as long.
    body = running.ended(f"/payments/{made['transactionId']}", {"confirmed"})
    assert body["state"] == "confirmed"
    waits = running.apis[1].get(f"/payments/{stuck[0]['transactionId']}").json()
    assert waits["state"] == "submitted"
    # Their time is over, so that no job of theirs goes on beside the tests that follow.
    with psycopg.connect(running.database.conninfo()) as connection:
        connection.execute(
            "UPDATE payments SET created_at = created_at - interval '1 hour',"
            " submitted_at = submitted_at - interval '1 hour' WHERE state = 'submitted'"
        )
    for one in stuck:
        running.ended(f"/payments/{one['transactionId']}", {"failed"})


# What is emitted


COMMON = {
    "timestamp",
    "level",
    "message",
    "logger",
    "service",
    "event",
    "requestId",
    "correlationId",
    "traceId",
    "spanId",
}
# By event, the console's names of the fields that are always there, and of those that may be.
CONTRACT: dict[str, tuple[set[str], set[str]]] = {
    event.name: (
        {field_name(event.name, one.attribute.id) for one in event.fields if one.required},
        {field_name(event.name, one.attribute.id) for one in event.fields if not one.required},
    )
    for event in load(Path(__file__).parents[3]).events
}


# What the tests above do to make an event, by the one that it ends with.
MADE_BY: dict[str, Callable[[Running], None]] = {
    "payment.confirmed": test_a_confirmed_payment_notifies_its_person,
    "payment.failed": test_a_failed_payment_notifies_its_person,
    "automation.run.completed": test_a_completed_run_notifies_its_person,
    "automation.run.failed": test_a_run_without_the_chain_fails_after_its_attempts,
    "notification.delivered": lambda running: test_a_notification_arrives_once(running, "sms"),
    "notification.failed": lambda running: test_a_refused_notification_fails_at_once(
        running, "sms"
    ),
}


@pytest.fixture
def of_each_kind(running: Running) -> None:
    """Events of each kind; those are made that another process's tests have made."""
    for name, make in MADE_BY.items():
        if name not in {one["event"] for one in running.backend.events()}:
            make(running)
            no_faults(running)


@pytest.mark.usefixtures("of_each_kind")
def test_every_event_has_exactly_the_attributes_of_the_contract(running: Running) -> None:
    """Of all events that the tests above made; the sweeper's clock made those with a schedule."""
    until(
        lambda: (
            any(one.get("schedule") for one in running.backend.events()) or None,
            "no scheduled job yet",
        ),
        what="a job of the clock",
    )
    events = running.backend.events()
    assert {one["event"] for one in events} == CONTRACT.keys()
    for one in events:
        always, possible = CONTRACT[one["event"]]
        fields = one.keys() - COMMON
        assert always <= fields <= always | possible, one
    by_clock = {one["job"] for one in events if one.get("schedule")}
    assert by_clock <= {"sweep_payments", "run_scheduled_automation"}
    people = [one["userId"] for one in events if "userId" in one]
    assert all(re.fullmatch(r"\[user:[0-9a-f]{16}\]", one) for one in people)
    counted = Counter(one["outcome"] for one in events if one["event"] == "job.finished")
    assert (
        {"succeeded", "retried"} <= counted.keys() <= {"succeeded", "failed", "retried", "aborted"}
    )


@pytest.mark.usefixtures("of_each_kind")
def test_what_the_collector_counts_is_what_the_service_sends(running: Running) -> None:
    """Every name in the deployed configuration, of an event and of an attribute, is really sent."""
    counted = deployed.counted_events(deployed.load())
    events = running.backend.events()
    assert counted.keys() == {one["event"] for one in events}
    for one in events:
        name = one["event"]
        read = {field_name(name, attribute) for attribute in counted[name]}
        assert read <= one.keys(), (name, read - one.keys())


@pytest.mark.usefixtures("of_each_kind")
def test_no_address_and_no_text_is_in_any_log(running: Running) -> None:
    console = running.backend.console()
    assert "notification.delivered" in console  # what is searched is there
    for word in (*ADDRESS.values(), NAME, "zoe.kessler", "account is ready"):
        assert word not in console


def test_each_execution_is_one_row_and_one_event(running: Running) -> None:
    def probe() -> tuple[bool | None, object]:
        rows = Counter(
            (row["job_id"], row["attempt"], row["outcome"])
            for row in running.rows("SELECT * FROM job_runs WHERE finished_at IS NOT NULL")
        )
        emitted = Counter(
            (one["jobId"], one["attempt"], one["outcome"])
            for one in running.backend.events()
            if one["event"] == "job.finished"
        )
        return (True if rows == emitted else None), ((rows - emitted), (emitted - rows))

    until(probe, what="as many events as rows")
