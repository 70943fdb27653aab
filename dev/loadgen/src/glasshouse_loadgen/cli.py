"""The command ``glasshouse-demo``."""

from __future__ import annotations

# First of all: it makes sockets cooperative, which must precede their use.
from glasshouse_loadgen import run as running

# isort: split

import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import httpx
import typer

from glasshouse_cli import project
from glasshouse_cli.console import Step, Terminal, plain_table
from glasshouse_cli.errors import StackError
from glasshouse_loadgen import faults as fault_schedule
from glasshouse_loadgen import loopback
from glasshouse_loadgen.actions import CURRENCIES
from glasshouse_loadgen.faults import Switchboard
from glasshouse_loadgen.run import Load, Moment, Report

_INTERRUPTED = 130
_MAX_RATE = 200.0
# So many wrong answers are chance, more are a fault of the service.
_TOLERATED_SHARE = 0.01

app = typer.Typer(add_completion=False)


@app.command()
def demo(
    host: Annotated[str, typer.Option(help="the service; default from .env")] = "",
    sandbox: Annotated[str, typer.Option(help="the sandbox; default from .env")] = "",
    duration: Annotated[float, typer.Option(min=1, max=86_400, help="seconds")] = 120,
    rate: Annotated[float, typer.Option(min=0.1, max=_MAX_RATE, help="requests a second")] = 10,
    key_file: Annotated[
        Path | None, typer.Option(help="the key of the service's caller; default from `make up`")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="the same seed repeats people and faults")] = 0,
    currencies: Annotated[str, typer.Option(help="comma separated")] = ",".join(CURRENCIES),
    faults: Annotated[bool, typer.Option("--faults", help="play a schedule of faults")] = False,
) -> None:
    """Send mixed traffic to the stack on this machine."""
    terminal = Terminal()
    checkout = project.load() if not (host and sandbox) else None
    load = Load(
        host=loopback.check(host or (checkout.url("SERVICE_PORT") if checkout else "")),
        duration=duration,
        rate=rate,
        seed=seed,
        key=_key(key_file, checkout),
        currencies=tuple(currencies.split(",")),
    )
    switches_at = loopback.check(sandbox or (checkout.url("SANDBOX_PORT") if checkout else ""))
    _check_answers(load.host)
    title = f"sending {rate:g} requests a second to {load.host} for {duration:g} s"
    with ExitStack() as stack:
        # Around the switches: a second Ctrl-C must not keep them from clearing the faults.
        stop = stack.enter_context(running.signals_noted())
        play: Callable[[float], str] = _no_faults
        if faults:
            switches = stack.enter_context(Switchboard(switches_at))
            episodes = fault_schedule.plan(duration, seed)
            for one in episodes:
                terminal.say(f"planned: {one.start:.0f} s to {one.end:.0f} s, {one.title}")
            play = fault_schedule.Player(switches, episodes).step
        step = stack.enter_context(terminal.step(title))
        report = running.run(load, play=play, on_moment=_Progress(terminal, step), stop=stop)
    _show(report, terminal)
    if faults:
        terminal.say("all faults are cleared")
    if report.interrupted:
        terminal.say("interrupted")
        raise typer.Exit(_INTERRUPTED)
    if report.requests == 0 or report.wrong > report.requests * _TOLERATED_SHARE:
        raise StackError(f"{report.wrong} of {report.requests} answers were not the expected ones")


def _key(path: Path | None, checkout: project.Project | None) -> str:
    """The caller's key; none where a service of somebody else is named without one."""
    if path is None and checkout is not None:
        path = checkout.state / "secrets" / "api_key"
    if path is None:
        return ""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} holds no key: `make up` makes one, --key-file names it"
        raise StackError(message) from error


def _no_faults(now: float) -> str:
    return ""


class _Progress:
    """Says how far the run is, and when a fault begins and ends."""

    def __init__(self, terminal: Terminal, step: Step) -> None:
        self._terminal = terminal
        self._step = step
        self._fault = ""

    def __call__(self, moment: Moment) -> None:
        if moment.fault != self._fault:
            if self._fault:
                self._terminal.say(f"{moment.seconds:5.0f} s  over: {self._fault}")
            if moment.fault:
                self._terminal.say(f"{moment.seconds:5.0f} s  fault: {moment.fault}")
            self._fault = moment.fault
        self._step.note(f"{moment.requests} sent, {moment.wrong} answered wrongly")


def _check_answers(host: str) -> None:
    try:
        httpx.get(f"{host}/livez", timeout=5, trust_env=False)
    except httpx.HTTPError as error:
        reason = type(error).__name__
        raise StackError(
            f"the service at {host} does not answer ({reason}): `make up` starts it"
        ) from error


def _show(report: Report, terminal: Terminal) -> None:
    table = plain_table("request", "sent", "wrong", "median ms", "p95 ms")
    for row in report.rows:
        table.add_row(
            row.name, str(row.requests), str(row.wrong), f"{row.median:.0f}", f"{row.p95:.0f}"
        )
    table.add_row("all", str(report.requests), str(report.wrong), "", "")
    terminal.table(table)
    for reason, count in sorted(report.reasons.items()):
        terminal.say(f"{count} x {reason}")


def main() -> None:
    """Run the command; a fault is one line and exit code 1, never a traceback."""
    try:
        app()
    except StackError as error:
        Terminal().error(str(error))
        sys.exit(1)
