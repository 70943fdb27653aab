"""Images that are built here: what a killed build leaves."""

from pathlib import Path

from glasshouse_cli.images.resolve import left_behind


def test_what_a_killed_build_left_is_found_and_nothing_else(tmp_path: Path) -> None:
    others = ("kafka-of-tests", "kafka-", "cli", "loki-mk_2yimv")
    for name in ("cli-mk_2yimv", "cli-0a1b2c3d", *others):
        (tmp_path / name).mkdir()
    (tmp_path / "cli-afile_00").touch()
    assert {one.name for one in left_behind(tmp_path, "cli")} == {"cli-mk_2yimv", "cli-0a1b2c3d"}
    assert left_behind(tmp_path, "kafka") == []
