"""Waits for the first record of each signal, and finds out why one does not come."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from glasshouse_cli.connect.refusals import SCRAPED_EVERY_S, Counters, Refusal
from glasshouse_cli.connect.stored import (
    NEW_WITHIN_S,
    RECENT_S,
    Record,
    Stored,
    Unanswered,
)
from glasshouse_cli.doctor import canary
from glasshouse_cli.letters.letter import Signal

POLL_S: Final = 1.0
# Sends when the doctor runs, which may be while somebody waits here.
_OWN: Final = frozenset({canary.SERVICE})
# What SDKs call a service that was given no name.
_NAMELESS: Final = "unknown_service"
_EXPORTERS: Final = {
    Signal.LOGS: "OTEL_LOGS_EXPORTER",
    Signal.TRACES: "OTEL_TRACES_EXPORTER",
    Signal.METRICS: "OTEL_METRICS_EXPORTER",
}


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why a record may not have come, and what to check."""

    detail: str
    next: str

    def as_dict(self) -> dict[str, Any]:
        """For scripts."""
        return {"detail": self.detail, "next": self.next}


@dataclass(kw_only=True)
class Outcome:
    """What came within `seconds`, and what did not.

    service: whose records they are, None while nothing came. faults: by signal, what its backend
    answered last when that was no answer. refusals: what the Collector turned away meanwhile.
    others: more services that were not there before.
    """

    signals: Sequence[Signal]
    service: str | None
    known: Collection[str]
    records: dict[Signal, Record] = field(default_factory=dict[Signal, Record])
    faults: dict[Signal, str] = field(default_factory=dict[Signal, str])
    refusals: list[Refusal] = field(default_factory=list[Refusal])
    others: set[str] = field(default_factory=set[str])
    seconds: float = 0.0

    @property
    def missing(self) -> list[Signal]:
        """The signals of which nothing came."""
        return [signal for signal in self.signals if signal not in self.records]


def known_services(stored: Stored) -> set[str]:
    """Services of which there are records. Raises Unanswered when a backend gives no answer."""
    return set[str]().union(*(stored.services(signal) for signal in Signal))


def wait(
    stored: Stored,
    *,
    signals: Sequence[Signal],
    service: str | None,
    known: Collection[str],
    timeout: float,
    on_record: Callable[[Record, float], None],
    on_note: Callable[[str], None],
    on_refusal: Callable[[Refusal], None],
) -> Outcome:
    """Poll until each signal has a record, or `timeout` seconds are over.

    service: whose; None is the first that is not among those `known`. on_record: receives each
    record once, with the seconds that it took. on_note: what is waited for. on_refusal: receives
    the first of each kind that the Collector turns away, as soon as it shows.
    Raises Unanswered when Prometheus gives no answer at the beginning.
    """
    counters = Counters(stored)
    outcome = Outcome(signals=signals, service=service, known=known)
    since = RECENT_S if service is not None else NEW_WITHIN_S
    reported: set[tuple[str, str, str]] = set()
    started = time.monotonic()
    until = math.inf  # each backend is asked once, however little time there is
    while True:
        _look(stored, outcome, since, until=until)
        until = started + timeout
        outcome.seconds = time.monotonic() - started
        for signal in _ORDER:
            record = outcome.records.get(signal)
            if record is not None and ("", signal, "") not in reported:
                reported.add(("", signal, ""))
                on_record(record, outcome.seconds)
        try:
            outcome.refusals = counters.since(known, outcome.service)
        except Unanswered as error:
            outcome.faults[Signal.METRICS] = str(error)
        for refusal in outcome.refusals:
            kind = (refusal.where, refusal.reason, refusal.service)
            if kind not in reported:
                reported.add(kind)
                on_refusal(refusal)
        missing = outcome.missing
        if not missing or outcome.seconds >= timeout:
            return outcome
        named = "" if outcome.service == service else f" of {outcome.service}"
        on_note(f"no {', '.join(missing)}{named} yet")
        time.sleep(min(POLL_S, max(0.0, timeout - outcome.seconds)))


_ORDER: Final = tuple(Signal)


