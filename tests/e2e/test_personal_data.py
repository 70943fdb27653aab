"""What the running stack keeps of a person: under which roles and keys, and how it is erased."""

import concurrent.futures
import json
import secrets
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from glasshouse.keyring import KeyFile, key_id, keys_of, pseudonym
from glasshouse_cli import compose as composing
from glasshouse_cli import project as projects
from glasshouse_cli import rotation
from support import backends
from support.stack import Stack
from support.waiting import until
from support.words import fresh

# What the role of the API must not be able to do. The same statements work for who may.
REFUSED = (
    "CREATE TABLE mine (id int)",
    "DROP TABLE payments",
    "TRUNCATE payments",
    "ALTER ROLE backend SUPERUSER",
    "COPY payments TO PROGRAM 'cat > /dev/null'",
)
TRY = """
import json, sys, psycopg
from backend.platform.settings import DatabaseSettings
seen = {}
for statement in json.load(sys.stdin):
    with psycopg.connect(DatabaseSettings().conninfo()) as connection:
        try:
            connection.execute(statement)
            seen[statement] = "done"
        except psycopg.Error as error:
            seen[statement] = type(error).__name__
        connection.rollback()
print(json.dumps(seen))
"""


def psql(stack: Stack, statement: str) -> list[str]:
    """Ask as the superuser, on the socket inside of the container."""
    command = ["psql", "-U", "postgres", "-d", "backend", "-qAt", "-c", statement]
    answer, errors, code = stack.compose.exec_in_container(command, "postgres")
    assert code == 0, errors
    return answer.splitlines()


