"""`GLASSHOUSE_GC`: Python's own collector, unless somebody asks for few collections."""

import json
import subprocess
import sys
from typing import Any

import pytest

from support import shop_process

# Ends in the standard error, where no log line goes.
REPORT = """
import gc, json, os, sys, time
from glasshouse import garbage

def state():
    return {"thresholds": gc.get_threshold(), "frozen": gc.get_freeze_count(),
            "callbacks": len(gc.callbacks)}

found = {"first": state()}
DO
sys.stderr.write(json.dumps(found) + chr(10))
"""


def run(do: str, **variables: str) -> tuple[dict[str, Any], str]:
    """Run a program under the distro; return what it found out, and its console."""
    ran = subprocess.run(
        [str(shop_process.INSTRUMENT), sys.executable, "-c", REPORT.replace("DO", do)],
        env=shop_process.environment("http://127.0.0.1:1", **variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return json.loads(ran.stderr.splitlines()[-1]), ran.stdout


LATER = """
collected = garbage._installed[0].collected
gc.collect()
found["early"] = state()
garbage._installed[0]._after = time.monotonic()
collected("start", {})
found["begun"] = state()
gc.collect()
found["later"] = state()
gc.collect()
more = [[] for _ in range(1000)]
gc.collect()
found["again"] = state()
garbage.install()
found["twice"] = state()
"""


def test_it_is_python_s_own_unless_somebody_asks() -> None:
    found, console = run("gc.collect(); os.fork() or os._exit(0); found['last'] = state()")
    plain = json.loads(
        subprocess.check_output(
            [sys.executable, "-c", "import gc, json; print(json.dumps(gc.get_threshold()))"]
        )
    )
    assert found["first"] == {"thresholds": plain, "frozen": 0, "callbacks": 0}
    assert found["last"] == found["first"]
    assert "GLASSHOUSE_GC" not in console


@pytest.mark.parametrize("word", ["rare", " Rare "])
def test_it_runs_seldom_and_forgets_what_the_start_made(word: str) -> None:
    found, _ = run(LATER, GLASSHOUSE_GC=word)
    rare = [20_000, 20, 100]
    assert found["first"] == {"thresholds": rare, "frozen": 0, "callbacks": 1}
    assert found["early"]["frozen"] == found["begun"]["frozen"] == 0
    # All that the imports made, once.
    assert found["later"]["frozen"] > 10_000
    # What came later is the collector's; a few of the frozen objects come and go.
    assert abs(found["again"]["frozen"] - found["later"]["frozen"]) < 500
    assert abs(found["twice"]["frozen"] - found["again"]["frozen"]) < 500
    assert found["twice"]["callbacks"] == 1


FORK = """
read, write = os.pipe()
for _ in range(2):
    if os.fork() == 0:
        own = [[] for _ in range(50_000)]
        os.write(write, (json.dumps(state()) + chr(10)).encode())
        os.kill(os.getpid(), 9)
    os.wait()
    kept = [[] for _ in range(50_000)]
found["children"] = [json.loads(one) for one in os.read(read, 9999).splitlines()]
found["parent"] = state()
"""


def test_children_are_forked_from_what_is_frozen() -> None:
    found, _ = run(FORK, GLASSHOUSE_GC="rare")
    first, second = found["children"]
    assert first["frozen"] > 10_000
    assert first["thresholds"] == [20_000, 20, 100]
    # What came between the two forks is the collector's.
    assert abs(second["frozen"] - first["frozen"]) < 1_000
    assert abs(found["parent"]["frozen"] - first["frozen"]) < 1_000


def test_garbage_in_cycles_is_still_found() -> None:
    found, _ = run(
        """
import weakref
class Node:
    pass
garbage._installed[0].freeze()
node = Node(); node.own = node; seen = weakref.ref(node); del node
alive = seen() is not None
gc.collect()
found["cycle"] = [alive, seen() is not None]
""",
        GLASSHOUSE_GC="rare",
    )
    assert found["cycle"] == [True, False]


def test_another_value_costs_one_line_and_changes_nothing() -> None:
    found, console = run("", GLASSHOUSE_GC="Never")
    lines = [one for one in console.splitlines() if "GLASSHOUSE_GC" in one]
    [line] = map(json.loads, lines)
    assert line["level"] == "warning"
    assert line["message"] == "GLASSHOUSE_GC: 'never' is neither python nor rare: python it is"
    assert (found["first"]["frozen"], found["first"]["callbacks"]) == (0, 0)
    assert found["first"]["thresholds"] != [20_000, 20, 100]
