"""Which licence a text is, and which licences may be in what is shipped."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import Distribution
from pathlib import Path
from typing import Final

# Why each may be there. What is not in the table may not be shipped.
ALLOWED: Final[Mapping[str, str]] = {
    "0BSD": "permissive",
    "Apache-2.0": "permissive; our own",
    "Apache-2.0 WITH LLVM-exception": "permissive; a permission more than Apache-2.0",
    "BSD-2-Clause": "permissive",
    "BSD-3-Clause": "permissive",
    "CC0-1.0": "public domain",
    "ISC": "permissive",
    "MIT": "permissive",
    "MIT-0": "permissive",
    "MPL-2.0": "copyleft for its own files only; they are unmodified",
    "PSF-2.0": "permissive",
    "Unicode-3.0": "permissive",
    "Unlicense": "public domain",
    "Zlib": "permissive",
}
# Copyleft for a library: allowed for these packages only, because they are separate,
# unmodified packages that whoever has the image can replace.
LIBRARIES: Final[Mapping[str, frozenset[str]]] = {
    "LGPL-3.0-only": frozenset({"psycopg", "psycopg-binary", "psycopg-pool"}),
}

_WORDS: Final = frozenset({"AND", "OR", "WITH"})
_GRANTS: Final[Mapping[str, str]] = {
    "Apache-2.0": r"apache license,? version 2\.0|apache\.org/licenses/license-2\.0",
    "MPL-2.0": r"mozilla public license,? (?:version|v\.) ?2\.0",
    "Unlicense": r"this is free and unencumbered software released into the public domain",
    "CC0-1.0": r"cc0 1\.0 universal",
    "Zlib": r"the origin of this software must not be misrepresented",
    "PSF-2.0": r"python software foundation license version 2",
}
# As a title, on a line of its own: other licences mention them in a sentence.
_GNU: Final = re.compile(
    r"^\W*gnu (?P<kind>affero |lesser |library )?general public license\W*"
    r"(?:\n\W*)?(?:version (?P<version>[0-9.]+))?",
    re.IGNORECASE | re.MULTILINE,
)
_GNU_NAMES: Final = {"affero": "AGPL", "lesser": "LGPL", "library": "LGPL", "": "GPL"}
_FILES: Final = re.compile(r"(?i)(?:un)?licen[sc]e|copying")
_MIT: Final = "permission is hereby granted, free of charge, to any person obtaining"
_NOTICE: Final = r"the above copyright notice(?:s)? and this permission notice"
_ISC: Final = r"permission to use, copy, modify,? (?:and or|and) distribute this software"
_BSD: Final = "redistribution and use in source and binary forms"
_CLASSIFIERS: Final[Mapping[str, str]] = {
    "Apache Software License": "Apache-2.0",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
_SHORT: Final[Mapping[str, str]] = {
    "apache 2.0": "Apache-2.0",
    "apache-2.0": "Apache-2.0",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "mit": "MIT",
    "mit license": "MIT",
    "mpl-2.0": "MPL-2.0",
}


def identify(text: str) -> set[str]:
    """The SPDX ids of the licences in a text; empty when none is known."""
    flat = re.sub(r"[\s#*/]+", " ", text.lower())
    found = {name for name, phrase in _GRANTS.items() if re.search(phrase, flat)}
    if "apache license" in flat and "version 2.0, january 2004" in flat:
        found.add("Apache-2.0")
    if _MIT in flat:
        found.add("MIT" if re.search(_NOTICE, flat) else "MIT-0")
    if re.search(_ISC, flat):
        found.add("ISC" if "above copyright notice" in flat else "0BSD")
    if _BSD in flat:
        if "all advertising materials mentioning" in flat:
            found.add("BSD-4-Clause")
        elif re.search(r"endorse or promote", flat):
            found.add("BSD-3-Clause")
        else:
            found.add("BSD-2-Clause")
    for title in _GNU.finditer(text):
        kind = _GNU_NAMES[(title["kind"] or "").strip().lower()]
        found.add(f"{kind}-{title['version'] or '?'}")
    return found


def of_folder(folder: Path) -> str:
    """The licences in the files at the top of a source tree, joined by AND; empty if unknown."""
    found: set[str] = set()
    for file in sorted(folder.iterdir()) if folder.is_dir() else ():
        if file.is_file() and _FILES.match(file.name):
            found |= identify(file.read_text(encoding="utf-8", errors="replace"))
    return " AND ".join(sorted(found))


def of_distribution(found: Distribution) -> str:
    """The licence that a Python package states, else that of its licence files."""
    data = found.metadata
    if "License-Expression" in data:
        return data["License-Expression"]
    texts: set[str] = set()
    for file in found.files or ():
        if ".dist-info/" in str(file) and _FILES.match(file.name):
            path = Path(str(found.locate_file(file)))
            if path.is_file():
                texts |= identify(path.read_text(encoding="utf-8", errors="replace"))
    if texts:
        return " AND ".join(sorted(texts))
    short = str(data["License"]) if "License" in data else ""
    return stated(short, data.get_all("Classifier", []))


def stated(short: str, classifiers: Iterable[str]) -> str:
    """The licence that the older fields of a package's metadata name; empty if none is clear."""
    if known := _SHORT.get(short.strip().lower()):
        return known
    names = [line.rpartition(" :: ")[2] for line in classifiers if line.startswith("License")]
    return " OR ".join(sorted({_CLASSIFIERS[name] for name in names if name in _CLASSIFIERS}))


def is_allowed(name: str, expression: str) -> bool:
    """Whether the package `name` may be shipped under an SPDX expression.

    One side of an OR is enough, each of an AND is needed. Raises ValueError for what is no
    expression.
    """
    tokens = iter([*re.findall(r"\(|\)|[\w.+?-]+", expression), ""])
    allowed, rest = _either(name, next(tokens), tokens)
    if rest:
        raise ValueError(f"{name}: not an SPDX expression: {expression!r}")
    return allowed


def _either(name: str, token: str, tokens: Iterator[str]) -> tuple[bool, str]:
    allowed, token = _each(name, token, tokens)
    while token == "OR":  # noqa: S105  # a word of the expression
        other, token = _each(name, next(tokens, ""), tokens)
        allowed = allowed or other
    return allowed, token


def _each(name: str, token: str, tokens: Iterator[str]) -> tuple[bool, str]:
    allowed, token = _one(name, token, tokens)
    while token == "AND":  # noqa: S105  # a word of the expression
        other, token = _one(name, next(tokens, ""), tokens)
        allowed = allowed and other
    return allowed, token


def _one(name: str, token: str, tokens: Iterator[str]) -> tuple[bool, str]:
    if token == "(":  # noqa: S105  # a sign of the expression
        allowed, token = _either(name, next(tokens, ""), tokens)
        if token != ")":  # noqa: S105  # a sign of the expression
            raise ValueError(f"{name}: a parenthesis is not closed")
        return allowed, next(tokens, "")
    if not re.fullmatch(r"[\w.+?-]+", token) or token in _WORDS:
        raise ValueError(f"{name}: {token!r} is no licence")
    following = next(tokens, "")
    if following == "WITH":
        # An exception makes another licence of it.
        token, following = f"{token} WITH {next(tokens, '')}", next(tokens, "")
    return token in ALLOWED or name in LIBRARIES.get(token, ()), following
