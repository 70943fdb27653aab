"""The examples of the distro stay what a stranger would write, and are listed."""

import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "instrumentation" / "examples"
FILES = sorted(path for path in EXAMPLES.iterdir() if path.suffix == ".py")
LONGEST = 40


@pytest.mark.parametrize("file", FILES, ids=lambda path: path.name)
def test_an_example_is_short_and_listed(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST
    listed = re.findall(r"`(\w+\.py)`", (EXAMPLES / "README.md").read_text(encoding="utf-8"))
    assert file.name in listed


def test_a_web_service_has_no_line_about_telemetry() -> None:
    apps = {path.name: path.read_text(encoding="utf-8") for path in FILES if "_app" in path.stem}
    assert {"fastapi_app.py", "flask_app.py", "django_app.py", "starlette_app.py"} <= set(apps)
    named = {name for name, text in apps.items() if re.search(r"opentelemetry|glasshouse", text)}
    assert named == set()