def inside(stack: Stack, service: str, command: list[str], given: str = "") -> str:
    """Run a command in a container; return what it wrote."""
    container = str(stack.compose.get_container(service).ID)
    ran = subprocess.run(
        ["docker", "exec", "-i", container, *command],
        input=given,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


# Roles


def test_no_role_that_a_program_uses_is_superuser(stack: Stack) -> None:
    roles = psql(stack, "SELECT rolname, rolsuper FROM pg_roles WHERE rolcanlogin ORDER BY 1")
    assert roles == ["backend|f", "backend_owner|f", "postgres|t"]
    # Of those that came over the network; psql came by the socket.
    used = psql(
        stack, "SELECT DISTINCT usename FROM pg_stat_activity WHERE client_addr IS NOT NULL"
    )
    assert used == ["backend"]


def test_the_api_s_own_connection_cannot_change_tables_or_run_programs(stack: Stack) -> None:
    statements = [*REFUSED, "SELECT count(*) FROM payments", "DELETE FROM payments WHERE false"]
    seen = json.loads(inside(stack, "api", ["python", "-c", TRY], json.dumps(statements)))
    assert seen == {
        **dict.fromkeys(REFUSED, "InsufficientPrivilege"),
        "SELECT count(*) FROM payments": "done",
        "DELETE FROM payments WHERE false": "done",
    }


# Load that goes on meanwhile


@dataclass
class Load:
    """Payments, one after another, each with an SMS at its end."""

    stack: Stack
    user: str
    phone: str
    accepted: list[str] = field(default_factory=list[str])
    refused: list[str] = field(default_factory=list[str])
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        with httpx.Client(timeout=240, trust_env=False) as http:
            while not self._stopping.is_set():
                body = {"userId": self.user, "amount": "5.00", "currency": "EUR"}
                notify = {"channel": "sms", "to": self.phone}
                try:
                    answer = http.post(
                        f"{self.stack.api}/payments",
                        json=body | {"notify": notify},
                        headers=self.stack.caller,
                    )
                except httpx.HTTPError as error:
                    self.refused.append(repr(error))
                    continue
                if answer.status_code == 202:
                    self.accepted.append(answer.json()["transactionId"])
                else:
                    self.refused.append(f"{answer.status_code}: {answer.text}")
                time.sleep(0.1)

    def stop(self) -> None:
        self._stopping.set()


@pytest.fixture
def load(stack: Stack) -> Iterator[Load]:
    load = Load(
        stack,
        user=fresh("rotated-"),
        phone=f"+49151{secrets.randbelow(10**8):08d}",
    )
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(load.run)
        try:
            yield load
        finally:
            load.stop()
            running.result(timeout=240)


def accepted_more(load: Load) -> None:
    """Wait until some more payments were accepted."""
    before = len(load.accepted)
    until(
        lambda: ((len(load.accepted) >= before + 3) or None, load.refused[-1:]),
        what="more payments",
    )


def test_every_key_is_rotated_under_load_and_nothing_is_lost(
    http: httpx.Client, stack: Stack, load: Load
) -> None:
    checkout = projects.load()
    assert checkout.state == stack.state
    old = {name: keys_of((stack.state / "secrets" / name).read_text()) for name in rotation.NAMES}
    accepted_more(load)
    internal = stack.internal
    said: list[str] = []
    for name in rotation.NAMES:
        rotation.rotate(checkout, name, said.append)
        accepted_more(load)
    new = {name: keys_of((stack.state / "secrets" / name).read_text()) for name in rotation.NAMES}
    for name in rotation.NAMES:
        assert new[name][1:] == old[name], name
        assert new[name][0] not in old[name], name
    # Both tokens open the internal paths, until the old one is dropped.
    for headers in (internal, stack.internal):
        assert http.get(f"{stack.api}/jobs/status", headers=headers).status_code == 200
    assert internal != stack.internal
    rotation.drop_previous(checkout, "internal_token", said.append)
    until(
        lambda: (
            (http.get(f"{stack.api}/jobs/status", headers=internal).status_code == 401) or None,
            None,
        ),
        what="the old token is refused",
    )
    assert http.get(f"{stack.api}/jobs/status", headers=stack.internal).status_code == 200
    load.stop()
    # A payment that was refused is no lost one, but nothing was even refused.
    assert load.refused == []
    ended(http, stack, load.accepted)
    each_has_one_sms(http, stack, load)
    events = stored_events(http, stack, load.accepted)
    made_with = {event["payment_user_id"][6:8] for event in events}
    assert made_with == {key_id(new["hmac_key"][0].encode()), key_id(old["hmac_key"][0].encode())}
    # Everything in the database is under the new key.
    headers = psql(stack, "SELECT DISTINCT substring(user_sealed, 1, 2) FROM payments")
    assert headers == [f"\\x01{key_id(new['data_key'][0].encode())}"]
    rotation.drop_previous(checkout, "data_key", said.append)
    body = http.get(f"{stack.api}/payments/{load.accepted[0]}", headers=stack.caller).json()
    assert body["state"] == "confirmed"


def ended(http: httpx.Client, stack: Stack, transactions: list[str]) -> None:
    listed = ", ".join(f"'{one}'" for one in transactions)
    counting = f"SELECT state, count(*) FROM payments WHERE id IN ({listed}) GROUP BY 1"  # noqa: S608
    expected = [f"confirmed|{len(transactions)}"]
    until(
        lambda: ((found := psql(stack, counting)) == expected or None, found),
        what="every payment is confirmed",
    )


def each_has_one_sms(http: httpx.Client, stack: Stack, load: Load) -> None:
    def probe() -> tuple[bool | None, object]:
        received = http.get(f"{stack.url('sandbox')}/received/sms").json()
        found = Counter(
            transaction
            for one in received
            if one["to"] == load.phone
            for transaction in load.accepted
            if transaction in one["text"]
        )
        missing = set(load.accepted) - found.keys()
        assert max(found.values(), default=1) == 1, found.most_common(1)
        return (not missing) or None, missing

    until(probe, what="an SMS for each payment")


def stored_events(
    http: httpx.Client, stack: Stack, transactions: list[str]
) -> list[dict[str, str]]:
    """Return the events of these payments, once each has its three, each once."""
    wanted = set(transactions)
    names = ("payment.created", "payment.submitted", "payment.confirmed")
    query = '{service_name=~"backend-.+"} | event=~"payment.+" | payment_currency="EUR"'

    def probe() -> tuple[list[dict[str, str]] | None, object]:
        lines = backends.loki_lines(http, stack.url("loki"), query)
        found = [
            line["labels"]
            for line in lines
            if line["labels"].get("payment_transaction_id") in wanted
        ]
        seen = Counter((one["payment_transaction_id"], one["event"]) for one in found)
        missing = {(one, name) for one in wanted for name in names} - seen.keys()
        return (found if not missing else None), len(missing)

    events = until(probe, what="three events for each payment")
    assert len(events) == 3 * len(transactions)
    return events


# Erasure


def pay_and_wait(http: httpx.Client, stack: Stack, user: str) -> str:
    body = {"userId": user, "amount": "5.00", "currency": "EUR"}
    answer = http.post(f"{stack.api}/payments", json=body, headers=stack.caller)
    assert answer.status_code == 202, answer.text
    transaction = answer.json()["transactionId"]
    ended(http, stack, [transaction])
    stored_events(http, stack, [transaction])
    return transaction


def test_a_person_is_erased_from_rows_and_from_loki(http: httpx.Client, stack: Stack) -> None:
    gone, stays = (f"{name}-{fresh()}" for name in ("gone", "stays"))
    transactions = {user: pay_and_wait(http, stack, user) for user in (gone, stays)}
    [key, *_] = KeyFile(stack.state / "secrets" / "hmac_key").keys

    def lines(user: str) -> list[Any]:
        name = f"[user:{pseudonym(key.encode(), user.encode())}]"
        query = f'{{service_name=~".+"}} | payment_user_id="{name}"'
        return backends.loki_lines(http, stack.url("loki"), query)

    assert len(lines(gone)) == len(lines(stays)) == 3
    checkout = projects.load()
    command = ["run", "--rm", "--no-deps", "-T", "forget", "--", gone]
    ran = subprocess.run(
        composing.command(checkout, *command),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "1 payments, 0 automation runs" in ran.stdout
    [reported] = [line for line in ran.stdout.splitlines() if line.startswith("Loki: ")]
    assert int(reported.split()[1]) >= 3
    assert gone not in ran.stdout + ran.stderr

    def status(user: str) -> int:
        path = f"{stack.api}/payments/{transactions[user]}"
        return http.get(path, headers=stack.caller).status_code

    assert (status(gone), status(stays)) == (404, 200)
    # Loki's queriers ask for what is to be deleted every 5 minutes, and at their start.
    stack.docker("restart", "loki")
    stack.wait_ready(["loki"])
    hidden: Callable[[], tuple[bool | None, object]] = lambda: (  # noqa: E731
        (lines(gone) == [] and len(lines(stays)) == 3) or None,
        (len(lines(gone)), len(lines(stays))),
    )
    until(hidden, what="the lines of one are hidden, of the other not", deadline_s=400)


def test_loki_s_deletion_is_closed_to_the_services(stack: Stack) -> None:
    asking = (
        "import urllib.request, sys\n"
        "try: urllib.request.urlopen(sys.argv[1], timeout=60)\n"
        "except OSError as error: print(type(error).__name__)\n"
        "else: print('open')\n"
    )
    loki = "http://loki:3100/loki/api/v1/delete"
    assert inside(stack, "api", ["python", "-c", asking, loki]) == "URLError\n"
    assert inside(stack, "api", ["python", "-c", asking, "http://127.0.0.1:8000/livez"]) == "open\n"
