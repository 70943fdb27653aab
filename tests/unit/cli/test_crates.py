"""The native wheel's crates: what the lock file has is in the page, the bill and the audit."""

import json
import shutil
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from glasshouse_cli import project
from glasshouse_cli.errors import StackError
from glasshouse_cli.process import Finished
from glasshouse_cli.supply import advisories, audit, crates, notices, sbom
from glasshouse_cli.supply.parts import Part
from support.deployed import ROOT

SUM = "ab" * 32
LOCK = f"""\
version = 4

[[package]]
name = "ours"
version = "0.0.0"
dependencies = ["found", "other"]

[[package]]
name = "found"
version = "1.2.3"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "{SUM}"

[[package]]
name = "other"
version = "2.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "{SUM}"
"""
FOUND, OTHER = ("found", "1.2.3"), ("other", "2.0.0")


def checkout(folder: Path, lock: str = LOCK) -> Path:
    (folder / crates.NATIVE).mkdir()
    (folder / crates.LOCK).write_text(lock)
    return folder


def cargo(monkeypatch: pytest.MonkeyPatch, licences: Mapping[tuple[str, str], str | None]) -> None:
    """A Cargo that says this of crates; without any it is not installed."""
    packages = [
        {"name": name, "version": version, "license": licence}
        for (name, version), licence in licences.items()
    ]

    def run(argv: list[str], **_: object) -> Finished:
        # Never from the network, and never another version than the lock file has.
        assert {"--offline", "--locked"} <= {*argv}
        if not licences:
            return Finished(code=127, out="", err="cargo: not found")
        return Finished(code=0, out=json.dumps({"packages": packages}), err="")

    monkeypatch.setattr(crates, "run", run)


def test_what_the_lock_file_has_is_found_with_the_licence_that_it_states(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cargo(monkeypatch, {FOUND: "MIT/Apache-2.0", OTHER: None, ("unlocked", "1"): "MIT"})
    found = crates.of(checkout(tmp_path), {FOUND: "a page of before"})
    assert [(one.purl, one.licence, one.sha256) for one in found] == [
        ("pkg:cargo/found@1.2.3", "MIT OR Apache-2.0", (SUM,)),
        ("pkg:cargo/other@2.0.0", "", (SUM,)),
    ]
    assert list(notices.unlicensed(found)) == [
        "other 2.0.0: no licence found in its files, extend licences.py"
    ]


def test_without_cargo_a_version_keeps_its_licence_and_a_new_one_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cargo(monkeypatch, {})
    root = checkout(tmp_path)
    known = {FOUND: "MIT", OTHER: "ISC"}
    assert [one.licence for one in crates.of(root, known)] == ["MIT", "ISC"]
    with pytest.raises(StackError, match=r"other 2\.0\.0 is not known here .*not found.*Rust"):
        crates.of(root, {FOUND: "MIT", ("other", "1.9.9"): "ISC"})


def test_without_cargo_the_page_of_this_checkout_says_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if shutil.which("cargo") is None:
        pytest.skip("Cargo says what the crates state")
    stated = notices.crates(ROOT)
    cargo(monkeypatch, {})
    assert notices.crates(ROOT) == stated
    locked = tomllib.loads((ROOT / crates.LOCK).read_text(encoding="utf-8"))["package"]
    assert len(stated) == len(locked) - 1 > 10


@pytest.mark.parametrize("licence", ["AGPL-3.0-only", "MIT AND GPL-3.0-or-later"])
def test_a_crate_that_may_not_be_shipped_is_refused_by_page_and_audit(
    monkeypatch: pytest.MonkeyPatch, licence: str
) -> None:
    bad = Part(kind="cargo", name="bad", version="1.0.0", licence=licence)
    line = f"bad 1.0.0 is under {licence}, which may not be shipped"
    good = notices.crates(ROOT)
    monkeypatch.setattr(notices, "crates", lambda _: [*good, bad])  # pyright: ignore[reportUnknownLambdaType]
    monkeypatch.setattr(notices.parts, "go", lambda _: [])  # pyright: ignore[reportUnknownLambdaType]
    with pytest.raises(StackError, match=line):
        notices.render(ROOT, project.load(ROOT).settings)
    [fault] = notices.unlicensed(audit.shipped(ROOT))
    assert fault.startswith(line)


def test_the_audit_asks_for_advisories_of_each_crate_by_its_ecosystem() -> None:
    parts = [one for one in audit.everything(ROOT) if one.kind == "cargo"]
    assert {one.name for one in parts} == {one["name"] for one in crates.locked(ROOT)}
    assert advisories.question(parts[0]) == {
        "package": {"name": parts[0].name, "ecosystem": "crates.io"},
        "version": parts[0].version,
    }


def test_a_crate_without_a_checksum_is_named(tmp_path: Path) -> None:
    root = checkout(tmp_path, LOCK.replace(SUM, "ab", 1))
    [line] = crates.unsummed(root)
    assert line.startswith("found 1.2.3 has no checksum in native/Cargo.lock: ")
    assert list(crates.unsummed(ROOT)) == []


@pytest.mark.parametrize("text", ["[[package]", "version = 4\n"], ids=["no TOML", "no package"])
def test_a_lock_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(StackError, match=r"native/Cargo\.lock: .*restore it"):
        crates.locked(checkout(tmp_path, text))


def test_the_bill_of_the_wheel_is_valid_and_has_every_crate(tmp_path: Path) -> None:
    file, found = tmp_path / "wheel.json", notices.crates(ROOT)
    sbom.write_wheel(file, sbom.WHEEL, "0.1.0", found)
    text = file.read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    document = json.loads(text)
    assert document["metadata"]["component"]["purl"] == "pkg:pypi/glasshouse-native@0.1.0"
    assert {one["purl"] for one in document["components"]} == {one.purl for one in found}
    for one, part in zip(document["components"], found, strict=True):
        assert one["hashes"] == [{"alg": "SHA-256", "content": part.sha256[0]}]
