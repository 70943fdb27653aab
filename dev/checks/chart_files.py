"""Give the Helm chart its copies of the files that run: a chart cannot read outside its folder."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
FILES: Final = ROOT / "deploy" / "chart" / "files"
# Patterns from the root, and the folder below `files/` that what they match is copied into.
COPIED: Final = (
    ("collector/config.yaml", "collector"),
    ("collector/event_families.yaml", "collector"),
    ("redaction/rules.yaml", "redaction"),
    ("deploy/edge/*.yaml", "edge"),
    ("deploy/gateway/*.yaml", "gateway"),
    ("loki/loki.yaml", "backends"),
    ("tempo/tempo.yaml", "backends"),
    ("prometheus/prometheus.yaml", "backends"),
    ("prometheus/rules/*.yaml", "rules"),
    ("grafana/dashboards/*.json", "dashboards"),
)


def copies() -> Iterator[tuple[Path, Path]]:
    """Yield each file with its place in the chart."""
    for pattern, folder in COPIED:
        for source in sorted(ROOT.glob(pattern)):
            yield source, FILES / folder / source.name


def differing() -> list[str]:
    """Return one line for each copy that is missing, differs, or is of nothing."""
    wanted = {target: source for source, target in copies()}
    found = {path for path in FILES.rglob("*") if path.is_file()}
    return [
        *(
            f"{target.relative_to(ROOT)}: is not {source.relative_to(ROOT)}"
            for target, source in wanted.items()
            if target not in found or target.read_bytes() != source.read_bytes()
        ),
        *(f"{path.relative_to(ROOT)}: is of nothing" for path in sorted(found - set(wanted))),
    ]


def main() -> None:
    """Write all copies, and take away what is none any more."""
    shutil.rmtree(FILES, ignore_errors=True)
    for source, target in copies():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    if faults := differing():
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
