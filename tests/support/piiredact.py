"""The Go engine from Python, by its command line tool."""

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "collector" / "piiprocessor"
POLICY = ROOT / "redaction" / "rules.yaml"
KEY = "glasshouse-test-key-0123456789abcdef"
BUILD_S, RUN_S = 300, 300


@cache
def _program(folder: Path) -> Path:
    program = folder / "piiredact"
    subprocess.run(
        ["go", "build", "-o", str(program), "./cmd/piiredact"],
        cwd=MODULE,
        check=True,
        timeout=BUILD_S,
    )
    return program


def piiredact(
    lines: list[dict[str, Any]], folder: Path, policy: Path = POLICY, *options: str
) -> list[Any]:
    """Redact values, each ``{"key": …, "value": …}``, with the program built in ``folder``."""
    key = folder / "key"
    key.write_text(KEY, encoding="utf-8")
    ended = subprocess.run(
        [str(_program(folder)), "-policy", str(policy), "-key-file", str(key), *options],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=RUN_S,
    )
    return [json.loads(line)["value"] for line in ended.stdout.splitlines()]
