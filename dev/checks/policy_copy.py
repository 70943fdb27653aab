"""Give the Python package its copy of the policy, and what follows from the policy's patterns.

What follows is derived here and not at each start of a service: see
`glasshouse.redaction.known_needs`.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import yaml

from glasshouse.redaction.known_needs import FILE, digest, row
from glasshouse.redaction.needs import derive
from glasshouse.redaction.syntax import parse

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "redaction" / "rules.yaml"
PACKAGE = ROOT / "instrumentation" / "src" / "glasshouse" / "redaction"


def rows(policy: str) -> str:
    """Return the text of the file for the text of a policy: one line a pattern."""
    document: dict[str, Any] = yaml.safe_load(policy)
    found: dict[str, Any] = {}
    for rule in document["rules"]:
        if pattern := rule.get("pattern"):
            validator = rule.get("validate", "")
            found[digest(pattern, validator)] = row(*derive(parse(pattern), validator))
    lines = (f"{json.dumps(name)}: {json.dumps(found[name])}" for name in sorted(found))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def main() -> None:
    """Write both files."""
    shutil.copyfile(POLICY, PACKAGE / POLICY.name)
    (PACKAGE / FILE).write_text(rows(POLICY.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
