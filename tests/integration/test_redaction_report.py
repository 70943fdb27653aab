"""The report of what redaction catches, as `make redaction-report` runs it."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
REPORT_S = 600
SEED = "20261126"


def test_the_report_runs_on_the_deployed_redaction(tmp_path: Path) -> None:
    picture = tmp_path / "picture.svg"
    program = Path(sys.executable).with_name("glasshouse-bench")
    command = [str(program), "redaction-report", "--json", "--seed", SEED]
    done = subprocess.run(
        [*command, "--picture", str(picture)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=REPORT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    document = json.loads(done.stdout)
    unseen = document["unseen"]
    assert unseen.keys() == {"people", "wrappings", "logs", "conventions"}
    shares = {name: one["held"] / one["probes"] for name, one in unseen.items()}
    assert shares["people"] > 0.95, shares
    assert shares["wrappings"] > 0.98, shares
    assert shares["logs"] > 0.999, shares
    assert shares["conventions"] == 1, shares
    assert document["gates"]["must_redact"] > 0.99
    assert document["gates"]["must_survive"] == 1
    assert picture.stat().st_size > 10_000
