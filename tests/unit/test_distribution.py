"""The committed Collector module is the one that the manifest describes."""

import re
from pathlib import Path

import pytest
import yaml

COLLECTOR = Path(__file__).parents[2] / "collector"
KINDS = ("receivers", "processors", "connectors", "exporters", "extensions")


def described() -> dict[str, list[dict[str, str]]]:
    return yaml.safe_load((COLLECTOR / "builder.yaml").read_text(encoding="utf-8"))


def packages(kind: str) -> set[str]:
    """The packages of one kind of part. A module may have several."""
    return {entry.get("import", entry["gomod"].partition(" ")[0]) for entry in described()[kind]}


def manifest() -> dict[str, dict[str, str]]:
    """Return version by module, for each kind of part."""
    document = described()
    return {
        kind: dict(entry["gomod"].split(" ") for entry in document[kind])
        for kind in (*KINDS, "providers")
    }


def test_go_mod_pins_what_the_manifest_names() -> None:
    text = (COLLECTOR / "distribution" / "go.mod").read_text(encoding="utf-8")
    required = dict(re.findall(r"^\s+(\S+) (v\S+)$", text, flags=re.MULTILINE))
    for modules in manifest().values():
        for module, version in modules.items():
            assert required.get(module) == version, "run `make collector` and commit"


@pytest.mark.parametrize("package", ["config/confignet", "client"])
def test_the_copy_of_a_stock_package_has_the_version_that_is_compiled_in(package: str) -> None:
    text = (COLLECTOR / "distribution" / "go.mod").read_text(encoding="utf-8")
    [pinned] = re.findall(rf"collector/{package} v(\S+)", text)
    folder = COLLECTOR / package.rpartition("/")[2]
    [copied] = re.findall(
        rf"collector/{package}`, version ([\d.]+),",
        (folder / "README.md").read_text(encoding="utf-8"),
    )
    assert copied == pinned, f"follow {folder.name}/README.md"


def test_components_are_those_of_the_manifest() -> None:
    text = (COLLECTOR / "distribution" / "components.go").read_text(encoding="utf-8")
    compiled = set(re.findall(r'^\s+\w+ "(\S+/(?:\w+)/\w+)"$', text, flags=re.MULTILINE))
    named = {package for kind in KINDS for package in packages(kind)}
    ours = {
        module
        for module in compiled
        if re.search(
            r"(receiver|processor|connector|exporter|extension|storage)/|^glasshouse", module
        )
    }
    assert ours == named, "run `make collector` and commit"


def test_what_is_compiled_in_is_used() -> None:
    deploy = COLLECTOR.parent / "deploy"
    # The chart's are copies of these, and templates.
    folders = [deploy / "edge", deploy / "gateway"]
    configs = [COLLECTOR / "config.yaml"]
    configs += sorted(one for folder in folders for one in folder.glob("*.yaml"))
    documents = [yaml.safe_load(one.read_text(encoding="utf-8")) for one in configs]
    used = {
        name.partition("/")[0].replace("_", "")
        for document in documents
        for kind in KINDS
        for name in document.get(kind, {})
    }
    compiled = {
        re.sub(
            r"(receiver|processor|connector|exporter|extension)$", "", package.rpartition("/")[2]
        )
        for kind in KINDS
        for package in packages(kind)
    }
    # The tests' sink, a view of what passes, and the way to a vendor (docs/shipping.md).
    assert compiled - used == {"file", "debug", "otlphttp"}
    assert used <= compiled
