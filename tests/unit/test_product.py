"""The product needs nothing of what stands in dev/ and tests/."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("service", "instrumentation", "grafana")
TOOLING = {path.name for path in (ROOT / "dev").glob("*/src/*") if path.is_dir()} | {"support"}


def imported(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each file of a folder with the first part of what it imports."""
    for file in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names = [node.module]
            yield from ((str(file.relative_to(ROOT)), name.partition(".")[0]) for name in names)


@pytest.mark.parametrize("folder", PRODUCT)
def test_no_module_imports_tooling(folder: str) -> None:
    found = list(imported(ROOT / folder / "src"))
    assert found
    assert [(file, name) for file, name in found if name in TOOLING] == []


@pytest.mark.parametrize("folder", PRODUCT)
def test_no_package_depends_on_tooling(folder: str) -> None:
    project = tomllib.loads((ROOT / folder / "pyproject.toml").read_text(encoding="utf-8"))
    named = {name.replace("_", "-") for name in TOOLING}
    assert [one for one in project["project"]["dependencies"] if one.startswith(tuple(named))] == []


def test_the_tooling_is_found() -> None:
    assert {
        "glasshouse_cli",
        "glasshouse_fakes",
        "glasshouse_loadgen",
        "glasshouse_bench",
    } < TOOLING
    assert ("glasshouse_cli", True) in {
        (name, name in TOOLING) for _, name in imported(ROOT / "dev" / "bench" / "src")
    }
