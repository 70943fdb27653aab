"""docs/performance.md and its pictures: what lies between its markers is made of a result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from glasshouse_bench import machine
from glasshouse_bench.overhead import charts, figures, goals
from glasshouse_bench.overhead.figures import Spread
from glasshouse_bench.overhead.probes import PATHS
from glasshouse_bench.overhead.report import ratio
from glasshouse_bench.overhead.results import Document
from glasshouse_cli.errors import StackError

PAGE = Path("docs") / "performance.md"
PICTURES = Path("docs") / "pictures"
# With fewer a result is shown with a doubt.
LEAST_ROUNDS = 3


def rendered(page: str, document: Document) -> str:
    """Return the page with what the result says between its markers.

    Raises:
        StackError: a marker is missing.
    """
    return filled(page, parts(document))


def filled(page: str, contents: Mapping[str, str]) -> str:
    """Return the page with these contents between the markers of their names.

    Raises:
        StackError: a marker is missing.
    """
    for name, content in contents.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->\n"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(page):
            raise StackError(f"{PAGE} has no <!-- begin {name} --> with its end: put them back")
        block = f"{begin}{content}{end}"
        page = pattern.sub(lambda _, block=block: block, page)
    return page


def pictures(document: Document) -> dict[str, str]:
    """Return the pictures by their names, those of a server that was not measured left out."""
    return {
        f"performance-{server}-{theme}.svg": charts.draw(document, server, colours)
        for server in figures.names(document, "servers")
        for theme, colours in charts.THEMES.items()
    }


def write(root: Path, document: Document) -> list[Path]:
    """Write the page and its pictures; return what was written.

    Raises:
        StackError: one of them cannot be read or written.
    """
    try:
        page = root / PAGE
        page.write_text(rendered(page.read_text(encoding="utf-8"), document), encoding="utf-8")
        written = [page]
        for name, text in pictures(document).items():
            path = root / PICTURES / name
            path.write_text(text, encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise StackError(f"{error.filename} cannot be written: {error.strerror}") from None
    return written


def parts(document: Document) -> dict[str, str]:
    """Return the contents of the page's markers."""
    return {
        "goals": _goals(document),
        "ratios": _each(document, _ratios),
        "times": _each(document, _times),
        "sent": _sent(document),
        "stops": _each(document, _stops),
        "lines": _each(document, _lines),
        "memory": _each(document, _memory),
        "measured": _measured(document),
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(one)} |\n" for one in lines)


def _each(document: Document, make: Callable[[Document, str], str]) -> str:
    found: list[str] = []
    for server, title in document["settings"]["servers"].items():
        found.append(f"**{title}**\n\n{make(document, server)}")
    return "\n".join(found)


def _goals(document: Document) -> str:
    found = goals.judged(document)
    rows = [
        [
            one.what,
            one.server or "any",
            one.wanted,
            one.measured if one.is_met else f"**{one.measured}**",
            "met" if one.is_met else "**missed**",
        ]
        for one in found
    ]
    met = sum(one.is_met for one in found)
    head = ["goal", "server", "wanted", "measured", ""]
    doubts = "".join(f"**{one}**\n\n" for one in _doubts(document))
    return f"{doubts}{met} of {len(found)} goals are met.\n\n{_table(head, rows)}"


def _doubts(document: Document) -> list[str]:
    """Return why the figures are less sure than they look."""
    found: list[str] = []
    if load := machine.busy(document["load_average"], is_long=True):
        found.append(
            f"Measured on a busy machine: a load of {load:.1f} on {document['machine']['cores']} "
            "cores before it began. Ratios are some tenths off; measure again on a quiet one."
        )
    rounds = {one["round"] for one in document["runs"]}
    if len(rounds) < LEAST_ROUNDS:
        found.append(f"Measured in {len(rounds)} of {LEAST_ROUNDS} rounds that a spread needs.")
    return found


def _ratios(document: Document, server: str) -> str:
    loads = document["settings"]["loads"]
    rows: list[list[str]] = []
    for name in figures.names(document, "variants"):
        cells = [figures.cell(document, server, name, load) for load in loads]
        if any(one and one.ratio for one in cells):
            rows.append([name, *(ratio(one.ratio) if one and one.ratio else "-" for one in cells)])
    rows.append(["goal", *(f"{figures.GOALS[load]:.2f}" for load in loads)])
    return _table(["", *loads.values()], rows)


def _times(document: Document, server: str) -> str:
    loads = document["settings"]["loads"]
    rows: list[list[str]] = []
    for name in figures.names(document, "variants"):
        cells = [figures.cell(document, server, name, load) for load in loads]
        rows.append(
            [
                name,
                *(
                    f"{one.us.median:.0f} ({one.other_threads_us:.0f})" if one else "-"
                    for one in cells
                ),
            ]
        )
    return _table(["", *loads.values()], rows)


