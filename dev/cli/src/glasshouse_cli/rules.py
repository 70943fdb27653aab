"""Writes Prometheus rule files: those made of the SLOs, and a fast copy of all for tests."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from glasshouse_cli import slos
from glasshouse_cli.project import Project

HEADER = "# Made from prometheus/slos.yaml by `make rules`. Change it there.\n"
_DURATION = re.compile(r"(?P<before>\[|:|offset )(?P<duration>\d+[smhdw])(?=[]:)\s]|$)")


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, and never an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


def folder(checkout: Project) -> Path:
    return checkout.root / "prometheus" / "rules"


def slo_rules(checkout: Project) -> str:
    """Return rules/slos.yaml as it must be. Raises StackError for a fault in slos.yaml."""
    made = slos.document(slos.load(checkout.root / "prometheus" / "slos.yaml"))
    return HEADER + dump(made)


def write(checkout: Project) -> Path:
    """Write rules/slos.yaml and return where."""
    path = folder(checkout) / "slos.yaml"
    path.write_text(slo_rules(checkout), encoding="utf-8")
    return path


def write_fast(checkout: Project, target: Path, speed: int) -> None:
    """Write all rules to `target` with every window and wait `speed` times shorter.

    Thresholds stay, also those in seconds. For tests that cannot wait five minutes; every group
    is evaluated each second. The shortest window, of 5 minutes, must still hold some samples of
    what arrives every two seconds.
    """
    target.mkdir(parents=True, exist_ok=True)
    target.chmod(0o755)  # Prometheus runs as another user
    for path in sorted(folder(checkout).glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        copy = target / path.name
        copy.write_text(dump(accelerated(document, speed)), encoding="utf-8")
        copy.chmod(0o644)


def accelerated(document: Mapping[str, Any], speed: int) -> dict[str, Any]:
    """Return a copy of a rule file's content with durations `speed` times shorter."""

    def shorter(duration: str) -> str:
        return f"{max(1, round(slos.seconds(duration) / speed))}s"

    def in_expression(match: re.Match[str]) -> str:
        return match["before"] + shorter(match["duration"])

    groups: list[dict[str, Any]] = []
    for group in document["groups"]:
        rules: list[dict[str, Any]] = []
        for rule in group["rules"]:
            changed = {**rule, "expr": _DURATION.sub(in_expression, rule["expr"])}
            for key in ("for", "keep_firing_for"):
                if key in rule:
                    changed[key] = shorter(rule[key])
            rules.append(changed)
        groups.append({**group, "interval": "1s", "rules": rules})
    return {"groups": groups}


def dump(document: Mapping[str, Any]) -> str:
    """Return YAML for people: keys in their order, long text as blocks."""
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1000, allow_unicode=True)
