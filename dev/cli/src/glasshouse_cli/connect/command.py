"""`glasshouse connect`: what it does, and what it says."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from glasshouse_cli import certificates, secrets
from glasshouse_cli.connect import settings as own
from glasshouse_cli.connect import waiting
from glasshouse_cli.connect.refusals import Refusal
from glasshouse_cli.connect.settings import Protocol, Settings
from glasshouse_cli.connect.stored import BACKENDS, Record, Stored
from glasshouse_cli.connect.waiting import Outcome, Reason
from glasshouse_cli.console import Terminal
from glasshouse_cli.doctor import canary
from glasshouse_cli.errors import StackError
from glasshouse_cli.letters.letter import Signal
from glasshouse_cli.operator import Operator
from glasshouse_cli.project import Project

_REQUEST_TIMEOUT_S: Final = 5.0
# Of one value on the terminal; a stack trace is longer. --json has all of it.
_SHOWN_CHARACTERS: Final = 500
_PORTS: Final = {
    Signal.LOGS: "LOKI_PORT",
    Signal.TRACES: "TEMPO_PORT",
    Signal.METRICS: "PROMETHEUS_PORT",
}


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What is asked for. service: None is any that is new. timeout: seconds."""

    service: str | None
    protocol: Protocol
    signals: Sequence[Signal]
    wait: bool
    timeout: float


def connect(checkout: Project, choice: Choice, terminal: Terminal, *, as_script: bool) -> bool:
    """Print what a service sets, wait for its records and show them; return whether all came.

    Raises StackError when the stack cannot be asked, or would not take what is printed.
    """
    settings = own.of(checkout, service=choice.service or own.EXAMPLE, protocol=choice.protocol)
    if not as_script:
        _print(settings, terminal)
    document: dict[str, Any] = {
        "environment": dict(settings.variables),
        "secret": list(settings.secret),
        "compose": settings.compose,
        "notes": list(settings.notes),
    }
    complete = True
    if choice.wait:
        outcome = _wait(checkout, choice, terminal, as_script=as_script)
        why = waiting.reasons(
            outcome,
            endpoint=settings.variables[own.ENDPOINT],
            asks_for_token=bool(settings.secret),
        )
        complete = not outcome.missing
        document |= {
            "service": outcome.service,
            "records": {signal: record.as_dict() for signal, record in outcome.records.items()},
            "missing": list(outcome.missing),
            "refusals": [one.as_dict() for one in outcome.refusals],
            "reasons": [one.as_dict() for one in why],
            "seconds": round(outcome.seconds, 1),
        }
        if not as_script:
            _report(outcome, why, terminal)
    if as_script:
        terminal.json(document)
    return complete


def _wait(checkout: Project, choice: Choice, terminal: Terminal, *, as_script: bool) -> Outcome:
    _try_collector(checkout)
    try:
        tokens = own.tokens(checkout.state)  # a secret, also where none is asked for
    except StackError:
        tokens = []
    with httpx.Client(timeout=_REQUEST_TIMEOUT_S, trust_env=False, auth=Operator(checkout)) as http:
        urls = {signal: checkout.url(port) for signal, port in _PORTS.items()}
        stored = Stored(http, urls, tokens)
        known = waiting.known_services(stored)
        if choice.service is None:
            terminal.say(
                f"services that are there: {', '.join(sorted(known)) or 'none'} "
                "(--service NAME waits for one of them)"
            )
        whose = choice.service or "a new service"
        with terminal.step(f"waiting for {whose}, {choice.timeout:.0f} s at most") as step:

            def show(record: Record, seconds: float) -> None:
                if not as_script:
                    with step.aside():
                        _show(record, seconds, terminal)

            return waiting.wait(
                stored,
                signals=choice.signals,
                service=choice.service,
                known=known,
                timeout=choice.timeout,
                on_record=show,
                on_note=step.note,
                on_refusal=lambda refusal: _warn(refusal, terminal),
            )


def _try_collector(checkout: Project) -> None:
    """Send a request without a record, as a service would. Raises StackError for its refusal."""
    url = certificates.otlp_url(checkout)
    sender = secrets.sender(checkout) if own.asks_for_token(checkout) else {}
    with httpx.Client(
        timeout=_REQUEST_TIMEOUT_S, trust_env=False, verify=certificates.context(checkout)
    ) as http:
        try:
            http.get(checkout.url("COLLECTOR_HEALTH_PORT"))
        except httpx.HTTPError as error:
            raise StackError(
                f"the Collector does not answer, {type(error).__name__}: `make up` starts it"
            ) from error
        refusal = canary.send(http, url, Signal.LOGS, {"resourceLogs": []}, sender)
    if refusal is not None:
        raise StackError(f"the Collector does not take what is printed here: {refusal}")


def _print(settings: Settings, terminal: Terminal) -> None:
    terminal.say("for a process on this machine, in its shell before it starts:")
    terminal.lines(
        f"export {key}={shlex.quote(value)}" for key, value in settings.variables.items()
    )
    terminal.say("for a service in a container, in its compose file:")
    terminal.lines(settings.compose.splitlines())
    for note in settings.notes:
        terminal.say(note)


def _warn(refusal: Refusal, terminal: Terminal) -> None:
    terminal.say(f"{refusal.detail}: {refusal.next}")


def _show(record: Record, seconds: float, terminal: Terminal) -> None:
    backend = BACKENDS[record.signal]
    terminal.lines([f"{record.signal} of {record.service}, in {backend} after {seconds:.1f} s"])
    if record.time is not None:
        terminal.lines([f"  time: {record.time.isoformat()}"])
    terminal.lines(f"  {name}: {_text(value)}" for name, value in record.fields.items())


def _text(value: Any) -> str:
    """One line, whatever the value holds."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    cut = f"… ({len(text):,} characters)" if len(text) > _SHOWN_CHARACTERS else ""
    return text[:_SHOWN_CHARACTERS].replace("\r", "\\r").replace("\n", "\\n") + cut


def _report(outcome: Outcome, why: Sequence[Reason], terminal: Terminal) -> None:
    if outcome.service is not None and (improvement := waiting.hint(outcome.service)):
        terminal.say(improvement)
    if not outcome.missing:
        terminal.say(f"{outcome.service} is connected, after {outcome.seconds:.1f} s")
        return
    terminal.say(
        f"no {' and no '.join(outcome.missing)} in {outcome.seconds:.0f} s. Why, and what to check:"
    )
    for one in why:
        terminal.say(f"- {one.detail}: {one.next}")
