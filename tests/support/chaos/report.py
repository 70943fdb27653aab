"""docs/guarantees.md, made from a run."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from support.chaos.api_load import KINDS
from support.chaos.faults import BY_NAME, FAULTS, Fault, Result
from support.chaos.promises import PROMISES
from support.chaos.stack_faults import BY_NAME as IN_STACK
from support.chaos.stack_faults import StackFault
from support.distributed.losses import BY_NAME as DISTRIBUTED
from support.distributed.losses import LOSSES

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "guarantees.md"
FIGURES = ROOT / "docs" / "guarantees.json"
SIGNALS = ("logs", "events", "traces", "metrics")

HEAD = """# What is lost when things die

Made by `make chaos` from a run; do not edit. Load runs throughout: logs, business events with
amounts, spans and metrics with known ids, sent again as an SDK does. After each fault the
records are counted by id where they are stored. `make test` runs a short form of the most
instructive faults.

- **Accepted**: the Collector has acknowledged it. What a sender gives up before that is its own
  loss, which it counts (ServiceLosesTelemetry).
- **Lost**: accepted, and not stored. **Doubled**: stored more often than once, as another
  record. **Again**: delivered again, equal in all; Loki, Tempo and Prometheus know it again.
- **Counts**: events and their amounts, in cents, against what was accepted.
- **Longest**: seconds from a record's first try to its arrival, at most, over all signals. In the
  whole stack to when it was first seen: the backends are asked again and again, so this may be
  some seconds more than it took.
- **Work**: payments, automation runs and notifications that the API accepted meanwhile. Each has
  ended, and was counted once by its events; **answer** is the longest time to an answer, in
  seconds.
- **Alert**: what fires where it lasts. In the whole stack also whether it was seen to fire, by
  rules that wait a twentieth of their time. Those that read what is scraped every 15 s cannot be
  hastened so: ExporterFailing.
- **Run**: when the row was measured, and at which commit.
"""

UNREACHED = """## What is not promised

- A process that is killed loses what it had not sent: at most 2 s of logs and spans of a
  service with the distro. Its business events stand in the outbox and are sent by the next
  worker.
- A queue file with damaged pages loses what stood on them. Only the structure of the file is
  checked, so a flipped bit inside a record is delivered as it is, or is refused by the backend.
- The ids of events are kept for 10 minutes and for the last 200,000 at least (`repeats` of
  `event_metrics`). A sender that tries again after longer than that is counted again.
- Deltas are added up in memory: a Collector that is killed begins their sums anew, which PromQL
  takes for a reset. The distro sends cumulative sums.
- Tempo acknowledges a span some seconds before it is in its log on disk (`max_trace_live` and
  `flush_check_period` of tempo/tempo.yaml): a Tempo that is killed loses spans of its last 6 s.
  Asked to end it loses none. Loki and Prometheus lose nothing when they are killed.
- A request that Tempo took, and whose answer got lost with Tempo or the Collector, is sent again.
  Tempo shows a span once only where the two come some seconds apart: a Tempo that was paused can
  show a span twice, under one id.
- Tempo 3.0.3 can lose spans of a trace that somebody looks up by its id while more of its spans
  come: one part of it is on disk, and another is not yet. A search (TraceQL) loses none.
- Mail may arrive twice, under one Message-ID, when a worker is killed between the server's
  answer and its note of it.
- With the queues' disk full for longer than senders wait, senders lose what they cannot keep.
"""


PAST_ONE_MACHINE = """### Past one machine: edges, Kafka, gateways, backends in several processes

Made by `make test-distributed`, with all of it on one machine: two edges, three brokers, two
gateways, three Lokis, Tempo in nine processes, two Prometheus with Thanos, one S3. Each edge gets
the same load. A disk that is deleted is not given back. A record that is sent again because its
answer was lost is in Kafka twice, and behind it:

