"""Faults of the whole stack's parts, under load over OTLP and over the API."""

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from glasshouse_cli import engine
from glasshouse_cli.project import load
from support import backends
from support import stack as stacks
from support.backends import attribute
from support.chaos import load as loads
from support.chaos.faults import Allowed, Result
from support.chaos.ledger import Arrival, Ledger
from support.chaos.load import ID, Load
from support.chaos.load import running as loaded
from support.stack import Stack
from support.waiting import until

# Not the currencies of the demo and of other tests: those count their own.
CURRENCY, API_CURRENCY = "XXX", "USD"
# The sandbox's parts, by what is reported of them.
OUTSIDE = {"smtp": "The mail server", "sms": "The provider", "chain": "The chain"}
SETTLED_WITHIN_S = 120.0


@dataclass(frozen=True, kw_only=True)
class StackFault:
    """One row. begin and end: what is done, by the stack."""

    name: str
    what: str
    begin: Callable[[Stack], None]
    end: Callable[[Stack], None]
    short_s: float = 10
    long_s: float = 60
    alert: str = ""
    in_short: bool = False
    allowed: Allowed = field(default_factory=Allowed)


def _docker(command: str, *services: str) -> Callable[[Stack], None]:
    def do(stack: Stack) -> None:
        for service in services:
            stack.docker(command, service)

    return do


def _outside(part: str, **fault: Any) -> Callable[[Stack], None]:
    def do(stack: Stack) -> None:
        body = {"mode": "none", **fault}
        httpx.put(
            f"{stack.url('sandbox')}/faults/{part}", json=body, timeout=30, trust_env=False
        ).raise_for_status()

    return do


ALERTS = {
    "loki": "ExporterFailing",
    "tempo": "ExporterFailing",
    "alertmanager": "TargetDown",
    "postgres": "HealthCheckFailing",
    "valkey": "HealthCheckFailing",
    "collector": "TargetDown",
}
SERVICES = ("prometheus", "loki", "tempo", "alertmanager", "postgres", "valkey")

FAULTS = [
    *(
        StackFault(
            name=f"stack-{service}-stopped",
            what=f"{service.title()} stopped",
            begin=_docker("stop", service),
            end=_docker("start", service),
            alert=ALERTS.get(service, ""),
            in_short=service == "postgres",
        )
        for service in SERVICES
    ),
    *(
        StackFault(
            name=f"stack-{service}-paused",
            what=f"{service.title()} paused: accepts, never answers",
            begin=_docker("pause", service),
            end=_docker("unpause", service),
            alert=ALERTS.get(service, ""),
        )
        for service in SERVICES
    ),
    *(
        StackFault(
            name=f"stack-{part}-{mode}",
            what=f"{what} {reported}",
            begin=_outside(part, mode=mode, **more),
            end=_outside(part),
        )
        for part, what in OUTSIDE.items()
        for mode, reported, more in (
            ("down", "away", {}),
            ("slow", "answers after 5 s", {"delay": 5}),
        )
    ),
    StackFault(
        name="stack-backends-stopped",
        what="Loki, Tempo and Prometheus stopped at once, the Collector killed meanwhile",
        begin=lambda stack: (
            _docker("stop", "loki", "tempo", "prometheus")(stack),
            _docker("kill", "collector")(stack),
            _docker("start", "collector")(stack),
        )[0],
        end=_docker("start", "loki", "tempo", "prometheus"),
        alert="CollectorQueueFilling",
        long_s=600,
        in_short=True,
    ),
    StackFault(
        name="stack-collector-stopped",
        what="Collector asked to end, away, started again",
        begin=_docker("stop", "collector"),
        end=_docker("start", "collector"),
        alert=ALERTS["collector"],
    ),
    StackFault(
        name="stack-collector-killed",
        what="Collector killed, away, started again",
        begin=_docker("kill", "collector"),
        end=_docker("start", "collector"),
        alert=ALERTS["collector"],
    ),
    StackFault(
        name="stack-worker-killed",
        what="Worker killed, away, started again",
        begin=_docker("kill", "worker"),
        end=_docker("start", "worker"),
        alert="WorkerHeartbeatLost",
    ),
    StackFault(
        name="stack-api-killed",
        what="API killed, away, started again",
        begin=_docker("kill", "api"),
        end=_docker("start", "api"),
    ),
]
BY_NAME = {one.name: one for one in FAULTS}


@contextlib.contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """Run the whole stack, under a name of its own."""
    folder.mkdir(exist_ok=True)
    project = load(Path(__file__).parents[3])
    engine.ensure(project)
    name = os.environ.get("GLASSHOUSE_TESTS_NAME") or "glasshouse-chaos"
    with stacks.running(project, folder, name=name) as started:
        yield started


@dataclass(kw_only=True)
class Traffic:
    """Payments by the API, with a key each, tried again until they are accepted."""

    stack: Stack
    accepted: list[str] = field(default_factory=list[str])
    answers: list[str] = field(default_factory=list[str])
    longest_s: float = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def _send(self) -> None:
        body = {"userId": "chaos", "amount": "1.25", "currency": API_CURRENCY}
        with httpx.Client(base_url=self.stack.api, timeout=20, trust_env=False) as client:
            while not self._stop.is_set():
                headers = {"Idempotency-Key": secrets.token_hex(8), **self.stack.caller}
                while True:
                    begin = time.monotonic()
                    try:
                        answer = client.post("/payments", json=body, headers=headers)
                    except httpx.TransportError as error:
                        self.answers.append(type(error).__name__)
                    else:
                        self.longest_s = max(self.longest_s, time.monotonic() - begin)
                        if answer.is_success:
                            self.accepted.append(answer.json()["transactionId"])
                            break
                        self.answers.append(str(answer.status_code))
                    if self._stop.is_set():
                        return
                    self._stop.wait(0.5)
                self._stop.wait(0.5)

    def __enter__(self) -> "Traffic":
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        assert self._thread is not None
        self._thread.join(40)

    def unsettled(self) -> list[str]:
        """Return the accepted payments that are neither confirmed nor failed."""
        left: list[str] = []
        with httpx.Client(base_url=self.stack.api, timeout=20, trust_env=False) as client:
            for one in self.accepted:
                answer = client.get(f"/payments/{one}", headers=self.stack.caller)
                if not answer.is_success or answer.json()["state"] not in ("confirmed", "failed"):
                    left.append(one)
        return left


