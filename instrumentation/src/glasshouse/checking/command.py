"""The subcommand ``check``: arguments, lines, exit code."""

import argparse
import json
import logging
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from glasshouse import settings, versions
from glasshouse.checking import records, sending
from glasshouse.checking.advice import advice
from glasshouse.checking.targets import Target, targets
from glasshouse.distro import DEFAULTS
from glasshouse.errors import ConfigurationError
from glasshouse.redaction import Redactor

_FAILED: Final = 1
_UNUSABLE: Final = 2
# For threads to start and exporters to be made, on a slow machine.
_MARGIN_S: Final = 2.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one signal's record.

    state: arrived, failed or off. status: of HTTP (a number) or of gRPC (a word).
    """

    signal: str
    state: str
    endpoint: str = ""
    status: int | str | None = None
    ms: int | None = None
    advice: str = ""


def main(arguments: Sequence[str]) -> int:
    """Send one record of each signal and say what became of it.

    Returns 0 when all that are switched on arrived, 1 when one did not or none is on, 2 when a
    setting is unusable. Always returns within the time-out and a few seconds.
    """
    options = _parser().parse_args(arguments)
    _quiet()
    try:
        settings.prepare(os.environ)
        for name, value in DEFAULTS.items():
            os.environ.setdefault(name, value)
        Redactor.default()
        chosen = targets(os.environ)
        trace_id, outcomes = _check(chosen, options.timeout)
    except ConfigurationError as error:
        return _unusable(str(error), as_json=options.json)
    except Exception as error:  # noqa: BLE001 (a tool for finding faults shows no traceback)
        return _unusable(f"{type(error).__name__}: {error}", as_json=options.json)
    arrived = any(one.state == "arrived" for one in outcomes)
    ok = arrived and all(one.state != "failed" for one in outcomes)
    if options.json:
        _print_json(ok=ok, trace_id=trace_id, outcomes=outcomes)
    else:
        _print_lines(trace_id, outcomes)
    return 0 if ok else _FAILED


def _check(chosen: Sequence[Target], timeout_s: float) -> tuple[str, list[Outcome]]:
    if all(target.off for target in chosen):
        off = [Outcome(signal=one.signal.value, state="off", advice=one.off) for one in chosen]
        return "", off
    made = records.make()
    on = [target for target in chosen if not target.off and target.signal not in made.unmasked]
    sendings = [sending.Sending(one, made.batches[one.signal], timeout_s) for one in on]
    until = time.monotonic() + timeout_s + _MARGIN_S
    with sending.GrpcLog(sendings):
        for one in sendings:
            one.start()
        found = {one.target.signal: one.wait(until) for one in sendings}
    for one in sendings:
        one.close()
    outcomes: list[Outcome] = []
    for target in chosen:
        if target.off:
            outcome = Outcome(signal=target.signal.value, state="off", advice=target.off)
        elif target.signal in made.unmasked:
            outcome = Outcome(
                signal=target.signal.value,
                state="failed",
                endpoint=target.shown,
                advice="not sent: an address in it is not masked, is the rule `email` off?",
            )
        else:
            outcome = _outcome(target, found[target.signal], timeout_s)
        outcomes.append(outcome)
    return made.trace_id, outcomes


def _outcome(target: Target, answer: sending.Answer | None, timeout_s: float) -> Outcome:
    what_to_do = advice(target, answer, timeout_s)
    return Outcome(
        signal=target.signal.value,
        state="failed" if what_to_do else "arrived",
        endpoint=target.shown,
        status=answer.status if answer else None,
        ms=answer.ms if answer else None,
        advice=what_to_do,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glasshouse check",
        description="Send one redacted record of each signal, by the same variables and exporters"
        " as a service, and say whether it arrived.",
        epilog="exit code: 0 all arrived, 1 something did not, 2 a setting is unusable",
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=5.0, metavar="SECONDS", help="for an answer (5)"
    )
    parser.add_argument("--json", action="store_true", help="for scripts")
    return parser


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number <= 600:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 600")
    return number


def _quiet() -> None:
    """Keep what the SDK logs off the terminal: the lines below say it."""
    # gRPC's C library writes to standard error by itself.
    os.environ.setdefault("_".join(("GRPC", "VERBOSITY")), "NONE")
    logging.getLogger().addHandler(logging.NullHandler())
    logging.captureWarnings(True)


def _unusable(text: str, *, as_json: bool) -> int:
    line = " ".join(text.split())
    if as_json:
        sys.stdout.write(json.dumps({"ok": False, "error": line}) + "\n")
    sys.stderr.write(f"glasshouse check: {line}\n")
    return _UNUSABLE


def _print_json(*, ok: bool, trace_id: str, outcomes: Sequence[Outcome]) -> None:
    document: dict[str, Any] = {
        "ok": ok,
        "trace_id": trace_id,
        "signals": [vars(one) for one in outcomes],
        "versions": {"found": versions.found(), "tested": versions.tested()},
    }
    sys.stdout.write(json.dumps(document) + "\n")


def _print_lines(trace_id: str, outcomes: Sequence[Outcome]) -> None:
    tested = versions.tested()
    shown = [f"python {platform.python_version()}, glasshouse {version('glasshouse')}"]
    shown += [f"{name} {there} (tested {tested[name]})" for name, there in versions.found().items()]
    lines = [", ".join(shown)]
    if outside := versions.warning():
        lines.append(outside)
    lines += [_line(one) for one in outcomes]
    if any(one.state == "arrived" for one in outcomes):
        lines.append(f"look for trace {trace_id}")
    sys.stdout.write("\n".join(lines) + "\n")


def _line(one: Outcome) -> str:
    words = {"arrived": "arrived", "failed": "NOT arrived", "off": "off"}
    state = _coloured(f"{words[one.state]:<11}", one.state)
    took = "" if one.ms is None else f"{one.ms} ms"
    status = "" if one.status is None else str(one.status)
    parts = [f"{one.signal:<7}", state, one.endpoint, status, took, one.advice]
    return "  ".join(part for part in parts if part)


def _coloured(text: str, state: str) -> str:
    if os.environ.get("NO_COLOR") or not sys.stdout.isatty():
        return text
    code = {"arrived": 32, "failed": 31, "off": 33}[state]
    return f"\x1b[{code}m{text}\x1b[0m"
