"""The audit: what fails it, what passes, and that what was not checked is never green."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from glasshouse_cli import project
from glasshouse_cli.cli import app
from glasshouse_cli.errors import StackError
from glasshouse_cli.images import pin
from glasshouse_cli.supply import advisories, audit, notices, parts
from glasshouse_cli.supply.advisories import Unreachable
from glasshouse_cli.supply.audit import Row
from glasshouse_cli.supply.parts import Part
from support import http_server, ports

ROOT = Path(__file__).parents[3]
HASH = "sha256:" + "ab" * 32
LOCK = """\
version = 1

[[package]]
name = "app"
version = "0.1.0"
source = { editable = "." }

[[package]]
name = "good"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://example.org/good.whl", hash = "HASH" }]
"""
PARTS = [
    Part(kind="pypi", name="good", version="1.0"),
    Part(kind="golang", name="example.org/bad", version="v1.2.3"),
]


@dataclass
class Osv:
    """A service of advisories: package -> ids, and what was asked."""

    vulnerable: dict[str, list[str]]
    queries: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    garbage: bool = False

    @contextmanager
    def serving(self) -> Iterator[str]:
        osv = self

        class Service(http_server.Handler):
            def do_POST(self) -> None:
                asked = json.loads(self.body())["queries"]
                osv.queries += asked
                results = [osv.result(one) for one in asked]
                body = "<html>" if osv.garbage else json.dumps({"results": results})
                self.answer(body.encode())

            def do_GET(self) -> None:
                event = {"events": [{"introduced": "0"}, {"fixed": "1.2.4"}]}
                package = {"name": "example.org/bad"}
                found = {
                    "summary": "Reads \x1b[31mtoo much\nsecond line",
                    "affected": [{"package": package, "ranges": [event]}],
                }
                self.answer(json.dumps(found).encode())

        with http_server.serving(Service) as url:
            yield url

    def result(self, query: dict[str, Any]) -> dict[str, Any]:
        """One id a page, so that there are further pages."""
        ids = self.vulnerable.get(query["package"]["name"], [])
        at = int(query.get("page_token", 0))
        if at >= len(ids):
            return {}
        more = {"next_page_token": str(at + 1)} if at + 1 < len(ids) else {}
        return {"vulns": [{"id": ids[at]}], **more}


def test_advisories_are_found_on_every_page() -> None:
    osv = Osv({"example.org/bad": ["GO-1", "GO-2"]})
    with osv.serving() as url:
        found = advisories.known(PARTS, osv=url)
    assert [one.line for one in found] == [
        f"example.org/bad v1.2.3: {name}: Reads [31mtoo much; fixed in 1.2.4"
        for name in ("GO-1", "GO-2")
    ]
    assert osv.queries[:2] == [
        {"package": {"name": "good", "ecosystem": "PyPI"}, "version": "1.0"},
        {"package": {"name": "example.org/bad", "ecosystem": "Go"}, "version": "1.2.3"},
    ]


def test_no_advisory_is_none() -> None:
    with Osv({}).serving() as url:
        assert advisories.known(PARTS, osv=url) == []


def test_a_service_that_does_not_answer_is_no_clean_result() -> None:
    url = f"http://127.0.0.1:{ports.free(['osv'])['osv']}"
    with pytest.raises(Unreachable, match=f"{url} does not answer"):
        advisories.known(PARTS, osv=url)


def test_an_answer_that_cannot_be_read_is_no_clean_result() -> None:
    with Osv({}, garbage=True).serving() as url, pytest.raises(Unreachable, match="something else"):
        advisories.known(PARTS, osv=url)


def test_an_answer_for_fewer_packages_is_no_clean_result(monkeypatch: pytest.MonkeyPatch) -> None:
    class Short(http_server.Handler):
        def do_POST(self) -> None:
            self.body()
            self.answer(b'{"results": [{}]}')

    with http_server.serving(Short) as url, pytest.raises(Unreachable, match="something else"):
        advisories.known(PARTS, osv=url)


def rows(*statuses: audit.Status) -> list[Row]:
    return [Row(name=status, status=status, detail="") for status in statuses]


@pytest.mark.parametrize(
    ("found", "code"),
    [
        (rows("passed", "passed"), 0),
        (rows("passed", "not checked"), 3),
        (rows("failed", "not checked"), 1),
        (rows("passed", "failed"), 1),
    ],
)
def test_the_exit_code_says_what_was_not_checked(found: list[Row], code: int) -> None:
    assert audit.exit_code(found) == code


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """What needs no network is in order, and images are pinned."""

    def nothing(*_: object) -> list[str]:
        return []

    monkeypatch.setattr(pin, "unpinned", nothing)
    monkeypatch.setattr(notices, "unlicensed", nothing)
    monkeypatch.setattr(audit, "everything", lambda _: PARTS)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]


def closed() -> str:
    return f"http://127.0.0.1:{ports.free(['closed'])['closed']}"


@pytest.mark.usefixtures("clean")
def test_the_command_never_ends_green_when_nobody_answers() -> None:
    ran = CliRunner().invoke(app, ["audit", "--osv", closed(), "--go-database", closed()])
    assert ran.exit_code == 3, ran.output
    assert "NOT CHECKED: known vulnerabilities, Go code that is called." in ran.output
    assert "2 packages: http://127.0.0.1" in ran.output


@pytest.mark.usefixtures("clean")
def test_the_command_fails_for_a_known_vulnerability() -> None:
    with Osv({"example.org/bad": ["GO-1"]}).serving() as url:
        ran = CliRunner().invoke(app, ["audit", "--osv", url, "--go-database", closed()])
    assert ran.exit_code == 1, ran.output
    assert "known vulnerabilities: example.org/bad v1.2.3: GO-1: Reads" in ran.output


@pytest.mark.usefixtures("clean")
def test_the_command_ends_green_when_all_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: object, **__: object) -> list[str]:
        return []

    monkeypatch.setattr(advisories, "reached", nothing)
    with Osv({}).serving() as url:
        ran = CliRunner().invoke(app, ["audit", "--osv", url])
    assert ran.exit_code == 0, ran.output
    assert "NOT CHECKED" not in ran.output


def test_images_by_tag_fail_only_where_a_registry_could_say_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    checkout = project.load(ROOT)
    monkeypatch.setattr(pin, "unpinned", lambda *_: ["grafana/loki:3.7.8"])  # pyright: ignore

    def silent(_: str) -> str:
        raise StackError("nobody answers")

    def answers(_: str) -> str:
        return HASH

    with Osv({}).serving() as url:
        monkeypatch.setattr(pin, "digest_of", silent)
        unknown = row(audit.audit(checkout, osv=url, database=closed()), "images by digest")
        monkeypatch.setattr(pin, "digest_of", answers)
        known = row(audit.audit(checkout, osv=url, database=closed()), "images by digest")
    assert (unknown.status, known.status) == ("not checked", "failed")
    assert known.faults == ("grafana/loki:3.7.8 is named by tag: `glasshouse images --pin`",)


def row(found: list[Row], name: str) -> Row:
    return next(one for one in found if one.name == name)


def test_a_file_without_a_hash_is_named(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text(LOCK.replace("HASH", HASH))
    assert list(audit.unhashed(parts.lock(tmp_path))) == []
    other = tmp_path / "other"
    other.mkdir()
    (other / "uv.lock").write_text(LOCK.replace("HASH", "md5:12"))
    assert list(audit.unhashed(parts.lock(other))) == [
        "good: https://example.org/good.whl has no SHA-256 in uv.lock: `uv lock`"
    ]


def test_a_module_without_a_digest_is_named(tmp_path: Path) -> None:
    module = tmp_path / "collector" / "one"
    module.mkdir(parents=True)
    (module / "go.mod").write_text(
        "module example.org/one\n\nrequire example.org/a v1.0.0\n\nrequire (\n"
        "\texample.org/b v1.0.0 // indirect\n\tglasshouse.example/own v0.0.0\n"
        "\texample.org/c v1.0.0\n)\n\nreplace example.org/c => example.org/d v2.0.0\n"
        "replace glasshouse.example/own => ../own\n"
    )
    h1 = "h1:fharf/WhbRAVZ1du0QL7roNFxZ6T/sWr+4Ni617bwSI="
    (module / "go.sum").write_text(
        f"example.org/a v1.0.0/go.mod {h1}\nexample.org/b v1.0.0 {h1}\nexample.org/d v2.0.0 {h1}\n"
    )
    assert list(audit.unsummed(tmp_path)) == []
    (module / "go.sum").write_text(f"example.org/a v1.0.0 {h1}\nexample.org/d v2.0.0 h1:no\n")
    assert list(audit.unsummed(tmp_path)) == [
        f"collector/one: example.org/{name} is not in go.sum: `go mod tidy` there"
        for name in ("b v1.0.0", "d v2.0.0")
    ]


def test_the_lock_files_of_this_checkout_are_complete() -> None:
    assert len(audit.everything(ROOT)) > 1000
    assert list(audit.unhashed(parts.lock(ROOT))) == []
    assert list(audit.unsummed(ROOT)) == []


def test_an_accepted_advisory_counts_until_its_day(tmp_path: Path) -> None:
    file = tmp_path / advisories.ACCEPTED
    file.parent.mkdir(parents=True)
    file.write_text('[[accepted]]\nid = "GO-1"\nwhy = "not called"\nuntil = 2026-12-31\n')
    assert advisories.accepted(tmp_path, date(2026, 12, 31)) == {"GO-1": "not called"}
    assert advisories.accepted(tmp_path, date(2027, 1, 1)) == {}


@pytest.mark.parametrize("text", ['[[accepted]]\nid = "GO-1"\n', "x", "accepted = 1"])
def test_an_accepted_advisory_needs_a_reason_and_a_day(tmp_path: Path, text: str) -> None:
    file = tmp_path / advisories.ACCEPTED
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(StackError, match="needs id, why and until"):
        advisories.accepted(tmp_path, date(2026, 1, 1))


def test_only_functions_that_are_called_count() -> None:
    def finding(name: str, **place: str) -> dict[str, Any]:
        trace = [{"module": "example.org/m", **place}]
        return {"finding": {"osv": name, "fixed_version": "v2", "trace": trace}}

    messages = [
        {"config": {"protocol_version": "v1"}},
        finding("GO-1"),
        finding("GO-2", package="example.org/m/p"),
        finding("GO-3", package="example.org/m/p", function="Read"),
    ]
    text = "\n".join(json.dumps(one, indent=2) for one in messages)
    assert list(advisories.called(text)) == ["example.org/m: GO-3 is called; fixed in v2"]
