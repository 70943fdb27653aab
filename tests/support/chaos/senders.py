"""Senders beside the known load: every odd input there is, and a process with the distro itself."""

import contextlib
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from support import otlp, shop_process
from support.chaos import emitter
from support.chaos.rig import Rig
from support.oddities.rows import Row
from support.oddities.samples import Marks
from support.oddities.sending import Sender
from support.oddities.table import all_rows
from support.oddities.trial import new_run
from support.waiting import until
from support.words import fresh

# A row for less than this is no whole round, which takes about a minute: it sends so many at least,
# those first that may be refused whole, and of the others any.
SHORT_S = 30.0
LEAST = 400
EMITTED = ("logs", "traces", "events")
# A Collector that is back is noticed within 5 s.
CAUGHT_UP_S = 60.0


def oddities(rig: Rig, seconds: float) -> None:
    """Send the rows of docs/compatibility.md, round after round; in a long row each at least once.

    Notes how many were sent, how they were answered, and what the Collector made of them.
    """
    rows = list(all_rows())
    least = LEAST if seconds < SHORT_S else len(rows)
    answers: Counter[str] = Counter()
    end = time.monotonic() + seconds
    with Sender(rig.otlp, rig.grpc, rig.sender) as sender:
        for run, row in _rounds(rows):
            if time.monotonic() > end and answers.total() >= least:
                break
            answer = sender.send(row.signal, row.build(Marks(run=run, row=row.name)), row.over)
            answers[answer.status if not answer.refused else "refused"] += 1
    rig.noted |= {
        "oddities": answers.total(),
        "oddities_known": len(rows),
        "oddities_refused": answers["refused"],
        "oddities_unanswered": sum(n for status, n in answers.items() if status not in ANSWERS),
        **{key: sum(rig.own_metric(name).values()) for key, name in NOTICED.items()},
    }


def _rounds(rows: list[Row]) -> Iterator[tuple[str, Row]]:
    while True:
        run = new_run()
        random.shuffle(rows)
        rows.sort(key=lambda row: not row.whole)
        yield from ((run, row) for row in rows)


# Of HTTP and gRPC, and of a Collector that asks to be sent the same later.
ANSWERS = ("200", "OK", "refused", "429", "503")
NOTICED = {
    "records_repaired": "otelcol_processor_admission_repaired_total",
    "records_refused": "otelcol_processor_admission_refused_total",
    "requests_refused": "otelcol_extension_otlp_limits_refused_total",
    "events_not_believed": "otelcol_connector_event_metrics_not_believed_total",
}


def distro(go: Callable[[Rig], None], come: Callable[[Rig], None]) -> Callable[[Rig, float], None]:
    """Return a fault: the Collector goes while a process with the distro emits, and comes again.

    Then the process is asked to end. What it has emitted counts as accepted. Another one is asked
    to end while the Collector is unavailable: it may lose what it has by then, so only how long
    its end takes is noted, and it emits nothing that is counted.
    """

    def run(rig: Rig, seconds: float) -> None:
        with emitting(rig, "first") as running, emitting(rig, "other", events=False) as other:
            go(rig)
            time.sleep(seconds)
            rig.noted["exit_away_s"] = other.stop()
            before = {one.id for one in running.emitted()}
            come(rig)
            _wait(rig, before)
            rig.noted["exit_s"] = running.stop()
        _note(rig, running)

    return run


def _wait(rig: Rig, ids: set[str]) -> None:
    """Wait until these have come: an end sends what fits into its four seconds, no backlog."""
    end = time.monotonic() + CAUGHT_UP_S
    while time.monotonic() < end:
        ids = ids - {one.id for signal in EMITTED for one in rig.arrivals(signal)}
        if not ids:
            return
        time.sleep(0.5)


def stop(rig: Rig) -> None:
    assert rig.stop() == 0, rig.log[-3000:]


def pause(rig: Rig) -> None:
    """Let it take connections, and answer nothing."""
    assert rig.popen is not None
    rig.popen.send_signal(signal.SIGSTOP)


def go_on(rig: Rig) -> None:
    assert rig.popen is not None
    rig.popen.send_signal(signal.SIGCONT)


def _note(rig: Rig, running: "Emitting") -> None:
    """Note what was emitted in the ledger, and how long the calls took."""
    emitted = running.emitted()
    for one in emitted:
        rig.ledger.send(one.signal, [one.id], at=one.at)
        if one.signal == "events":
            rig.ledger.amount(one.id, one.cents)
        if one.call_ms is not None:
            rig.ledger.accept(one.signal, [one.id])
    calls = sorted(one.call_ms for one in emitted if one.call_ms is not None)
    rig.noted |= {
        "distro_emitted": len(calls),
        "call_p99_ms": calls[len(calls) * 99 // 100],
        "call_longest_ms": calls[-1],
    }


class Emitting:
    """A process of emitter.py. written: where it notes what it emits."""

    def __init__(self, process: subprocess.Popen[bytes], written: Path) -> None:
        self.process = process
        self.written = written

    def emitted(self) -> list[emitter.Emitted]:
        if not self.written.exists():
            return []
        return emitter.read(self.written.read_text(encoding="utf-8"))

    def stop(self) -> float:
        """Send SIGTERM; return the seconds until the process has ended."""
        begin = time.monotonic()
        self.process.terminate()
        self.process.wait(60)
        return time.monotonic() - begin


@contextlib.contextmanager
def emitting(rig: Rig, name: str, *, events: bool = True) -> Iterator[Emitting]:
    """Run emitter.py with the distro; yield once it emits."""
    folder = rig.at.folder
    written, console = folder / f"emitted_{name}", folder / f"console_{name}"
    variables = shop_process.environment(
        rig.otlp,
        OTEL_SERVICE_NAME=otlp.BELIEVED,
        OTEL_METRICS_EXPORTER="none",
        GLASSHOUSE_OTLP_TOKEN_FILE=str(folder / "otlp_token"),
        GLASSHOUSE_HMAC_KEY_FILE=str(folder / "hmac_key"),
    )
    run = fresh()
    command = [str(shop_process.INSTRUMENT), sys.executable, emitter.__file__, str(written), run]
    command += EMITTED if events else EMITTED[:-1]
    with console.open("wb") as output:
        process = subprocess.Popen(command, env=variables, stdout=output, stderr=subprocess.STDOUT)
    started = Emitting(process, written)

    def emits() -> tuple[bool | None, object]:
        text = console.read_text(encoding="utf-8", errors="replace")[-2000:]
        assert process.poll() is None, text
        return bool(started.emitted()) or None, text

    try:
        until(emits, what="the process emits")
        yield started
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
