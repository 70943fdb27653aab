"""Ordinary logs of public projects: how many lines in a thousand are changed without a reason.

Two sources. Small samples lie in the checkout with their licences. Larger ones are test data of a
Go module, which Go's module proxy serves and whose checksum is pinned here; they are not kept.
"""

from __future__ import annotations

import ipaddress
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from glasshouse_bench.unseen.probes import Probe
from glasshouse_cli.process import run

REPORT = "logs"
MODULE = "github.com/grafana/loki/v3@v3.7.8"
CHECKSUM = "h1:bJ0WFWVOjgvG/jYmT9fIX15SYXXDwuEu/IMgTwMA97U="
FOLDER = "pkg/pattern/drain/testdata/"
MOST_LINES = 1500
MOST_BYTES = 2_000_000
DOWNLOAD_S = 300
# The samples have these in place of public addresses (RFC 5737, RFC 3849).
_DOCUMENTATION = [
    ipaddress.ip_network(network)
    for network in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
# Masks of what is personal, and goes by policy.
_RIGHT = re.compile(r"\[(?:ip:[0-9a-f.:]+\*|email:[0-9a-f]{16}|mac)\]")


class LogProbe(Probe):
    """A line. It holds if it is as it was but for addresses, which are masked by policy."""

    def holds(self, stored: Any) -> bool:
        if stored == self.text:
            return True
        pieces = _RIGHT.split(str(stored))
        if len(pieces) == 1:
            return False
        pattern = r"([0-9A-Za-z@%_+:.\-]+)".join(map(re.escape, pieces))
        found = re.fullmatch(pattern, self.text, re.DOTALL)
        return found is not None and all(map(_is_personal, found.groups()))


def _is_personal(value: str) -> bool:
    if "@" in value or re.fullmatch(r"(?:[0-9A-Fa-f]{2}[:-]){5,7}[0-9A-Fa-f]{2}", value):
        return True
    try:
        address = ipaddress.ip_address(value.partition("%")[0])
    except ValueError:
        return False
    return not address.is_private or any(
        address in network for network in _DOCUMENTATION if network.version == address.version
    )


def samples(root: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield format and lines of each sample in the checkout."""
    for path in sorted((root / "tests" / "data" / "logs").glob("*.log")):
        yield path.stem, _lines(path.read_text(encoding="utf-8", errors="replace"))


def module_samples() -> Iterator[tuple[str, list[str]]]:
    """Yield format and lines of each sample of the Go module; download it where it is missing.

    Raises OSError when it cannot be downloaded or is another than the pinned one.
    """
    done = run(["go", "mod", "download", "-json", MODULE], timeout=DOWNLOAD_S)
    document: dict[str, str] = json.loads(done.out or "{}")
    if "Zip" not in document:
        reason = document.get("Error") or done.last_line
        raise OSError(f"{MODULE} cannot be downloaded: {reason}")
    if document["Sum"] != CHECKSUM:
        raise OSError(f"{MODULE} has the checksum {document['Sum']}, {CHECKSUM} is pinned")
    with zipfile.ZipFile(document["Zip"]) as archive:
        for name in sorted(archive.namelist()):
            _, inside, file = name.partition(FOLDER)
            if inside and file.endswith(".txt"):
                with archive.open(name) as stream:
                    text = stream.read(MOST_BYTES).decode("utf-8", "replace")
                yield file.removesuffix(".txt"), _lines(text)


def _lines(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()][:MOST_LINES]


def probes(formats: dict[str, list[str]]) -> Iterator[Probe]:
    """Yield every line of every format."""
    for name, lines in formats.items():
        for line in lines:
            yield LogProbe(report=REPORT, group=name, label="lines", text=line)
