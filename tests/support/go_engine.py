"""The Collector's engine as a command, for comparison with the one in Python."""

import json
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "collector" / "piiprocessor"
POLICY = ROOT / "redaction" / "rules.yaml"
KEY = "glasshouse-test-key-0123456789abcdef"


def go_values(lines: list[dict[str, Any]], folder: Path) -> list[Any]:
    """Send values, each with its key, through the Go engine."""
    binary, key = folder / "piiredact", folder / "key"
    if not binary.exists():
        command = ["go", "build", "-o", str(binary), "./cmd/piiredact"]
        subprocess.run(command, cwd=MODULE, check=True, timeout=300)
    key.write_text(KEY, encoding="utf-8")
    ended = subprocess.run(
        [str(binary), "-policy", str(POLICY), "-key-file", str(key)],
        input="".join(json.dumps(line) + "\n" for line in lines),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return [json.loads(line)["value"] for line in ended.stdout.splitlines()]
