"""Faults of the whole stack's parts, under load over OTLP and over the API."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from glasshouse_cli import engine
from glasshouse_cli.project import load
from support import backends
from support import stack as stacks
from support.chaos import load as loads
from support.chaos.api_load import ApiLoad
from support.chaos.faults import LATE, NAMES, Allowed, Result
from support.chaos.ledger import Ledger
from support.chaos.load import Load
from support.chaos.load import running as loaded
from support.chaos.stored import Reader
from support.stack import Stack
from support.waiting import until
from support.words import fresh

ROOT = Path(__file__).parents[3]
ENGINE_PID = Path("/var/run/docker.pid")
CURRENCY = "XXX"  # no API's: its load is counted by other labels
# The sandbox's parts, by what is reported of them.
OUTSIDE = {"smtp": "The mail server", "sms": "The provider", "chain": "The chain"}
SETTLED_WITHIN_S = 240.0
QUIET_WITHIN_S = 240.0
LATE_S = 90.0
SLOW_S = 5.0
# Long enough for a program to answer what has waited, short enough to stay slow.
AWAKE_S = 0.3
READ = ("prometheus", "loki", "tempo", "alertmanager", "collector", "api")

Fault = Callable[[Stack], AbstractContextManager[None]]


@dataclass(frozen=True, kw_only=True)
class StackFault:
    """One row.

    fault: what is done to a stack for the time of a block. volatile_s: of each signal named, what
    was accepted in so many seconds before the fault may be lost; nothing older. only_named: it
    affects more than this stack, so that it runs only where it is asked for by its name.
    """

    name: str
    what: str
    fault: Fault
    short_s: float = 10
    long_s: float = 60
    alert: str = ""
    in_short: bool = False
    allowed: Allowed = field(default_factory=Allowed)
    volatile_s: dict[str, float] = field(default_factory=dict[str, float])
    only_named: bool = False


def _each(stack: Stack, command: str, services: tuple[str, ...]) -> None:
    for service in services:
        stack.docker(command, service)


def _between(first: str, last: str, *services: str) -> Fault:
    """Run one docker command on services, and another at the end."""

    @contextlib.contextmanager
    def do(stack: Stack) -> Iterator[None]:
        try:
            _each(stack, first, services)
            yield
        finally:
            _each(stack, last, services)

    return do


def _slow(service: str) -> Fault:
    """Stop a service's processes again and again: what it is asked waits for up to 5 s."""

    @contextlib.contextmanager
    def do(stack: Stack) -> Iterator[None]:
        over = threading.Event()

        def pulse() -> None:
            while not over.is_set():
                stack.docker("pause", service)
                over.wait(SLOW_S)
                stack.docker("unpause", service)
                over.wait(AWAKE_S)

        thread = threading.Thread(target=pulse, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(240)

    return do


def _outside(part: str, **fault: Any) -> Fault:
    def put(stack: Stack, body: dict[str, Any]) -> None:
        httpx.put(
            f"{stack.url('sandbox')}/faults/{part}", json=body, timeout=120, trust_env=False
        ).raise_for_status()

    @contextlib.contextmanager
    def do(stack: Stack) -> Iterator[None]:
        try:
            put(stack, fault)
            yield
        finally:
            put(stack, {"mode": "none"})

    return do


@contextlib.contextmanager
def _backends_stopped(stack: Stack) -> Iterator[None]:
    with _between("stop", "start", "loki", "tempo", "prometheus")(stack):
        stack.docker("kill", "collector")
        stack.docker("start", "collector")
        yield


@contextlib.contextmanager
def _all_killed(stack: Stack) -> Iterator[None]:
    """Kill every container at once, but those of others: the sandbox. Start them in any order."""
    found = {str(one.Service) for one in stack.compose.get_containers()}
    services = tuple(sorted(found - {"sandbox"}))
    threads = [
        threading.Thread(target=stack.docker, args=("kill", service)) for service in services
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    try:
        yield
    finally:
        _each(stack, "start", services)


@contextlib.contextmanager
def _engine_ended(stack: Stack) -> Iterator[None]:
    """End the engine as a machine does that restarts; containers come back by their own policy."""
    pid = int(ENGINE_PID.read_text(encoding="ascii"))
    os.kill(pid, signal.SIGTERM)
    until(
        lambda: (not Path(f"/proc/{pid}").exists() or None, f"process {pid} is there"),
        what="the engine ends",
    )
    try:
        yield
    finally:
        engine.ensure(load(ROOT))


ALERTS = {
    "loki": "ExporterFailing",
    "tempo": "ExporterFailing",
    "alertmanager": "TargetDown",
    "postgres": "HealthCheckFailing",
    "valkey": "HealthCheckFailing",
    "collector": "TargetDown",
}
# Tempo acknowledges a span before it is in its log: up to max_trace_live and flush_check_period of
# tempo/tempo.yaml later, and what the Collector had under way.
TEMPO_KILLED = {"traces": 8.0}
# A request whose answer got lost is sent again; Tempo keeps both where they come within seconds.
UNANSWERED = ("traces",)
SERVICES = ("prometheus", "loki", "tempo", "alertmanager", "postgres", "valkey")


def _allowed(service: str, *, answers: bool = True) -> Allowed:
    twice = UNANSWERED if service == "tempo" and not answers else ()
    return Allowed(delays=LATE.get(service, loads.SIGNALS), twice=twice)


FAULTS = [
    StackFault(
        name="stack-none",
        what="No fault",
        fault=lambda _: contextlib.nullcontext(),
        long_s=30,
        allowed=Allowed(delays=()),
    ),
    *(
        StackFault(
            name=f"stack-{service}-stopped",
            what=f"{service.title()} stopped",
            fault=_between("stop", "start", service),
            alert=ALERTS.get(service, ""),
            in_short=service == "postgres",
            allowed=_allowed(service),
        )
        for service in SERVICES
    ),
    *(
        StackFault(
            name=f"stack-{service}-paused",
            what=f"{service.title()} paused: accepts, never answers",
            fault=_between("pause", "unpause", service),
            alert=ALERTS.get(service, ""),
            allowed=_allowed(service, answers=False),
        )
        for service in SERVICES
    ),
    *(
        StackFault(
            name=f"stack-{service}-killed",
            what=f"{NAMES[service]} killed, away, started again",
            fault=_between("kill", "start", service),
            long_s=20,
            allowed=_allowed(service, answers=False),
            volatile_s=TEMPO_KILLED if service == "tempo" else {},
        )
        for service in NAMES
    ),
    *(
        StackFault(
            name=f"stack-{service}-slow",
            what=f"{NAMES.get(service, service.title())} answers after up to 5 s",
            fault=_slow(service),
            allowed=_allowed(service, answers=False),
        )
        for service in SERVICES
    ),
    *(
        StackFault(
            name=f"stack-{part}-{mode}",
            what=f"{what} {reported}",
            fault=_outside(part, mode=mode, **more),
        )
        for part, what in OUTSIDE.items()
        for mode, reported, more in (
            ("down", "unavailable", {}),
            ("slow", "answers after 5 s", {"delay": 5}),
        )
    ),
    StackFault(
        name="stack-backends-stopped",
        what="Loki, Tempo and Prometheus stopped at once, the Collector killed meanwhile",
        fault=_backends_stopped,
        long_s=600,
        in_short=True,
        allowed=Allowed(twice=UNANSWERED),
    ),
    StackFault(
        name="stack-collector-stopped",
        what="Collector asked to end, away, started again",
        fault=_between("stop", "start", "collector"),
        alert=ALERTS["collector"],
    ),
    StackFault(
        name="stack-collector-killed",
        what="Collector killed, away, started again",
        fault=_between("kill", "start", "collector"),
        alert=ALERTS["collector"],
        allowed=Allowed(twice=UNANSWERED),
    ),
    StackFault(
        name="stack-worker-killed",
        what="Worker killed, away, started again",
        fault=_between("kill", "start", "worker"),
        alert="WorkerHeartbeatLost",
    ),
    StackFault(
        name="stack-api-killed",
        what="API killed, away, started again",
        fault=_between("kill", "start", "api"),
        alert="ApiDown",
    ),
    StackFault(
        name="stack-all-killed",
        what="Every container killed at once, all away, started again",
        fault=_all_killed,
        long_s=20,
        volatile_s=TEMPO_KILLED,
        allowed=Allowed(twice=UNANSWERED),
    ),
    StackFault(
        name="stack-engine-ended",
        what="The container engine asked to end, away, started again",
        fault=_engine_ended,
        long_s=20,
        only_named=True,
    ),
]
BY_NAME = {one.name: one for one in FAULTS}


@contextlib.contextmanager
def stack(folder: Path) -> Iterator[Stack]:
    """Run the whole stack, under a name of its own."""
    folder.mkdir(exist_ok=True)
    project = load(ROOT)
    engine.ensure(project)
    name = os.environ.get("GLASSHOUSE_TESTS_NAME") or "glasshouse-chaos"
    with stacks.running(project, folder, name=name) as started:
        yield started


def _counted(stack: Stack, http: httpx.Client) -> dict[str, float]:
    url = stack.url("prometheus")
    found: dict[str, float] = {}
    for name, key in (("payments_total", "events"), ("payments_amount_total", "amount")):
        series = backends.prometheus_query(http, url, f'{name}{{currency="{CURRENCY}"}}')
        found[key] = sum(one["value"] for one in series)
    return found


def _fires(stack: Stack, http: httpx.Client, alert: str, window: str) -> bool:
    query = f'max_over_time(ALERTS{{alertname="{alert}",alertstate="firing"}}[{window}])'
    return bool(backends.prometheus_query(http, stack.url("prometheus"), query))


def _fired(stack: Stack, http: httpx.Client, alert: str, since: float) -> bool:
    return _fires(stack, http, alert, f"{int(time.time() - since)}s")


def _wait_quiet(stack: Stack, http: httpx.Client, alert: str) -> None:
    """Wait until an alert of the row before is over, which would be taken for one of the next."""

    def probe() -> tuple[bool | None, object]:
        return (not _fires(stack, http, alert, "15s") or None), "it fires"

    until(probe, what=f"{alert} is over", deadline_s=QUIET_WITHIN_S)


def run(fault: StackFault, stack: Stack, seconds: float) -> Result:
    """Do a fault under load; return what it cost."""
    with httpx.Client(timeout=60, trust_env=False) as http:
        if fault.alert:
            _wait_quiet(stack, http, fault.alert)
        ledger, since = Ledger(), time.time()
        load = Load(
            endpoint=lambda: stack.otlp,
            ledger=ledger,
            run=fresh("c"),
            rate=2,
            batch=4,
            headers=stack.sender,
            currency=CURRENCY,
        )
        reader = Reader(stack=stack, load=load, ledger=ledger)
        calls = ApiLoad(stack=stack)
        before = _counted(stack, http)

        def settled() -> tuple[Any, object]:
            try:
                verdicts = [
                    ledger.verdict(
                        one,
                        reader.arrivals(http, one),
                        (began - fault.volatile_s[one], placed)
                        if one in fault.volatile_s
                        else None,
                    )
                    for one in loads.SIGNALS
                ]
                now = _counted(stack, http)
            except httpx.HTTPError as error:
                return None, repr(error)
            money = ledger.money({key: now[key] - before[key] for key in now})
            done = money.is_exact and not any(one.lost - one.volatile for one in verdicts)
            # What may be lost may be late as well.
            late = any(one.volatile for one in verdicts) and time.monotonic() < end - LATE_S
            state = (verdicts, money)
            return (state if (done and not late) or time.monotonic() > end else None), state

        with reader.following():
            with calls.running(http), loaded(load):
                time.sleep(2)
                began = time.monotonic()
                with fault.fault(stack):
                    placed = time.monotonic()
                    time.sleep(seconds)
                stack.wait_ready(READ)
                time.sleep(2)
            end = time.monotonic() + SETTLED_WITHIN_S
            verdicts, money = until(
                settled, what="everything accepted is stored", deadline_s=SETTLED_WITHIN_S + 60
            )
        left, miscounted = _ended(calls, http)
        fired = _fired(stack, http, fault.alert, since) if fault.alert else None
    refused = {one: ledger.refused.count(one) for one in sorted(set(ledger.refused))}
    refused |= {f"API {one}": calls.answers.count(one) for one in sorted(set(calls.answers))}
    reported = {
        **{kind: float(len(ids)) for kind, ids in calls.accepted.items()},
        "unended": float(len(left)),
        "longest_answer_s": round(calls.longest_s, 2),
    }
    return Result(
        fault=fault.name,
        seconds=seconds,
        verdicts=verdicts,
        money=money,
        refused=refused,
        reported=reported,
        also=[f"not ended: {', '.join(left)}"] * bool(left) + miscounted,
        fired=fired,
        seen_late_s=reader.seen_late_s(),
    )


def _ended(calls: ApiLoad, http: httpx.Client) -> tuple[list[str], list[str]]:
    """Wait for the end of what was accepted over the API; return what has none or is miscounted."""
    end = time.monotonic() + SETTLED_WITHIN_S

    def probe() -> tuple[tuple[list[str], list[str]] | None, object]:
        try:
            state = calls.unended(), calls.miscounted(http)
        except httpx.HTTPError as error:
            return None, repr(error)
        return (state if not any(state) or time.monotonic() > end else None), state

    return until(probe, what="all work has ended", deadline_s=SETTLED_WITHIN_S + 60)