@dataclass(kw_only=True)
class Reader:
    """What the stack has stored, by id; everything is asked anew each time."""

    stack: Stack
    http: httpx.Client
    load: Load
    first: dict[str, float] = field(default_factory=dict[str, float])

    def arrivals(self, signal: str, sent: list[str]) -> list[Arrival]:
        found = self._stored(signal, sent)
        now = time.monotonic()
        return [
            Arrival(id=id, at=self.first.setdefault(id, now), same=(id, n))
            for n, id in enumerate(found)
        ]

    def _stored(self, signal: str, sent: list[str]) -> list[str]:
        run = self.load.run
        match signal:
            case "logs" | "events":
                query = f'{{service_name="{self.load.service}"}} | {ID}=~"{run}-{signal[0]}.*"'
                lines = backends.loki_lines(self.http, self.stack.url("loki"), query)
                return [line["labels"][ID] for line in lines]
            case "traces":
                tempo = self.stack.url("tempo")
                traces = sorted({self.load.trace_of(id) for id in sent})
                return [
                    str(attribute(span, ID))
                    for trace in traces
                    for span in backends.tempo_spans(self.http, tempo, trace)
                ]
            case _:
                asked = {"query": f'chaos{{{ID}=~"{run}-m.*"}}[1h]'}
                url = f"{self.stack.url('prometheus')}/api/v1/query"
                answer = self.http.get(url, params=asked).raise_for_status().json()
                return [
                    f"{series['metric'][ID]}-{float(value):.0f}"
                    for series in answer["data"]["result"]
                    for _, value in series["values"]
                ]


def _counted(stack: Stack, http: httpx.Client) -> dict[str, float]:
    url = stack.url("prometheus")
    found: dict[str, float] = {}
    for name, key in (("payments_total", "events"), ("payments_amount_total", "amount")):
        series = backends.prometheus_query(http, url, f'{name}{{currency="{CURRENCY}"}}')
        found[key] = sum(one["value"] for one in series)
    return found


def _fired(stack: Stack, http: httpx.Client, alert: str, since: float) -> bool:
    seconds = int(time.time() - since) + 5
    query = f'max_over_time(ALERTS{{alertname="{alert}",alertstate="firing"}}[{seconds}s])'
    return bool(backends.prometheus_query(http, stack.url("prometheus"), query))


def run(fault: StackFault, stack: Stack, seconds: float) -> Result:
    """Do a fault under load; return what it cost."""
    ledger, since = Ledger(), time.time()
    run_id = "c" + secrets.token_hex(4)
    load = Load(
        endpoint=lambda: stack.otlp,
        ledger=ledger,
        run=run_id,
        rate=2,
        batch=4,
        headers=stack.sender,
        currency=CURRENCY,
    )
    with httpx.Client(timeout=60, trust_env=False) as http:
        reader = Reader(stack=stack, http=http, load=load)
        before = _counted(stack, http)
        with Traffic(stack=stack) as traffic, loaded(load):
            time.sleep(2)
            try:
                fault.begin(stack)
                time.sleep(seconds)
            finally:
                fault.end(stack)
            stack.wait_ready(["prometheus", "loki", "tempo", "alertmanager", "collector", "api"])
            time.sleep(2)

        def settled() -> tuple[Any, object]:
            try:
                verdicts = [
                    ledger.verdict(one, reader.arrivals(one, list(ledger.sent[one])))
                    for one in loads.SIGNALS
                ]
                now = _counted(stack, http)
            except httpx.HTTPError as error:
                return None, repr(error)
            money = ledger.money({key: now[key] - before[key] for key in now})
            done = money.is_exact and not any(one.lost for one in verdicts)
            state = (verdicts, money)
            return (state if done or time.monotonic() > end else None), state

        end = time.monotonic() + SETTLED_WITHIN_S
        verdicts, money = until(
            settled, what="everything accepted is stored", deadline_s=SETTLED_WITHIN_S + 60
        )

        def paid() -> tuple[list[str] | None, object]:
            try:
                left = traffic.unsettled()
            except httpx.HTTPError as error:
                return None, repr(error)
            return (left if not left or time.monotonic() > paid_by else None), left

        paid_by = time.monotonic() + SETTLED_WITHIN_S
        left = until(paid, what="every payment has ended", deadline_s=SETTLED_WITHIN_S + 60)
        fired = _fired(stack, http, fault.alert, since) if fault.alert else None
    refused = {one: ledger.refused.count(one) for one in sorted(set(ledger.refused))}
    refused |= {f"API {one}": traffic.answers.count(one) for one in sorted(set(traffic.answers))}
    reported = {
        "payments": len(traffic.accepted),
        "payments_unsettled": len(left),
        "longest_answer_s": round(traffic.longest_s, 2),
    }
    return Result(
        fault=fault.name,
        seconds=seconds,
        verdicts=verdicts,
        money=money,
        refused=refused,
        reported=reported,
        fired=fired,
    )
