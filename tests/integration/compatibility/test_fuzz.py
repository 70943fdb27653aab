"""Requests changed at random for a while: the Collector lives, and what is good arrives."""

import os
import time
from collections import Counter
from collections.abc import Callable

import httpx

from support.oddities import counters, rows, samples, schema, trial
from support.oddities.harness import Harness
from support.oddities.mutation import Mutator
from support.oddities.rows import Row
from support.oddities.samples import Marks
from support.oddities.schema import SIGNALS
from support.oddities.table import all_rows
from support.oddities.verdicts import Sent

# By hand, longer: GLASSHOUSE_FUZZ_SECONDS=3600 uv run pytest -m compatibility -k fuzz
SECONDS = float(os.environ.get("GLASSHOUSE_FUZZ_SECONDS") or 60)
SEED = int(os.environ.get("GLASSHOUSE_FUZZ_SEED") or time.time())
# One good request after so many changed ones.
GOOD_EVERY = 25
LONGEST_BYTES = 20_000
MIB = 2**20
FOUND_WITHIN_S = 240
MEMORY_LIMIT = "{{.HostConfig.Memory}}"
SAME_PROCESS = "{{.State.StartedAt}} {{.RestartCount}} {{.State.Running}}"


def originals() -> dict[tuple[str, str], list[bytes]]:
    """Return the requests that are changed: every row's that is short enough, by how it is sent."""
    run = trial.new_run()
    made: dict[tuple[str, str], list[bytes]] = {}
    for row in all_rows():
        request = row.build(Marks(run=run, row=row.name))
        if len(request) <= LONGEST_BYTES:
            made.setdefault((row.signal, row.over), []).append(request)
    return made


def plain(number: int, signal: str) -> Row:
    """Return a row of good items alone."""
    version = schema.current()
    return Row(
        name=f"{signal}/fuzz/{number}",
        signal=signal,
        group="fuzz",
        build=lambda marks: rows.among_good(version, SIGNALS[signal], marks, []),
        odd=(),
    )


def test_nothing_stops_the_collector_and_good_ones_arrive(
    harness: Harness, http: httpx.Client, report_line: Callable[[str], None]
) -> None:
    mutators = {kind: Mutator(SEED, made) for kind, made in originals().items()}
    kinds = sorted(mutators)
    before = harness.inspect(SAME_PROCESS)
    run, answers, memory = trial.new_run(), Counter[str](), 0.0
    good: list[Sent] = []
    with counters.Counters(harness.own, "") as own, harness.sender() as sender:
        uptime = own.total(counters.UPTIME)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            number = answers.total()
            signal, over = kind = kinds[number % len(kinds)]
            answers[sender.send(signal, mutators[kind].next(), over).status] += 1
            if number % GOOD_EVERY == 0:
                good += trial.send([plain(number, signal)], sender, run, None)
                memory = max(memory, own.total(counters.MEMORY))
        lived = own.total(counters.UPTIME) - uptime
    context = f"fuzz: GLASSHOUSE_FUZZ_SEED={SEED}, answers {dict(answers)}, {len(good)} good ones"
    report_line(f"{context}, at most {memory / MIB:.0f} MiB of memory")
    assert harness.inspect(SAME_PROCESS) == before, context
    assert http.get(harness.stack.url("collector")).is_success, context
    assert lived > SECONDS / 2, context
    assert 0 < memory < int(harness.inspect(MEMORY_LIMIT)), context
    assert not [answer for answer in answers if answer.startswith("no answer")], context
    verdicts = harness.looking.verdicts(good, run, FOUND_WITHIN_S)
    assert {one.row.name: one.lost for one in verdicts if one.lost} == {}, context
    assert len(verdicts) == len(good) > 0
    assert {one.good for one in verdicts} == {samples.GOOD}, context
