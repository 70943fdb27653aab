"""Collect the example values of the OpenTelemetry semantic conventions.

    python dev/semantic_conventions.py CHECKOUT v1.44.0

CHECKOUT is a clone of github.com/open-telemetry/semantic-conventions at that tag. Writes
tests/data/semantic-conventions.jsonl: one attribute a line, with its examples and its stability.
Attributes without examples are left out; of an enumeration the members are the examples.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

TARGET = Path(__file__).parents[1] / "tests" / "data" / "semantic-conventions.jsonl"
SOURCE = "https://github.com/open-telemetry/semantic-conventions"


def attributes(model: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every attribute that a registry defines."""
    for path in sorted(model.rglob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        for group in document.get("groups", ()):
            for one in group.get("attributes") or ():
                if "id" in one:
                    yield one["id"], one
        for one in document.get("attributes", ()):
            if "key" in one:
                yield one["key"], one


def examples(attribute: dict[str, Any]) -> list[Any]:
    """Return the examples of one attribute, dates as text."""
    kind = attribute.get("type")
    if isinstance(kind, dict):
        found: Any = [member.get("value", member["id"]) for member in kind.get("members", ())]
    else:
        found = attribute.get("examples", [])
    found = found if isinstance(found, list) else [found]
    return [one if isinstance(one, str | int | float | list) else str(one) for one in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("version")
    given = parser.parse_args()
    collected: dict[str, list[Any]] = {}
    for name, attribute in attributes(given.checkout / "model"):
        known = collected.setdefault(name, [])
        known += [one for one in examples(attribute) if one not in known]
    with TARGET.open("w", encoding="utf-8") as target:
        head = {"source": SOURCE, "version": given.version, "licence": "Apache-2.0"}
        print(json.dumps(head), file=target)
        for name, values in sorted(collected.items()):
            if values:
                row = {"name": name, "examples": values}
                print(json.dumps(row, ensure_ascii=False), file=target)


if __name__ == "__main__":
    main()