- **Loki** and **Prometheus** know it again: equal in stream, time and content it is one.
- **Tempo** shows a span once only where both came to be in one block: *doubled* counts those that
  it shows twice, under one id.
- **Counts** are made at the edge, before Kafka: they see each event once.

**Settled**: seconds from when all parts were healthy to when the last record that was accepted had
been found."""
_DISTRIBUTED_COLUMNS = (
    "lost part",
    "for s",
    "accepted",
    "lost",
    "doubled in Loki",
    "in Tempo",
    "in Prometheus",
    "counts",
    "settled",
    "promise",
    "run",
)
_DISTRIBUTED_HEAD = (
    f"| {' | '.join(_DISTRIBUTED_COLUMNS)} |",
    f"|{' --- |' * len(_DISTRIBUTED_COLUMNS)}",
)


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run: when, on what, and one result a fault, as JSON has it."""

    date: str
    machine: str
    versions: dict[str, str]
    results: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    @property
    def name(self) -> str:
        """When, and of which commit. Rows of other runs may stand beside those of this one."""
        return f"{self.date}, {self.versions['Glasshouse']}"


def machine() -> str:
    model = ""
    cpu = Path("/proc/cpuinfo")
    if cpu.exists():
        names = [one for one in cpu.read_text(encoding="utf-8").splitlines() if "model name" in one]
        model = names[0].partition(":")[2].strip() if names else ""
    system = f"{platform.system()} {platform.release()}"
    return f"{os.cpu_count()} CPUs ({model or platform.machine()}), {system}"


def versions() -> dict[str, str]:
    """Return what took part, by name."""
    env = (ROOT / ".env").read_text(encoding="utf-8")
    pinned = dict(line.split("=", 1) for line in env.splitlines() if "_IMAGE=" in line)
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    names = ("LOKI", "TEMPO", "PROMETHEUS", "ALERTMANAGER", "POSTGRES", "VALKEY")
    found = {name.title(): pinned[f"{name}_IMAGE"].rpartition(":")[2] for name in names}
    builder = (ROOT / "collector" / "builder.yaml").read_text(encoding="utf-8")
    [collector] = [
        line.split()[-1] for line in builder.splitlines() if line.startswith("  version:")
    ]
    return {"Glasshouse": commit or "unknown", "Collector": collector, **found}


def new_run() -> Run:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return Run(date=now, machine=machine(), versions=versions())


def as_json(result: Result, broken: list[str], run: str) -> dict[str, Any]:
    """Return a row as the figures have it. run: when it was measured, and at which commit."""
    return {
        "run": run,
        "seconds": result.seconds,
        "verdicts": [one.as_json() for one in result.verdicts],
        "money": {**asdict(result.money), "exact": result.money.is_exact},
        "refused": result.refused,
        "reported": result.reported,
        "seen_late_s": result.seen_late_s,
        "fired": result.fired,
        "broken": broken,
    }


def note(name: str, result: Result, broken: list[str]) -> None:
    """Write one row anew, beside the others as they were."""
    run = load()
    run.results[name] = as_json(result, broken, new_run().name)
    write(run)


def _cell(verdicts: Sequence[Mapping[str, Any]], key: str) -> str:
    return f"{sum(one[key] for one in verdicts):,}"


def _row(what: str, result: Mapping[str, Any], alert: str, *, in_stack: bool) -> str:
    verdicts = result["verdicts"]
    money = result["money"]
    longest = max((one["longest_s"] for one in verdicts), default=0)
    counts = "exact" if money["exact"] else f"{money['counted']} of {money['accepted']}"
    fired = result.get("fired")
    name = f"[{alert}](../runbooks/{alert}.md)" if alert else ""
    if name and fired is not None:
        name += ", fired" if fired else ", not in this time"
    cells = [
        what,
        f"{result['seconds']:.0f}",
        _cell(verdicts, "sent"),
        _cell(verdicts, "accepted"),
        _cell(verdicts, "lost"),
        _cell(verdicts, "doubled"),
        _cell(verdicts, "again"),
        counts,
        f"{longest:.1f}",
        *(_work(result["reported"]) if in_stack else ()),
        name,
        "kept" if not result["broken"] else "; ".join(result["broken"]),
        result["run"],
    ]
    return "| " + " | ".join(cells) + " |"


