"""Kafka's jars are those of the lock: each other one is named."""

import hashlib
from pathlib import Path

import pytest

from glasshouse_cli.errors import StackError
from glasshouse_cli.images import build_java, recipe
from support import deployed

KAFKA = recipe.load(deployed.ROOT, "kafka")


def test_the_lock_has_what_starts_a_broker() -> None:
    locked = build_java.locked(KAFKA)
    assert len(locked) > 40
    for name in ("kafka_2.13-4.4.0.jar", "kafka-tools-4.4.0.jar", "log4j-slf4j-impl-2.25.5.jar"):
        assert name in locked
    # Kafka Connect and its web server are left out.
    assert not [name for name in locked if name.startswith(("connect-", "jetty"))]


def mvn(folder: Path, *jars: str) -> Path:
    """A Maven that copies these jars, and nothing else."""
    program = folder / "bin" / "mvn"
    program.parent.mkdir()
    lines = [f'printf %s {name} > "$target/{name}"' for name in jars]
    program.write_text(
        "#!/bin/sh\nfor one; do case $one in -DoutputDirectory=*) target=${one#*=};; esac; done\n"
        'mkdir -p "$target"\n' + "\n".join(lines) + "\n",
        encoding="utf-8",
    )
    program.chmod(0o755)
    return program.parent


def small(folder: Path, *jars: str) -> recipe.Recipe:
    """A recipe whose lock has these jars."""
    place = folder / "dev" / "images" / "small"
    place.mkdir(parents=True)
    (place / "image.toml").write_text(
        'variable = "SMALL"\nbuilder = "java"\n[java]\npom = "pom.xml"\nlock = "jars.sha256"\n',
        encoding="utf-8",
    )
    lines = [f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in jars]
    (place / "jars.sha256").write_text("".join(lines), encoding="ascii")
    return recipe.load(folder, "small")


@pytest.mark.parametrize(
    ("locked", "fault"),
    [
        (["a.jar", "b.jar"], ""),
        (["a.jar", "b.jar", "c.jar"], "missing: c.jar"),
        (["a.jar"], "not in the lock: b.jar"),
    ],
)
def test_a_jar_that_the_lock_does_not_know_stops_the_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: list[str], fault: str
) -> None:
    monkeypatch.setenv("PATH", f"{mvn(tmp_path, 'a.jar', 'b.jar')}:/usr/bin:/bin")
    made, libs = small(tmp_path, *locked), tmp_path / "libs"
    if fault:
        with pytest.raises(StackError, match=fault):
            build_java.fetch(made, libs, tmp_path / "log")
        assert not libs.exists()
        return
    build_java.fetch(made, libs, tmp_path / "log")
    assert sorted(path.name for path in libs.iterdir()) == ["a.jar", "b.jar"]


def test_another_jar_under_its_name_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{mvn(tmp_path, 'a.jar')}:/usr/bin:/bin")
    made = small(tmp_path, "a.jar")
    (made.folder / "jars.sha256").write_text(f"{'0' * 64}  a.jar\n", encoding="ascii")
    with pytest.raises(StackError, match=r"small: not as locked: a\.jar: see .*jars\.sha256"):
        build_java.fetch(made, tmp_path / "libs", tmp_path / "log")
