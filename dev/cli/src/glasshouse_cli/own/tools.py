"""Runs promtool and the Collector's own check on the user's files, as the containers see them."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import yaml

from glasshouse_cli.errors import StackError
from glasshouse_cli.own.check import Query
from glasshouse_cli.own.folder import Own
from glasshouse_cli.process import Finished, run
from glasshouse_cli.project import Project, container_user
from glasshouse_cli.telemetry.document import Place

_TIMEOUT_S: Final = 300.0
PROMETHEUS: Final = "PROMETHEUS_IMAGE"
COLLECTOR: Final = "COLLECTOR_IMAGE"
# Beside each other, as ./own lies in the checkout: tests name our rules by ../../prometheus.
_OWN: Final = "/p/own"
_RULES: Final = "/p/prometheus"
_OWN_DEPLOYED: Final = "/etc/own"
_BACKENDS: Final = ("TEMPO", "LOKI", "PROMETHEUS")
_AT_LINE: Final = re.compile(r"^\s*(?:/p/own/)(?P<file>[^\s:]+): (?P<line>\d+):\d+: (?P<text>.*)$")
_FILE: Final = re.compile(r"/etc/own/(?P<file>[^\s:]+)(?::(?P<line>\d+))?: (?P<text>.*)$")
_COMPONENT: Final = re.compile(
    r"\b(?:receivers|processors|exporters|connectors|extensions)::([^:]+)"
)
_QUOTED: Final = re.compile(r'"([\w/.-]+)"')
_KEYS: Final = re.compile(r"has invalid keys: ([\w, ]+?)(?= '|$)")


def promtool(own: Own, checkout: Project, image: str, queries: Sequence[Query]) -> list[StackError]:
    """Check rules, run their tests, and parse queries; return the faults."""
    mounts = {own.folder: _OWN, checkout.root / "prometheus": _RULES}
    found: list[StackError] = []
    if own.files("rules"):
        names = [f"{_OWN}/rules/{path.name}" for path in own.files("rules")]
        arguments = ("check", "rules", "--lint=all", "--lint-fatal", *names)
        found += _rule_faults(own, _promtool(image, mounts, *arguments))
    if not found and own.files("tests"):
        for path in own.files("tests"):
            ended = _promtool(image, mounts, "test", "rules", f"{_OWN}/tests/{path.name}")
            found += _test_faults(own, path, ended)
    return found + _query_faults(image, queries)


def collector(own: Own, checkout: Project, image: str) -> list[StackError]:
    """Let the Collector read its configuration with the user's parts; return the faults."""
    if not own.files("collector"):
        return []
    with tempfile.TemporaryDirectory() as folder:
        secrets = Path(folder)
        secrets.chmod(0o755)
        for name in ("hmac_key", "otlp_token"):
            # Not the real ones: what is checked here needs none of them.
            (secrets / name).write_text("x" * 32, encoding="utf-8")
            (secrets / name).chmod(0o644)
        mounts = {
            checkout.root / "collector" / "config.yaml": "/etc/otelcol/config.yaml",
            checkout.root / "collector" / "event_families.yaml": "/etc/otelcol/event_families.yaml",
            checkout.root / "redaction" / "rules.yaml": "/etc/otelcol/rules.yaml",
            secrets: "/run/secrets",
            own.folder: _OWN_DEPLOYED,
        }
        options = ["--tmpfs=/var/lib/otelcol:mode=1777", "--tmpfs=/tmp"]
        options += [f"--env={name}_ENDPOINT=http://127.0.0.1:1" for name in _BACKENDS]
        configs = ("--config=/etc/otelcol/config.yaml", f"--config=own:{_OWN_DEPLOYED}/collector")
        ended = _container(image, mounts, ["validate", *configs], options)
    if ended.ok:
        return []
    text = " ".join((ended.err.strip() or ended.last_line).removeprefix("Error: ").split())
    return [_collector_fault(own, text)]


def _promtool(image: str, mounts: Mapping[Path, str], *arguments: str) -> Finished:
    return _container(image, mounts, list(arguments), ["--entrypoint=promtool", "--tmpfs=/tmp"])


