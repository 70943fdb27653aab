"""Give the Python package its copy of the policy, and the policy as it is read.

It is read here and not at each start of a service: see `glasshouse.redaction.known_policy`.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from glasshouse.redaction import known_policy, policy_file

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "redaction" / "rules.yaml"
PACKAGE = ROOT / "instrumentation" / "src" / "glasshouse" / "redaction"


def known(text: str) -> str:
    """Return what the file of the known policy holds for the text of one."""
    return known_policy.write(text, policy_file.read(text, POLICY, shipped=True))


def main() -> None:
    """Write both files."""
    shutil.copyfile(POLICY, PACKAGE / POLICY.name)
    text = POLICY.read_text(encoding="utf-8")
    (PACKAGE / known_policy.FILE.name).write_text(known(text), encoding="utf-8")


if __name__ == "__main__":
    main()
