"""Run the tests that docs/security.md names, and write what came of them into the page.

    python dev/checks/security_page.py            # every test that is named
    python dev/checks/security_page.py proxy       # those with the word in them; the rest stays
    python dev/checks/security_page.py --missing   # those that have no result yet
    python dev/checks/security_page.py --from reports/junit.xml   # no test: what a run has reported

Exit code 1: a test failed, or does not exist.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "security.md"
NAME = re.compile(r"`((?:[\w/]+\.py::(?:Test\w+::)?test_\w+)|(?:[\w/]+_test\.go::Test\w+))`")
ROW = re.compile(r"^\| `([^`]+)` \| (\d+) \| (\w[\w ]*) \| (.*) \|$", re.MULTILINE)
MARK = re.compile(r"(<!-- begin run -->\n).*?(<!-- end run -->\n)", re.DOTALL)
GO_TIMEOUT_S = 1800


@dataclass(frozen=True)
class Result:
    """What came of one named test: of all its cases the worst."""

    cases: int
    outcome: str
    day: str


def named(page: str) -> list[str]:
    """The tests that the tables name, each once, in their order."""
    return list(dict.fromkeys(NAME.findall(MARK.sub("", page))))


def results(page: str) -> dict[str, Result]:
    """What the page says of its last run."""
    found = MARK.search(page)
    rows = ROW.findall(found[0]) if found else []
    return {name: Result(int(cases), outcome, day) for name, cases, outcome, day in rows}


def where(name: str) -> tuple[Path, str]:
    """The file and the function of a named test."""
    file, *_, function = name.split("::")
    return ROOT / ("collector" if file.endswith(".go") else "tests") / file, function


def exists(name: str) -> bool:
    """Whether the file has such a test."""
    file, function = where(name)
    word = "func" if file.suffix == ".go" else "def"
    return file.is_file() and bool(
        re.search(rf"^ *(?:async )?{word} {function}\(", file.read_text(encoding="utf-8"), re.M)
    )


def run(names: Iterable[str], day: str) -> dict[str, Result]:
    """Run the tests; those that cannot be collected are failed."""
    names = list(names)
    go = [name for name in names if where(name)[0].suffix == ".go"]
    return {**_python([name for name in names if name not in go], day), **_go(go, day)}


def _python(names: list[str], day: str) -> dict[str, Result]:
    if not names:
        return {}
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report}"]
        subprocess.run([*command, *(f"tests/{name}" for name in names)], cwd=ROOT, check=False)  # noqa: S603 - our own tests
        found = report.read_text(encoding="utf-8") if report.is_file() else "<testsuites/>"
    return summed(names, outcomes(found), day)


def outcomes(junit: str) -> Iterator[tuple[str, str]]:
    """Yield name and outcome of each case in a report of pytest."""
    for case in ElementTree.fromstring(junit).iter("testcase"):  # noqa: S314 - a report of ours
        file = case.get("file") or case.get("classname", "").replace(".", "/") + ".py"
        inside = re.search(r"\.(Test\w+)$", case.get("classname", ""))
        parts = [file.removeprefix("tests/"), case.get("name", "").partition("[")[0]]
        name = "::".join([parts[0], inside[1], parts[1]] if inside else parts)
        kinds = {child.tag for child in case}
        if kinds & {"failure", "error"}:
            yield name, "failed"
        else:
            yield name, "skipped" if "skipped" in kinds else "passed"


def summed(names: Iterable[str], cases: Iterable[tuple[str, str]], day: str) -> dict[str, Result]:
    """One result a test. A test without a case, as where collecting broke off, has failed."""
    seen: dict[str, Counter[str]] = {name: Counter() for name in names}
    for name, outcome in cases:
        if name in seen:
            seen[name][outcome] += 1
    found: dict[str, Result] = {}
    for name, counted in seen.items():
        # Some cases are skipped where a program is missing: then those that ran count.
        order = ("failed", "passed", "skipped")
        outcome = next((one for one in order if counted[one]), "failed")
        found[name] = Result(counted.total(), outcome, day)
    return found


def _go(names: list[str], day: str) -> dict[str, Result]:
    modules: dict[Path, list[str]] = {}
    for name in names:
        file, _ = where(name)
        module = next(folder for folder in file.parents if (folder / "go.mod").is_file())
        modules.setdefault(module, []).append(name)
    found: dict[str, Result] = {}
    for module, wanted in modules.items():
        functions = "|".join(where(name)[1] for name in wanted)
        ran = subprocess.run(  # noqa: S603 - our own tests
            ["go", "test", "-mod=readonly", "-count=1", "-json", f"-run=^({functions})$", "./..."],  # noqa: S607
            cwd=module,
            capture_output=True,
            text=True,
            timeout=GO_TIMEOUT_S,
            check=False,
        )
        outcome = {
            event["Test"]: {"pass": "passed", "skip": "skipped"}.get(event["Action"], "failed")
            for event in map(json.loads, ran.stdout.splitlines())
            if event.get("Test") and event["Action"] in {"pass", "fail", "skip"}
        }
        for name in wanted:
            found[name] = Result(1, outcome.get(where(name)[1], "failed"), day)
    return found


def machine() -> str:
    """What the tests ran on, with versions."""
    env = (ROOT / ".env").read_text(encoding="utf-8")
    images = re.findall(r"^\w+_IMAGE=([^\s@]+)", env, re.MULTILINE)
    parts = [
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        f"Python {platform.python_version()}",
        _said("go", "env", "GOVERSION").replace("go", "Go ", 1),
        f"Docker {_said('docker', 'version', '--format', '{{.Server.Version}}')}",
    ]
    parts += sorted(image.rpartition("/")[2].replace(":", " ") for image in images if ":" in image)
    return ", ".join(part for part in parts if not part.endswith(" "))


def _said(*command: str) -> str:
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603
    except FileNotFoundError:
        return ""
    return ran.stdout.strip()


def written(page: str, found: Mapping[str, Result], on: str) -> str:
    """The page with these results, those of tests that it does not name any more left out."""
    names = named(page)
    counted = Counter(found[name].outcome if name in found else "not run" for name in names)
    said = ", ".join(f"{number} {outcome}" for outcome, number in sorted(counted.items()))
    lines = [f"{len(names)} tests: {said}. On {on}.\n", "\n"]
    lines += ["| test | cases | result | on |\n", "| --- | --- | --- | --- |\n"]
    for name in names:
        if one := found.get(name):
            lines.append(f"| `{name}` | {one.cases} | {one.outcome} | {one.day} |\n")
    return MARK.sub(lambda marks: f"{marks[1]}{''.join(lines)}{marks[2]}", page)


def main(arguments: list[str]) -> int:
    """Run what is asked for and write the page."""
    page = PAGE.read_text(encoding="utf-8")
    names = named(page)
    if gone := [name for name in names if not exists(name)]:
        sys.stderr.write("".join(f"{PAGE}: there is no test {name}\n" for name in gone))
        return 1
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    if arguments[:1] == ["--from"]:
        [file] = arguments[1:]
        cases = list(outcomes(Path(file).read_text(encoding="utf-8")))
        there = {name for name, _ in cases}
        chosen = [name for name in names if name in there]
        return _record(summed(chosen, cases, day))
    if arguments == ["--missing"]:
        known = results(page)
        chosen = [name for name in names if name not in known]
    else:
        chosen = [name for name in names if all(word in name for word in arguments)]
    return _record(run(chosen, day))


def _record(found: Mapping[str, Result]) -> int:
    # Read now: the run took a while, and somebody may have edited the page.
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(written(page, {**results(page), **found}, machine()), encoding="utf-8")
    failed = [name for name, one in found.items() if one.outcome == "failed"]
    sys.stderr.write("".join(f"failed: {name}\n" for name in failed))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