def _container(
    image: str, mounts: Mapping[Path, str], arguments: Sequence[str], options: Sequence[str]
) -> Finished:
    # As the user as whom it will run: a file that cannot be read is noticed here.
    user = container_user()
    line = ["docker", "run", "--rm", "--network=none", "--read-only", "--cap-drop=ALL"]
    line += [f"--user={user.uid}:{user.gid}", "--label=dev.glasshouse.part=stack"]
    line += ["--log-driver=none"]
    line += [f"--volume={source}:{target}:ro,z" for source, target in mounts.items()]
    ended = run([*line, *options, image, *arguments], timeout=_TIMEOUT_S)
    if ended.code in (124, 125, 126, 127):
        raise StackError(f"your own files cannot be checked: {ended.last_line}")
    return ended


def _rule_faults(own: Own, ended: Finished) -> list[StackError]:
    if ended.ok:
        return []
    lines = (ended.out + "\n" + ended.err).splitlines()
    found = [
        own.place(own.folder / match["file"], int(match["line"])).fault(match["text"])
        for line in lines
        if (match := _AT_LINE.match(line))
    ]
    if found:
        return found
    # What has no line: a lint, or a file that is none.
    said = [one.strip() for one in lines if one.strip() and not one.startswith("Checking")]
    text = " ".join(said).replace(f"{_OWN}/", f"{own.prefix}/")
    return [StackError(f"{own.prefix}/rules: promtool refuses it: {text}")]


def _test_faults(own: Own, path: Path, ended: Finished) -> list[StackError]:
    if ended.ok:
        return []
    text = (ended.out + "\n" + ended.err).replace("\n\n", "\n")
    lines = path.read_text(encoding="utf-8").splitlines()
    found: list[StackError] = []
    for part in re.split(r"^\s*(?=name: )", text, flags=re.MULTILINE)[1:]:
        name = part.removeprefix("name: ").partition(",\n")[0].strip()
        at = next((number for number, one in enumerate(lines, 1) if name in one), 1)
        said = " ".join(part.partition(",\n")[2].split()) or "fails"
        found.append(own.place(path, at).fault(f"the test fails: {said}"))
    said = " ".join(text.replace(f"{_OWN}/", f"{own.prefix}/").split())
    return found or [own.place(path).fault(f"promtool refuses it: {said}")]


def _query_faults(image: str, queries: Sequence[Query]) -> list[StackError]:
    if not queries:
        return []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "asked.yaml"
        rules = [{"record": f"asked:{n}", "expr": one.text} for n, one in enumerate(queries)]
        file.write_text(yaml.safe_dump({"groups": [{"name": "asked", "rules": rules}]}))
        file.chmod(0o644)
        ended = _promtool(
            image, {Path(folder): "/p"}, "check", "rules", "--lint=none", "/p/asked.yaml"
        )
    if ended.ok:
        return []
    said = ended.out + ended.err
    found = [
        queries[int(number)].place.fault(f"not PromQL: {text.strip()}")
        for number, text in re.findall(r'"asked:(\d+)": could not parse expression: (.*)', said)
    ]
    return found or [StackError(f"queries cannot be checked: {ended.last_line}")]


def _collector_fault(own: Own, text: str) -> StackError:
    if (match := _FILE.search(text)) is not None:
        place = own.place(own.folder / match["file"], int(match["line"] or 1))
        return place.fault(match["text"])
    # From what says most to what says least: a key that is unknown, what is quoted, a component.
    keys = [key for keys in _KEYS.findall(text) for key in keys.split(", ")]
    for needle in (*keys, *_QUOTED.findall(text), *_COMPONENT.findall(text)):
        if place := _where(own, needle.strip()):
            return place.fault(f"the Collector refuses it: {text}")
    return StackError(f"{own.prefix}/collector: the Collector refuses it: {text}")


def _where(own: Own, name: str) -> Place | None:
    for path in own.files("collector"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if re.search(rf"(^|[\s{{,\[\"']){re.escape(name)}($|[\s:,}}\]\"'])", line):
                return own.place(path, number)
    return None
