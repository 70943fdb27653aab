"""What holds for each framework and server: the cells of a table, recorded by tests."""

import contextlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

COMMAND = "make frameworks"
NAME = f"frameworks, made by `{COMMAND}`"
HEAD = f"""\
# Frameworks and servers

What a service of somebody else gets from the package alone. Each row is a service of
[instrumentation/examples](../instrumentation/examples/README.md), started by its own server under
`opentelemetry-instrument` with `OTEL_PYTHON_DISTRO=glasshouse`. This half is made by
`tests/integration/frameworks`, which fails when it is not what was seen. Write it anew with
`{COMMAND}`.

Of web services: `requests` says that an address in a query is masked in spans and access lines,
`exceptions` the same of a traceback, also on the console; `ids` are in answers, spans and records;
`tail` is the last ten requests before SIGTERM; the exit code is the one without telemetry.
"""
YES, NO = "yes", "no"

# section, row, check: what the cell says.
Table = dict[str, dict[str, dict[str, str]]]


@dataclass
class Cells:
    """The cells recorded so far."""

    table: Table = field(default_factory=Table)

    def record(self, row: str, check: str, holds: bool | str, *, section: str) -> None:
        """Say whether ``check`` holds for ``row``, in the table called ``section``.

        A text is what the cell says instead, such as why the check does not apply. What did not
        hold once does not hold.
        """
        cells = self.table.setdefault(section, {}).setdefault(row, {})
        said = holds if isinstance(holds, str) else YES if holds else NO
        if cells.get(check) != NO:
            cells[check] = said

    @contextlib.contextmanager
    def checking(self, row: str, check: str, *, section: str) -> Iterator[None]:
        """Record that ``check`` holds if the block ends without an exception."""
        try:
            yield
        except BaseException:
            self.record(row, check, False, section=section)
            raise
        self.record(row, check, True, section=section)


def differences(seen: Table, committed: Table, *, whole: bool) -> list[str]:
    """Say which cells that were seen are committed otherwise.

    whole: all tests have run, so what is committed and was not seen is wrong, too.
    """
    seen_cells, kept_cells = _flat(seen), _flat(committed)
    keys = seen_cells | kept_cells if whole else seen_cells
    return [
        f"{': '.join(key)}: committed is {kept_cells.get(key, 'nothing')}, "
        f"seen was {seen_cells.get(key, 'nothing')}"
        for key in keys
        if seen_cells.get(key) != kept_cells.get(key)
    ]


def _flat(table: Table) -> dict[tuple[str, str, str], str]:
    return {
        (section, row, check): said
        for section, rows in table.items()
        for row, said_of in rows.items()
        for check, said in said_of.items()
    }


def document(table: Mapping[str, Mapping[str, Mapping[str, str]]]) -> str:
    """Return the page's half."""
    parts = [HEAD]
    for section, rows in table.items():
        checks = list(dict.fromkeys(check for cells in rows.values() for check in cells))
        lines = [_line("", *checks), _line(*["---"] * (len(checks) + 1))]
        lines += [
            _line(row, *(cells.get(check, "") for check in checks)) for row, cells in rows.items()
        ]
        parts.append("\n".join([f"## {section}", "", *lines, ""]))
    return "\n".join(parts)


def parsed(half: str) -> Table:
    """Return the cells of a page's half."""
    table: Table = {}
    for part in re.split(r"^## ", half, flags=re.MULTILINE)[1:]:
        section, _, body = part.partition("\n")
        lines = [line for line in body.splitlines() if line.startswith("|")]
        if not lines:
            continue
        header, _, *rest = ([cell.strip() for cell in line.split("|")[1:-1]] for line in lines)
        table[section] = {
            row: {check: said for check, said in zip(header[1:], cells, strict=True) if said}
            for row, *cells in rest
        }
    return table


def summary(table: Mapping[str, Mapping[str, Mapping[str, str]]]) -> list[str]:
    """Return lines for a terminal: one a row, with what does not hold."""
    lines: list[str] = []
    for section, rows in table.items():
        for row, cells in rows.items():
            held = sum(said == YES for said in cells.values())
            others = [f"{check}: {said}" for check, said in cells.items() if said != YES]
            lines.append("; ".join([f"{section}, {row}: {held} of {len(cells)} hold", *others]))
    return lines


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
