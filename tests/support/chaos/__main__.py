"""The long form: every fault for its full time; writes docs/guarantees.md.

make chaos                                  # two hours
make chaos ARGS="--seconds 15"              # no fault for longer than that
make chaos ARGS="--only collector-killed"   # these rows anew, the others as they were
make chaos ARGS="--only stack-engine-ended" # stops every container of the machine for a while
make chaos ARGS=--json                      # one JSON document on the standard output
"""

import argparse
import contextlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

from support import collector_process
from support.chaos import faults, report, stack_faults

# What a fault takes beside its own time: start, load before and after it, counting.
AROUND_S = 15.0
AROUND_IN_STACK_S = 45.0


def say(text: str, *, ends: bool = True, to: TextIO | None = None) -> None:
    stream = to or sys.stderr
    stream.write(text + ("\n" if ends else " "))
    stream.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, help="no fault for longer than this")
    parser.add_argument("--only", action="append", default=[], metavar="FAULT")
    parser.add_argument("--without-stack", action="store_true", help="no Docker")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    known = [*faults.BY_NAME, *stack_faults.BY_NAME]
    if unknown := set(given.only) - set(known):
        parser.error(
            f"--only: {', '.join(sorted(unknown))} is no fault; there are {', '.join(known)}"
        )

    def chosen(name: str, *, only_named: bool = False) -> bool:
        return name in given.only if given.only else not only_named

    def seconds(long_s: float) -> float:
        return min(long_s, given.seconds or long_s)

    plain = [one for one in faults.FAULTS if chosen(one.name)]
    stack = [one for one in stack_faults.FAULTS if chosen(one.name, only_named=one.only_named)]
    if given.without_stack:
        stack = []
    left = sum(seconds(one.long_s) + AROUND_S for one in plain)
    left += sum(seconds(one.long_s) + AROUND_IN_STACK_S for one in stack)
    run = report.new_run()
    if (given.only or given.without_stack) and report.FIGURES.exists():
        run.results.update(report.load().results)
    failed = 0

    def note(name: str, do: Callable[[], tuple[faults.Result, list[str]]], takes: float) -> None:
        nonlocal left, failed
        say(f"{name:32} {left / 60:5.1f} min left", ends=False)
        begin = time.monotonic()
        result, broken = do()
        failed += bool(broken)
        run.results[name] = report.as_json(result, broken, run.name)
        report.write(run)  # now: what is interrupted keeps what it has
        left -= takes
        took = time.monotonic() - begin
        say(f"{took:6.0f} s  {'; '.join(broken) or 'kept'}")

    with tempfile.TemporaryDirectory() as made, contextlib.ExitStack() as opened:
        folder = Path(made)
        program = collector_process.build(folder)
        for one in plain:
            own = folder / one.name
            own.mkdir()

            def plainly(
                one: faults.Fault = one, own: Path = own
            ) -> tuple[faults.Result, list[str]]:
                result = faults.run(one, program, own, seconds(one.long_s))
                return result, result.broken(one.allowed)

            note(one.name, plainly, seconds(one.long_s) + AROUND_S)
        if stack:
            running = opened.enter_context(stack_faults.stack(folder / "stack"))
            for one in stack:

                def whole(one: stack_faults.StackFault = one) -> tuple[faults.Result, list[str]]:
                    result = stack_faults.run(one, running, seconds(one.long_s))
                    return result, result.broken(one.allowed)

                note(one.name, whole, seconds(one.long_s) + AROUND_IN_STACK_S)
    if given.json:
        say(report.FIGURES.read_text(encoding="utf-8"), to=sys.stdout)
    else:
        say(f"{len(plain) + len(stack)} faults, {failed} not as promised: {report.PAGE}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
