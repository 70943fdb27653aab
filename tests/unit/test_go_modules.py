"""Our Go modules: formatted, vetted, tested."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# distribution/ is generated and has no tests; its build is the image's. ocb/ and audit/ pin a tool
# of others, and have no code.
GENERATED = ("distribution", "ocb", "audit")
MODULES = sorted(
    path.parent
    for pattern in ("collector/*/go.mod", "dev/*/go.mod")
    for path in ROOT.glob(pattern)
    if path.parent.name not in GENERATED
)
TIMEOUT_S = 540


def test_there_are_modules() -> None:
    assert "eventmetrics" in {module.name for module in MODULES}


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.name)
def test_a_go_module_passes_its_tests(module: Path) -> None:
    unformatted = subprocess.run(
        ["gofmt", "-l", "."], cwd=module, capture_output=True, text=True, timeout=60, check=True
    )
    assert unformatted.stdout == ""
    # `go test` vets, too.
    tested = subprocess.run(
        ["go", "test", "-mod=readonly", "./..."],
        cwd=module,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert tested.returncode == 0, tested.stdout + tested.stderr