def _look(stored: Stored, outcome: Outcome, since: float, *, until: float) -> None:
    """Ask each backend once for what is missing; note what is no answer.

    until: by the monotonic clock. Past it no more are asked: one that hangs takes seconds.
    """
    for signal in outcome.missing:
        if time.monotonic() > until:
            return
        try:
            if outcome.service is None:
                new = sorted(stored.services(signal) - set(outcome.known) - _OWN)
                if not new:
                    outcome.faults.pop(signal, None)
                    continue
                outcome.service = new[0]
                outcome.others.update(new[1:])
            record = stored.first(signal, outcome.service, since_s=since)
        except Unanswered as error:
            outcome.faults[signal] = str(error)
            continue
        outcome.faults.pop(signal, None)
        if record is not None:
            outcome.records[signal] = record


def reasons(outcome: Outcome, *, endpoint: str, asks_for_token: bool) -> list[Reason]:
    """Why something is missing, the most certain first; empty when nothing is.

    endpoint: what was printed for a process on this machine.
    """
    missing = outcome.missing
    if not missing:
        return []
    found = [Reason(detail=text, next="`make doctor`") for text in outcome.faults.values()]
    found += [Reason(detail=one.detail, next=one.next) for one in outcome.refusals]
    if outcome.others:
        names = ", ".join(sorted(outcome.others))
        found.append(Reason(detail=f"there are more new services: {names}", next="--service NAME"))
    if outcome.records:
        found += [_one_signal(signal) for signal in missing]
        return found
    if not outcome.refusals:
        found.append(
            Reason(
                detail="the Collector counted no request that it refused; what it refused in the "
                f"last {SCRAPED_EVERY_S:.0f} s may not show yet",
                next="most likely nothing was sent here, or not by OTLP",
            )
        )
    return found + list(_nothing(outcome, endpoint, asks_for_token))


def _one_signal(signal: Signal) -> Reason:
    detail = f"other signals arrived, {signal} did not: nothing is wrong with address and token"
    following = f"does the SDK send {signal}? {_EXPORTERS[signal]}=otlp asks it to"
    if signal is Signal.METRICS:
        following += "; it sends them once a minute, OTEL_METRIC_EXPORT_INTERVAL=2000 every 2 s"
    elif signal is Signal.TRACES:
        following += "; was there a request to trace, and does OTEL_TRACES_SAMPLER keep it?"
    else:
        following += "; many SDKs need a handler or appender for the logging library in use"
    return Reason(detail=detail, next=following)


def _nothing(outcome: Outcome, endpoint: str, asks_for_token: bool) -> list[Reason]:
    """What to check when nothing came at all."""
    known = sorted(set(outcome.known) - _OWN)
    variables = "the endpoint and the headers" if asks_for_token else "the endpoint"
    found = [
        Reason(
            detail=f"the service may not have {variables} that are printed above",
            next="in the shell or the container that runs it: `env | grep ^OTEL_`",
        ),
        Reason(
            detail="its SDK may be off, or send elsewhere",
            next="OTEL_SDK_DISABLED must not be true, and none of OTEL_LOGS_EXPORTER, "
            "OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER none or console",
        ),
        Reason(
            detail="OTLP over HTTP and gRPC have a port each; on the wrong one nothing is counted",
            next="OTEL_EXPORTER_OTLP_PROTOCOL as printed above; --protocol grpc prints the other",
        ),
        Reason(
            detail=f"in a container {endpoint} leads to the container itself",
            next="use the compose snippet: its network, and the endpoint in it",
        ),
    ]
    if endpoint.startswith("https:"):
        found.append(
            Reason(
                detail="who shows no certificate, or trusts another authority, is cut off before "
                "anything is counted",
                next="set the three variables of certificates that are printed above; in Python "
                "REQUESTS_CA_BUNDLE wins over them",
            )
        )
    if outcome.service is None and known:
        found.append(
            Reason(
                detail=f"services that have sent before are not waited for: {', '.join(known)}",
                next="--service NAME waits for one of them",
            )
        )
    if outcome.service is not None:
        found.append(
            Reason(
                detail=f"it may have another name than {outcome.service}, or a clock that is wrong",
                next="OTEL_SERVICE_NAME, and `date` where it runs",
            )
        )
    return found


def hint(service: str) -> str | None:
    """What to improve about a service that has arrived, None for nothing."""
    if service.startswith(_NAMELESS):
        return f"{service}: the service was given no name, set OTEL_SERVICE_NAME"
    return None
