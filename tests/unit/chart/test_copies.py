"""The chart's files are copies of those that run everywhere."""

import importlib.util

from support import deployed


def test_each_copy_is_what_it_is_a_copy_of() -> None:
    writer = deployed.ROOT / "dev" / "checks" / "chart_files.py"
    spec = importlib.util.spec_from_file_location("chart_files", writer)
    assert spec is not None
    assert spec.loader is not None
    chart_files = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(chart_files)
    assert len(list(chart_files.copies())) > 25
    assert chart_files.differing() == [], "run `make chart`"