def _work(reported: Mapping[str, float]) -> tuple[str, str]:
    accepted = ", ".join(f"{reported[kind.name]:.0f}" for kind in KINDS)
    return accepted, f"{reported['longest_answer_s']:.1f}"


def _table(*, in_stack: bool) -> str:
    columns = (
        *("fault", "for s", "sent", "accepted", "lost", "doubled", "again", "counts", "longest"),
        *(("work", "answer") if in_stack else ()),
        *("alert", "promise", "run"),
    )
    return f"| {' | '.join(columns)} |\n|{' --- |' * len(columns)}\n"


def render(run: Run) -> str:
    """Return the page."""
    lines = [HEAD, "## Promises", ""]
    for one in PROMISES:
        lines += [f"**{one.name}.** {one.text}", ""]
        lines += [f"- `{test}`" for test in one.tests]
        if one.faults:
            lines.append(f"- rows below: {', '.join(f'`{name}`' for name in one.faults)}")
        lines.append("")
    made = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    lines += ["## The run", "", f"{run.date}, on {run.machine}. {made}.", ""]
    lines += ["### The Collector, its disk, its senders, and three backends that can fail", ""]
    lines.append(_table(in_stack=False) + "\n".join(_rows(run, FAULTS)))
    stack = list(_rows(run, IN_STACK.values()))
    lines += ["", "### The whole stack, with Loki, Tempo and Prometheus themselves", ""]
    table = _table(in_stack=True) + "\n".join(stack)
    lines += [table if stack else "Not part of this run.", "", PAST_ONE_MACHINE, ""]
    past = list(_distributed_rows(run))
    lines += ["\n".join([*_DISTRIBUTED_HEAD, *past]) if past else "Not part of this run."]
    lines += ["", UNREACHED]
    return "\n".join(lines)


def _distributed_rows(run: Run) -> Iterator[str]:
    for one in LOSSES:
        if one.name not in run.results:
            continue
        result = run.results[one.name]
        verdicts, money = result["verdicts"], result["money"]
        by_signal = {verdict["signal"]: verdict["doubled"] for verdict in verdicts}
        cells = [
            f"{one.what} (`{one.name}`)",
            f"{result['seconds']:.0f}",
            _cell(verdicts, "accepted"),
            _cell(verdicts, "lost"),
            f"{by_signal['logs'] + by_signal['events']:,}",
            f"{by_signal['traces']:,}",
            f"{by_signal['metrics']:,}",
            "exact" if money["exact"] else f"{money['counted']} of {money['accepted']}",
            f"{result['reported']['settled_s']:.0f}",
            "kept" if not result["broken"] else "; ".join(result["broken"]),
            result["run"],
        ]
        yield "| " + " | ".join(cells) + " |"


def _rows(run: Run, faults: Iterable[Fault | StackFault]) -> Iterator[str]:
    for one in faults:
        if one.name in run.results:
            result, in_stack = run.results[one.name], one.name in IN_STACK
            yield _row(f"{one.what} (`{one.name}`)", result, one.alert, in_stack=in_stack)


def write(run: Run) -> None:
    """Write the figures, and the page made of them."""
    of_today = BY_NAME.keys() | IN_STACK.keys() | DISTRIBUTED.keys()
    known = {name: one for name, one in run.results.items() if name in of_today}
    figures = {
        "date": run.date,
        "machine": run.machine,
        "versions": run.versions,
        "results": known,
    }
    FIGURES.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(render(run), encoding="utf-8")


def load() -> Run:
    """Return the run of the committed figures."""
    return Run(**json.loads(FIGURES.read_text(encoding="utf-8")))
