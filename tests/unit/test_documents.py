"""What Markdown, workflows and messages refer to is there: files, headings, targets of make."""

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^(?P<mark>```+|~~~+).*?^(?P=mark)\s*$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`[^`\n]+`")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
# The targets in a command, of which there may be several, before its variables.
MAKE = re.compile(r"(?<![\w-])make((?: +[a-z][a-z-]*(?![\w/.=:-]))+)")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
TARGETS = set(TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))


def tracked(*patterns: str) -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    # A file that was deleted, and not yet committed, is listed, too.
    return sorted(name for name in set(listed.stdout.splitlines()) if (ROOT / name).is_file())


MARKDOWN = tracked("*.md")
COMMANDS = [*tracked(".github/workflows/*.yml"), ".ci/run", ".pre-commit-config.yaml"]
SOURCES = tracked("*.py", "*.go", "*.yaml", "*.toml", "*.env", ".env", "Makefile")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """Without code, in which brackets are no links."""
    return SPAN.sub("", FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """The ids that GitHub gives the headings of a page."""
    found: dict[str, int] = {}
    ids: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        shown = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).replace("`", "")
        slug = re.sub(r"[^\w\- ]", "", shown.lower()).replace(" ", "-")
        number = found.get(slug, 0)
        found[slug] = number + 1
        ids.add(f"{slug}-{number}" if number else slug)
    return ids


def made(text: str) -> set[str]:
    return {word for words in MAKE.findall(text) for word in words.split()}


def test_there_is_something_to_check() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md"} <= set(MARKDOWN)
    assert {"up", "test", "check"} <= TARGETS
    command = "make check test-unit ARGS=1, make: a; remake x; make up"
    assert made(command) == {"check", "test-unit", "up"}


@pytest.mark.parametrize("file", MARKDOWN)
def test_each_link_leads_somewhere(file: str) -> None:
    broken: list[str] = []
    for link in LINK.findall(prose(read(file))):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = (ROOT / file).parent / path if path else ROOT / file
        if not target.resolve().is_relative_to(ROOT) or not target.exists():
            broken.append(f"{link}: no such file")
            continue
        pages = target.suffix == ".md" and anchor
        if pages and anchor not in anchors(target.read_text(encoding="utf-8")):
            broken.append(f"{link}: no such heading")
    assert broken == []


@pytest.mark.parametrize("file", MARKDOWN)
def test_each_make_command_in_a_document_has_a_target(file: str) -> None:
    text = read(file)
    code = [match.group(0) for match in FENCE.finditer(text)]
    code += SPAN.findall(FENCE.sub("", text))
    assert made("\n".join(code)) - TARGETS == set()


@pytest.mark.parametrize("file", COMMANDS)
def test_each_make_command_that_is_run_has_a_target(file: str) -> None:
    lines = [line for line in read(file).splitlines() if not line.lstrip().startswith("#")]
    assert made("\n".join(lines)) - TARGETS == set()


def test_each_make_command_in_a_message_or_comment_has_a_target() -> None:
    wrong = {
        name: unknown
        for name in SOURCES
        if (unknown := made("\n".join(SPAN.findall(read(name)))) - TARGETS)
    }
    assert wrong == {}


def test_every_target_is_phony_and_listed_by_help_or_internal() -> None:
    phony = re.findall(r"^\.PHONY: (.+)$", read("Makefile"), flags=re.MULTILINE)
    assert set(" ".join(phony).split()) == TARGETS


def test_each_action_of_a_workflow_is_pinned_to_a_commit() -> None:
    loose: list[str] = []
    for name in tracked(".github/workflows/*.yml"):
        for job in yaml.safe_load(read(name))["jobs"].values():
            uses = [step["uses"] for step in job.get("steps", []) if "uses" in step]
            loose += [one for one in uses if not re.search(r"@[0-9a-f]{40}$", one)]
    assert loose == []


def test_each_slow_test_is_listed() -> None:
    page = read("tests/README.md")
    slow = {
        name
        for file in tracked("tests/unit/*.py")
        for name in re.findall(
            r"@pytest\.mark\.slow\n(?:@[^\n]+\n)*(?:async )?def (\w+)", read(file)
        )
    }
    assert len(slow) == sum(
        read(file).count("@pytest.mark.slow\n") for file in tracked("tests/unit/*.py")
    )
    assert {name for name in slow if f"`{name}`" not in page} == set()
