"""Writes what is made of the SLOs: rule files, and the values that dashboards use; and a fast
copy of all rules for tests.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from glasshouse_cli import slos
from glasshouse_cli.errors import StackError
from glasshouse_cli.project import Project

HEADER = "# Made from prometheus/slos.yaml by `make rules`. Change it there.\n"
_PLACE = re.compile(r"\$\{(\w+)\}")
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


def made(checkout: Project) -> dict[Path, str]:
    """Return each file made of slos.yaml, with its text. Raises StackError for a fault in it."""
    read = slos.load(checkout.root / "prometheus" / "slos.yaml")
    return {
        folder(checkout) / "api.yaml": HEADER + dump(slos.shared(read)),
        folder(checkout) / "slos.yaml": HEADER + dump(slos.document(read)),
        checkout.root / "grafana/src/glasshouse_dashboards/objectives.py": _objectives(read),
        **_templated(checkout, slos.values(read)),
    }


def _templated(checkout: Project, values: Mapping[str, str]) -> dict[Path, str]:
    """Return the rules of each template, with what stands for ${name} in it."""
    texts: dict[Path, str] = {}
    for path in sorted((checkout.root / "prometheus" / "templates").glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if unknown := sorted(set(_PLACE.findall(text)) - set(values)):
            known = ", ".join(sorted(values))
            raise StackError(f"{path}: there is no value for {unknown[0]}: choose from {known}")
        header = f"# Made from prometheus/templates/{path.name} by `make rules`. Change it there.\n"
        filled = _PLACE.sub(lambda match: values[match[1]], text)
        texts[folder(checkout) / path.name] = header + filled
    return texts


def write(checkout: Project) -> list[Path]:
    """Write all that is made of slos.yaml, and return where."""
    files = made(checkout)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return list(files)


def _objectives(read: slos.Slos) -> str:
    """Return the values as a Python module: the dashboards are a package of their own."""
    limited = [slo for slo in read.slos if slo.within]
    tables: dict[str, dict[str, Any]] = {
        "SELECTORS": dict(read.selectors),
        "PERCENT": {slo.name: slo.objective for slo in read.slos},
        "WITHIN_S": {slo.name: slo.within for slo in limited},
        "WITHIN": {slo.name: slo.within_text for slo in limited},
        "BUCKET": {slo.name: slo.bucket for slo in limited},
    }
    lines = [
        '"""Made from prometheus/slos.yaml by `make rules`. Change it there."""',
        "",
        "from typing import Final",
        "",
    ]
    for name, table in tables.items():
        entries = [f"    {_literal(key)}: {_literal(value)},\n" for key, value in table.items()]
        lines.append(f"{name}: Final = {{\n{''.join(entries)}}}")
    return "\n".join(lines) + "\n"


def _literal(value: Any) -> str:
    """Return a Python literal in the formatter's style."""
    return f'"{value}"' if isinstance(value, str) and '"' not in value else repr(value)


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
