"""The committed Collector module is the one that the manifest describes."""

import re
from pathlib import Path

import yaml

COLLECTOR = Path(__file__).parents[2] / "collector"
KINDS = ("receivers", "processors", "connectors", "exporters", "extensions")


def manifest() -> dict[str, dict[str, str]]:
    """Return version by module, for each kind of part."""
    document = yaml.safe_load((COLLECTOR / "builder.yaml").read_text(encoding="utf-8"))
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


def test_the_copy_of_a_stock_package_has_the_version_that_is_compiled_in() -> None:
    text = (COLLECTOR / "distribution" / "go.mod").read_text(encoding="utf-8")
    [pinned] = re.findall(r"collector/config/confignet v(\S+)", text)
    [copied] = re.findall(
        r"confignet`, version ([\d.]+),",
        (COLLECTOR / "confignet" / "README.md").read_text(encoding="utf-8"),
    )
    assert copied == pinned, "follow collector/confignet/README.md"


def test_components_are_those_of_the_manifest() -> None:
    text = (COLLECTOR / "distribution" / "components.go").read_text(encoding="utf-8")
    compiled = set(re.findall(r'^\s+\w+ "(\S+/(?:\w+)/\w+)"$', text, flags=re.MULTILINE))
    named = {module for kind in KINDS for module in manifest()[kind]}
    ours = {
        module
        for module in compiled
        if re.search(
            r"(receiver|processor|connector|exporter|extension|storage)/|^glasshouse", module
        )
    }
    assert ours == named, "run `make collector` and commit"


def test_what_is_compiled_in_is_used() -> None:
    config = (COLLECTOR / "config.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(config)
    used = {name.partition("/")[0].replace("_", "") for kind in KINDS for name in document[kind]}
    compiled = {
        re.sub(r"(receiver|processor|connector|exporter|extension)$", "", module.rpartition("/")[2])
        for kind in KINDS
        for module in manifest()[kind]
    }
    # The tests' sink, a view of what passes, and the way to a vendor (docs/shipping.md).
    assert compiled - used == {"file", "debug", "otlphttp"}
    assert used <= compiled
