"""Seconds from `glasshouse up` on a stopped stack until all is ready and the doctor has passed."""

from __future__ import annotations

import time
from collections.abc import Callable

from glasshouse_bench.measured import Document
from glasshouse_bench.own_stack import OwnStack

GOAL_S = 15.0


def measure(own: OwnStack, rounds: int, note: Callable[[str], None]) -> list[Document]:
    """Start the stack for the first time, then stop and start it so many times; it runs after.

    Raises:
        StackError: it does not start.
    """
    found: list[Document] = []
    for number in range(rounds + 1):
        if number:
            note(f"stopping it, {number} of {rounds}")
            own.command("down")
        note("the first start" if not number else f"start {number} of {rounds}")
        began = time.monotonic()
        answer = own.start()
        found.append(
            {
                "first": not number,
                # With the command's own start, which loads it and asks the engine for images.
                "seconds": round(time.monotonic() - began, 2),
                "seconds_to_ready": answer["seconds_to_ready"],
                "seconds_of_doctor": answer["seconds_of_doctor"],
                "parts": {
                    part["name"]: {
                        "started_s": _rounded(part["started_s"]),
                        "ready_s": _rounded(part["ready_s"]),
                    }
                    for part in answer["parts"]
                },
            }
        )
    return found


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
