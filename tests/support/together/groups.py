"""Which tests run in one process, one after the other, where `pytest -n 3` starts several.

What shares something dear, such as a whole stack, is a group; every other file is one of its own.
A group that waits leaves the processor to another.
"""

from collections import defaultdict
from fnmatch import fnmatch
from typing import Any, Final

from xdist.scheduler import LoadScopeScheduling

# The first pattern that matches a test's file names its group.
GROUPS: Final = {
    # One folder and one store of images; they install the registry's program.
    "registries": ("tests/e2e/test_registry*.py", "tests/integration/test_image_digests.py"),
    # The stack of a former version, and its images.
    "upgrade": ("tests/e2e/test_upgrade.py",),
    # Programs in containers, and no stack.
    "rules": (
        "tests/e2e/test_configs.py",
        "tests/e2e/test_inhibition.py",
        "tests/e2e/test_rules.py",
    ),
    # The whole stack: whatever is new here gets it, too.
    "stack": ("tests/e2e/*.py",),
    # A stack of their own: they count what nobody else may still be busy with. All run alone.
    "chaos": ("tests/chaos/*.py",),
    # Three brokers that all of them use.
    "kafka": (
        "tests/distributed/test_kafka.py",
        "tests/distributed/test_sampling.py",
        "tests/distributed/test_tenants_of_kafka.py",
    ),
    "compatibility": ("tests/integration/compatibility/*.py",),
    # The stack past one machine, thirty containers of it: in one process.
    "distributed": (
        "tests/distributed/test_doctor.py",
        "tests/distributed/test_forgetting.py",
        "tests/distributed/test_losses.py",
        "tests/distributed/test_twice.py",
    ),
    # They fill one table, which the last of them holds against the page.
    "frameworks": ("tests/integration/frameworks/*.py",),
    # The fixtures `rig` and `redacting_rig`: the Collector before a sink.
    "collector": (
        "tests/integration/test_corpus.py",
        "tests/integration/test_derived_metrics.py",
        "tests/integration/test_fail_closed.py",
        "tests/integration/test_instrumentation.py",
        "tests/integration/test_outbox.py",
        "tests/integration/test_surfaces.py",
    ),
}
# Those that take longest begin first; files of their own fill what is left.
_BEGIN_FIRST: Final = (
    "distributed",
    "stack",
    "registries",
    "frameworks",
    "upgrade",
    "compatibility",
    "rules",
    "kafka",
    "collector",
)
# Where all of it runs alone, it waits for every other: to begin would only keep a process waiting.
_LAST_WHERE_ALONE: Final = ("distributed",)
# Shorter ones are not worth a line.
_WORTH_A_LINE_S: Final = 20


def group_of(nodeid: str) -> str:
    """Return the name of a test's group: that of its file, unless it shares something."""
    file = nodeid.partition("::")[0]
    for name, patterns in GROUPS.items():
        if any(fnmatch(file, pattern) for pattern in patterns):
            return name
    return file


def place(nodeid: str, *, alone: bool) -> tuple[int, int]:
    """Return what tests are ordered by: their group's turn, and in it those that run alone last.

    alone: it waits until every other process has ended, so nothing should wait behind it. Groups
    without a turn begin when those that have one have begun.
    """
    group = group_of(nodeid)
    if group in _BEGIN_FIRST and not (alone and group in _LAST_WHERE_ALONE):
        return _BEGIN_FIRST.index(group), alone
    return len(_BEGIN_FIRST) + alone, 0


class Scheduler(LoadScopeScheduling):
    """Gives a process one group after the other, in the order of `place`."""

    def __init__(self, config: Any, log: Any = None) -> None:
        # By default the group with the most tests is first, which are not those that take longest.
        config.option.loadscopereorder = False
        super().__init__(config, log)
        self._terminal = config.pluginmanager.getplugin("terminalreporter")
        self._took_s: defaultdict[str, float] = defaultdict(float)

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)

    def mark_test_complete(self, node: Any, item_index: int, duration: float = 0) -> None:
        """Note a test that has ended; say so when it was the last of its group."""
        group = group_of(self.registered_collections[node][item_index])
        super().mark_test_complete(node, item_index, duration)
        self._took_s[group] += duration
        tests = self.assigned_work[node][group]
        if self._terminal and all(tests.values()) and self._took_s[group] >= _WORTH_A_LINE_S:
            # On a line of its own, among the dots.
            said = f"{group}: {len(tests)} tests in {self._took_s[group]:.0f} s"
            self._terminal.write(f"\n{said}\n")
