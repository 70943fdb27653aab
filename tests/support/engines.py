"""Values through both engines, which give the same bytes."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from glasshouse.redaction import Redactor

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "collector" / "piiprocessor"
POLICY = ROOT / "redaction" / "rules.yaml"
KEY = "glasshouse-test-key-0123456789abcdef"

SEED_VARIABLE = "GLASSHOUSE_TEST_SEED"
# Of what is new each time. A failure names it.
FRESH_SEED = int(os.environ.get(SEED_VARIABLE) or time.time_ns() % 1_000_000_000)

Line = dict[str, Any]


@cache
def _built() -> tuple[tempfile.TemporaryDirectory[str], Path]:
    folder = tempfile.TemporaryDirectory(prefix="piiredact-")
    binary = Path(folder.name) / "piiredact"
    subprocess.run(
        ["go", "build", "-o", str(binary), "./cmd/piiredact"], cwd=MODULE, check=True, timeout=300
    )
    (Path(folder.name) / "key").write_text(KEY, encoding="utf-8")
    return folder, binary


def piiredact(
    lines: Sequence[Line], policy: Path = POLICY, *, options: Sequence[str] = ()
) -> list[Any]:
    """Send the lines through the Go engine."""
    _, binary = _built()
    ended = subprocess.run(
        [str(binary), "-policy", str(policy), "-key-file", str(binary.with_name("key")), *options],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [json.loads(line)["value"] for line in ended.stdout.splitlines()]


def both(lines: Sequence[Line], policy: Path = POLICY) -> list[Any]:
    """Return what the engines make of the lines, once it is the same."""
    redactor = Redactor.load(policy, key=KEY.encode())
    ours = [redactor.value(line["value"], line.get("key", "")) for line in lines]
    assert differences(lines, ours, piiredact(lines, policy)) == []
    return ours


def differences(lines: Sequence[Line], python: Sequence[Any], go: Sequence[Any]) -> list[Line]:
    return [
        {**line, "python": ours, "go": theirs}
        for line, ours, theirs in zip(lines, python, go, strict=True)
        if ours != theirs
    ]
