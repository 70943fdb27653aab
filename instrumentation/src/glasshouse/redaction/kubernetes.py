"""Manifests of Kubernetes in YAML whose kind is Secret."""

import re
from typing import Final

# How far before and after its data the kind of an object is looked for, in bytes.
KIND_WINDOW: Final = 4096

_KIND: Final = re.compile(rb"kind:([^\n]*)")
_NEXT_DOCUMENT: Final = b"\n---"


def kubernetes_secret(text: bytes, start: int, end: int) -> int | None:
    """Move the end of a hit, which begins the line after ``data:``, to that of its lines."""
    head = text.rfind(b"\n", 0, start - 1) + 1
    if not text[head:start].lstrip(b" \t-").startswith((b"data:", b"stringData:")):
        return None
    if text[start] != 0x7B:
        end = _block_end(text, start)
    if end <= start:
        return None
    before = text[max(0, start - KIND_WINDOW) : start]
    before = before[max(0, before.rfind(_NEXT_DOCUMENT)) :]
    after = text[end : end + KIND_WINDOW].partition(_NEXT_DOCUMENT)[0]
    return end if _is_secret(before) or _is_secret(after) else None


def _block_end(text: bytes, start: int) -> int:
    """Return the end of the lines that are indented deeper than the line before them."""
    head = text.rfind(b"\n", 0, start - 1) + 1
    indent = _indent(text[head:start])
    kept = at = start
    while at < len(text):
        stop = text.find(b"\n", at)
        stop = len(text) if stop < 0 else stop
        line = text[at:stop].rstrip(b"\r \t")
        if line and _indent(line) <= indent:
            break
        if line:
            kept = at + len(line)
        at = stop + 1
    return kept


def _indent(line: bytes) -> int:
    return len(line) - len(line.lstrip(b" \t"))


def _is_secret(text: bytes) -> bool:
    return any(found[1].strip(b" \t\r\"',") == b"Secret" for found in _KIND.finditer(text))
