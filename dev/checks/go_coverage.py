"""Print the coverage of each Go module, and fail where one is below its gate.

The gates are what was measured, rounded down: [tool.glasshouse.go-coverage] in pyproject.toml.
Raise one when its module is above it.
"""

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Measure the modules that are named; return 1 where one fails or is below its gate."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    gates: dict[str, int] = project["tool"]["glasshouse"]["go-coverage"]
    failed = False
    for module in sys.argv[1:]:
        name = Path(module).name
        if name not in gates:
            complaint = (
                f"{name}: no gate: add it to [tool.glasshouse.go-coverage] in pyproject.toml"
            )
            sys.stderr.write(complaint + "\n")
            failed = True
            continue
        covered = measure(ROOT / module)
        if covered is None or covered < gates[name]:
            failed = True
        shown = "tests fail" if covered is None else f"{covered:.1f} %"
        sys.stdout.write(f"{module:<28} {shown:>10}, gate {gates[name]} %\n")
        sys.stdout.flush()
    return int(failed)


def measure(module: Path) -> float | None:
    """Return the part of a module's statements that its tests run, in percent."""
    with tempfile.TemporaryDirectory() as folder:
        profile = f"{folder}/profile"
        tested = subprocess.run(  # noqa: S603 (our own modules)
            ["go", "test", "-mod=readonly", "-coverpkg=./...", f"-coverprofile={profile}", "./..."],  # noqa: S607
            cwd=module,
            capture_output=True,
            text=True,
            check=False,
        )
        if tested.returncode != 0:
            sys.stderr.write(tested.stdout + tested.stderr)
            return None
        total = subprocess.run(  # noqa: S603 (as above)
            ["go", "tool", "cover", f"-func={profile}"],  # noqa: S607
            cwd=module,
            capture_output=True,
            text=True,
            check=True,
        )
    found = re.search(r"^total:.*?([\d.]+)%$", total.stdout, flags=re.MULTILINE)
    return float(found[1]) if found else None


if __name__ == "__main__":
    sys.exit(main())
