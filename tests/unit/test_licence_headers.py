"""Each Go file that we wrote names its licence."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEADER = "// Copyright The Glasshouse Authors\n// SPDX-License-Identifier: Apache-2.0\n\n"
GENERATED = "distribution"  # by the Collector's builder
# Upstream's, with a change (their READMEs say which): under the same licence, of other authors.
CHANGED = {"confignet", "client"}
FILES = sorted(
    path.relative_to(ROOT)
    for folder in ("collector", "dev")
    for path in (ROOT / folder).rglob("*.go")
    if GENERATED not in path.parts and not path.name.startswith("generated_")
)


def test_there_are_files() -> None:
    assert Path("collector/piiprocessor/engine/engine.go") in FILES


@pytest.mark.parametrize("path", FILES, ids=str)
def test_a_go_file_begins_with_the_licence(path: Path) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    header = (
        HEADER if CHANGED.isdisjoint(path.parts) else HEADER.replace("Glasshouse", "OpenTelemetry")
    )
    assert text.startswith(header), f"{path}: begin it with the two lines of its neighbours"