def _sent(document: Document) -> str:
    loads = document["settings"]["loads"]
    server = figures.names(document, "servers")[0]
    rows: list[list[str]] = []
    for name in figures.names(document, "variants"):
        cells = [figures.cell(document, server, name, load) for load in loads]
        if any(one and one.sent for one in cells):
            rows.append([name, *(_counts(one.sent) if one else "-" for one in cells)])
    return _table(["", *loads.values()], rows)


def _counts(sent: dict[str, float]) -> str:
    names = {"spans": "spans", "log_records": "log records"}
    counts = [f"{sent[kind]:.2f} {name}" for kind, name in names.items() if sent.get(kind)]
    counts += [f"{sent['bytes'] / 1000:.2f} kB"] if sent.get("bytes") else []
    return ", ".join(counts) or "-"


def _stops(document: Document, server: str) -> str:
    rows: list[list[str]] = []
    for name in figures.names(document, "variants"):
        found = [
            figures.batch_ms(document, server, name, paths, what)
            for paths in PATHS
            for what in ("burst_ms", "hold_ms", "stop_ms")
        ]
        if any(found):
            rows.append([name, *(_most(one) if one else "-" for one in found)])
    head = [f"{paths} paths, {what}" for paths in PATHS for what in ("work", "hold", "loop")]
    return _table(["", *head], rows)


def _most(found: Spread) -> str:
    return f"{found.median:.1f} (at most {found.most:.1f})"


def _lines(document: Document, server: str) -> str:
    found = {
        name: figures.line_ms(document, server, name)
        for name in figures.names(document, "variants")
    }
    found = {name: lines for name, lines in found.items() if lines}
    kinds = list(dict.fromkeys(kind for lines in found.values() for kind in lines))
    rows = [
        [kind, *(_most(lines[kind]) if kind in lines else "-" for lines in found.values())]
        for kind in kinds
    ]
    garbage = [figures.line_ms(document, server, name, "garbage_ms").values() for name in found]
    longest = (f"{max(one.most for one in each):.1f}" for each in garbage)
    rows.append(["longest collection of garbage", *longest])
    by_itself = [figures.machine_ms(document, server, name) for name in found]
    if any(one is not None for one in by_itself):
        shown = ("-" if one is None else f"at most {one:.1f}" for one in by_itself)
        rows.append(["the machine by itself", *shown])
    return _table(["a line of", *found], rows)


def _memory(document: Document, server: str) -> str:
    rows: list[list[str]] = []
    for name in figures.names(document, "variants"):
        memory = figures.memory(document, server, name)
        start = figures.start(document, server, name)
        if memory and start:
            rows.append([name, f"{memory.median:.0f}", f"{start.median / 1000:.2f}"])
    return _table(["", "resident, MB", "CPU time to the first answer, s"], rows)


def _measured(document: Document) -> str:
    described = document["machine"]
    before, after = document["load_average"]["before"], document["load_average"]["after"]
    rounds = dict.fromkeys(figures.names(document, "variants"), 0)
    for one in document["runs"]:
        rounds[one["variant"]] = max(rounds[one["variant"]], one["round"] + 1)
    lines = [
        f"- When: {document['measured']}, {machine.commit_of(document['source'])}.",
        f"- Machine: {described['processor']}, {described['cores']} cores, "
        f"{described['memory_gib']} GiB, Linux {described['kernel']}, "
        f"Python {described['python']}.",
        f"- Load average of 1, 5 and 15 minutes: before {machine.averages(before)}, after "
        f"{machine.averages(after)}.",
        "- Rounds: " + ", ".join(f"{name} {count}" for name, count in rounds.items()) + ".",
        "- Requests of a load and round: "
        + ", ".join(f"{name} {count}" for name, count in document["settings"]["requests"].items())
        + ".",
    ]
    if again := document.get("stops"):
        lines.append(
            f"- What stops the event loop, of {', '.join(again['variants'])}: {again['measured']}, "
            f"{machine.commit_of(again['source'])}, load average before "
            f"{machine.averages(again['load_average'])}."
        )
    for name, versions in document["versions"].items():
        listed = ", ".join(f"{package} {version}" for package, version in versions.items())
        lines.append(f"- {name}: {listed}.")
    for name, found in (document["imports"] or {}).items():
        lines.append(
            f"- Import of {name}: {found['median_ms']:.0f} ms of CPU time "
            f"({found['least_ms']:.0f} to {found['most_ms']:.0f}), {found['pairs']} pairs."
        )
    return "\n".join(lines) + "\n"
