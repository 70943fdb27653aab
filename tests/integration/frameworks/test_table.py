"""docs/compatibility.md says what was seen. It runs after all others of this folder."""

from glasshouse_cli.project import Project
from support import cells, sections
from support.cells import Cells


def test_the_committed_table_is_what_was_seen(
    recorded: Cells, project: Project, write: bool, whole: bool
) -> None:
    page = project.root / "docs" / "compatibility.md"
    committed = cells.parsed(sections.read(page.read_text(encoding="utf-8"), cells.NAME))
    if write:
        committed = recorded.table if whole else committed | recorded.table
        half = cells.document(committed)
        page.write_text(
            sections.written(page.read_text(encoding="utf-8"), cells.NAME, half), encoding="utf-8"
        )
    changed = cells.differences(recorded.table, committed, whole=whole)
    assert not changed, f"write it anew with `{cells.COMMAND}`:\n" + "\n".join(changed)
