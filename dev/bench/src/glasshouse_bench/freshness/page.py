"""What docs/performance.md says of freshness: what lies between the marker's two lines."""

from __future__ import annotations

from typing import Any

from glasshouse_bench import measured
from glasshouse_bench.freshness import figures
from glasshouse_bench.freshness.kinds import KINDS
from glasshouse_bench.measured import Document

HEAD = ("", "requests a minute", "p50", "p95", "p99", "most", "asked every", "goal", "")


def parts(document: Document) -> dict[str, str]:
    """Return the contents of the page's markers."""
    judged = figures.judged(document)
    met = sum(one.is_met for one in judged)
    lines = [" | ".join(HEAD), " | ".join("---" for _ in HEAD)]
    lines += [
        " | ".join(_row(document, run, kind.name))
        for kind in KINDS
        for run in _runs(document, kind.name)
    ]
    table = "".join(f"| {line} |\n" for line in lines)
    seeds = ", ".join(
        f"{run['seed']} at {run['requests_per_minute']:,}" for run in document["runs"]
    )
    settings = document["settings"]
    more = [
        f"Samples of each kind and load: {settings['samples']}, at random moments "
        f"{settings['spacing_s']} s apart on average. Seeds: {seeds} requests a minute.",
        "Requests that were sent: "
        + ", ".join(f"{one['sent_per_minute']:,.0f} a minute" for one in document["runs"])
        + f", {sum(one['requests_failed'] for one in document['runs'])} failed.",
    ]
    return {
        "freshness": f"{measured.doubt(document)}{met} of {len(judged)} goals are met. Seconds.\n\n"
        f"{table}\n{measured.where(document, more)}"
    }


def _runs(document: Document, kind: str) -> list[Document]:
    return [run for run in document["runs"] if kind in run["kinds"]]


def _row(document: Document, run: Document, name: str) -> list[str]:
    [kind] = [one for one in KINDS if one.name == name]
    found: dict[str, Any] = run["kinds"][name]
    lost = f", **{found['lost']} lost**" if found["lost"] else ""
    goals = [
        one
        for one in figures.judged(document)
        if (one.kind, one.per_minute) == (name, run["requests_per_minute"])
    ]
    missed = [f"p{one.percentile}" for one in goals if not one.is_met]
    return [
        kind.title,
        f"{run['requests_per_minute']:,}",
        *(_seconds(found, f"p{share}_s") for share in figures.PERCENTILES),
        _seconds(found, "most_s") + lost,
        _seconds(found, "grain_p50_s"),
        ", ".join(f"p{one.percentile} {one.wanted_s:g}" for one in goals),
        f"**missed: {', '.join(missed)}**" if missed else "met",
    ]


def _seconds(found: Document, key: str) -> str:
    return f"{found[key]:.2f}" if key in found else "-"
