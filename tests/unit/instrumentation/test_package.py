"""The package holds the policy, as a file of its own."""

import os
import shutil
import subprocess
import tarfile
import zipfile
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
POLICY = ROOT / "redaction" / "rules.yaml"
FILES = Path("instrumentation/src/glasshouse/testing/containers/files")
COPY = Path("instrumentation/src/glasshouse/redaction/rules.yaml")


def uv() -> str:
    """Return the uv that runs these tests."""
    return os.environ.get("UV") or shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")


def test_the_copy_in_the_package_is_the_policy() -> None:
    # A symlink breaks on Windows and in source distributions.
    assert not (ROOT / COPY).is_symlink()
    assert (ROOT / COPY).read_bytes() == POLICY.read_bytes(), "run: make policy"


def test_the_editable_install_finds_it() -> None:
    assert (files("glasshouse.redaction") / "rules.yaml").read_bytes() == POLICY.read_bytes()


def test_wheel_and_source_distribution_hold_it(tmp_path: Path) -> None:
    built = subprocess.run(
        [uv(), "build", "--quiet", "-o", str(tmp_path), str(ROOT / "instrumentation")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert archive.read("glasshouse/redaction/rules.yaml") == POLICY.read_bytes()
        names = set(archive.namelist())
        assert "_glasshouse_pytest.py" in names
        held = {
            f"glasshouse/testing/containers/files/{path.name}" for path in (ROOT / FILES).iterdir()
        }
        assert len(held) == 4
        assert held <= names
    [source] = tmp_path.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        name = f"{source.name.removesuffix('.tar.gz')}/src/glasshouse/redaction/rules.yaml"
        member = archive.getmember(name)
        content = archive.extractfile(member)
        assert member.isfile()
        assert content is not None
        assert content.read() == POLICY.read_bytes()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("collector/config.yaml", "collector.yaml"),
        ("loki/loki.yaml", "loki.yaml"),
        ("prometheus/prometheus.yaml", "prometheus.yaml"),
        ("tempo/tempo.yaml", "tempo.yaml"),
    ],
)
def test_the_containers_have_the_stack_s_configuration(source: str, name: str) -> None:
    copied = FILES / name
    assert not (ROOT / copied).is_symlink()
    assert (ROOT / copied).read_bytes() == (ROOT / source).read_bytes(), (
        f"run: cp {source} {copied}"
    )
