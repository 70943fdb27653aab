"""Asks OSV which locked versions have known vulnerabilities, and Go's tool which are reached."""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Final

import httpx

from glasshouse_cli.errors import StackError
from glasshouse_cli.process import run
from glasshouse_cli.supply.parts import Part

OSV: Final = "https://api.osv.dev"
GO_DATABASE: Final = "https://vuln.go.dev"
ACCEPTED: Final = Path("dev", "audit", "accepted.toml")
TOOLS: Final = Path("dev", "audit")
_ECOSYSTEMS: Final = {"pypi": "PyPI", "golang": "Go", "cargo": "crates.io", "deb": "Debian"}
_BATCH: Final = 500
_TIMEOUT_S: Final = 20.0
_GO_TIMEOUT_S: Final = 1800.0


class Unreachable(Exception):
    """A service of advisories does not answer; the text says which and why."""


@dataclass(frozen=True, kw_only=True, order=True)
class Advisory:
    """One known vulnerability of one locked package. fixed: the first version without it."""

    package: str
    version: str
    name: str
    summary: str = ""
    fixed: str = ""

    @property
    def line(self) -> str:
        """For people."""
        fix = f"; fixed in {self.fixed}" if self.fixed else "; no fix is known"
        about = f": {self.summary}" if self.summary else ""
        return f"{self.package} {self.version}: {self.name}{about}{fix}"


def known(
    found: Sequence[Part], *, osv: str = OSV, transport: httpx.BaseTransport | None = None
) -> list[Advisory]:
    """The advisories that OSV has for the packages. Raises Unreachable."""
    advisories: set[Advisory] = set()
    try:
        with httpx.Client(base_url=osv, timeout=_TIMEOUT_S, transport=transport) as client:
            for start in range(0, len(found), _BATCH):
                batch = found[start : start + _BATCH]
                for part, names in zip(batch, _ids(client, batch), strict=True):
                    advisories.update(_advisory(client, part, name) for name in names)
    except httpx.HTTPError as error:
        raise Unreachable(f"{osv} does not answer: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unreachable(f"{osv} answers something else: {error!r}") from error
    return sorted(advisories)


def _ids(client: httpx.Client, batch: Sequence[Part]) -> list[list[str]]:
    ids: list[list[str]] = [[] for _ in batch]
    waiting: list[tuple[int, dict[str, Any]]] = [
        (at, question(part)) for at, part in enumerate(batch)
    ]
    while waiting:
        answer = client.post("/v1/querybatch", json={"queries": [query for _, query in waiting]})
        results = answer.raise_for_status().json()["results"]
        further: list[tuple[int, dict[str, Any]]] = []
        for (at, query), result in zip(waiting, results, strict=True):
            ids[at] += [one["id"] for one in result.get("vulns", ())]
            if token := result.get("next_page_token"):
                further.append((at, {**query, "page_token": token}))
        waiting = further
    return ids


def question(part: Part) -> dict[str, Any]:
    """What OSV is asked of one package."""
    # OSV has Go's versions without the letter.
    version = part.version.removeprefix("v") if part.kind == "golang" else part.version
    return {"package": {"name": part.name, "ecosystem": _ECOSYSTEMS[part.kind]}, "version": version}


def _advisory(client: httpx.Client, part: Part, name: str) -> Advisory:
    data = client.get(f"/v1/vulns/{name}").raise_for_status().json()
    summary = str(data.get("summary") or data.get("details") or "").partition("\n")[0][:200]
    fixed = [
        event["fixed"]
        for affected in data.get("affected", ())
        if affected.get("package", {}).get("name", "").lower() == part.name.lower()
        for reach in affected.get("ranges", ())
        for event in reach.get("events", ())
        if "fixed" in event
    ]
    return Advisory(
        package=part.name,
        version=part.version,
        name=name,
        summary="".join(letter for letter in summary if letter.isprintable()),
        fixed=fixed[-1] if fixed else "",
    )


def reached(root: Path, module: Path, state: Path, *, database: str = GO_DATABASE) -> list[str]:
    """The vulnerabilities in functions that a Go module's program calls, by Go's govulncheck.

    Raises Unreachable when Go's database does not answer or the tool cannot be had.
    """
    if database.startswith("http"):
        try:
            answer = httpx.get(f"{database}/index/db.json", timeout=_TIMEOUT_S)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise Unreachable(f"{database} does not answer: {error}") from error
    if shutil.which("go") is None:
        raise Unreachable("Go is not installed")
    program = state / "bin" / "govulncheck"
    made = run(
        ["go", "build", "-mod=readonly", "-o", str(program), "golang.org/x/vuln/cmd/govulncheck"],
        timeout=_GO_TIMEOUT_S,
        cwd=root / TOOLS,
    )
    if not made.ok:
        raise Unreachable(f"govulncheck cannot be compiled: {made.last_line}")
    checked = run(
        [str(program), "-db", database, "-format", "json", "./..."],
        timeout=_GO_TIMEOUT_S,
        cwd=root / module,
    )
    if not checked.ok:
        raise Unreachable(f"govulncheck: {checked.last_line}")
    return sorted(set(called(checked.out)))


def called(text: str) -> Iterator[str]:
    """Yield a line for each finding of govulncheck's output whose function is called."""
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        message, at = decoder.raw_decode(text, at)
        finding = message.get("finding")
        trace = finding.get("trace", []) if finding else []
        if trace and trace[0].get("function"):
            fixed = finding.get("fixed_version") or "no version"
            yield f"{trace[0]['module']}: {finding['osv']} is called; fixed in {fixed}"


def accepted(root: Path, today: date) -> dict[str, str]:
    """Name -> reason of the advisories that somebody has judged, and whose date is not past.

    Raises StackError when the file cannot be read, or an entry lacks `id`, `why` or `until`.
    """
    file = root / ACCEPTED
    if not file.is_file():
        return {}
    try:
        entries = tomllib.loads(file.read_text(encoding="utf-8")).get("accepted", [])
        return {one["id"]: one["why"] for one in entries if one["until"] >= today}
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise StackError(f"{file}: each [[accepted]] needs id, why and until: {error}") from error
