"""Which licence a text is, and what may be shipped under it."""

from pathlib import Path

import pytest

from glasshouse_cli.supply import licences, notices
from glasshouse_cli.supply.parts import Part

MIT = """\
Permission is hereby granted, free of charge, to any person obtaining a copy
of this software, to deal in it without restriction.
{notice}THE SOFTWARE IS PROVIDED "AS IS".
"""
NOTICE = "The above copyright notice and this permission notice\nshall be included.\n"
BSD = """\
Redistribution and use in source and binary forms, with or without
modification, are permitted.
"""
MPL = """\
Mozilla Public License Version 2.0
1.12. "Secondary License" means either the GNU General Public License, Version 2.0,
or the GNU Affero General Public License, Version 3.0.
"""
TEXTS = {
    "Apache-2.0": "Apache License\n   Version 2.0, January 2004\n",
    "MIT": MIT.format(notice=NOTICE),
    "MIT-0": MIT.format(notice=""),
    "BSD-2-Clause": BSD,
    "BSD-3-Clause": BSD + "Neither the name may be used to endorse or\n * promote products.",
    "BSD-4-Clause": BSD + "All advertising materials mentioning features must display it.",
    "ISC": "Permission to use, copy, modify, and/or distribute this software is granted, provided"
    " that the above copyright notice appears.",
    "0BSD": "Permission to use, copy, modify, and/or distribute this software is granted.",
    "MPL-2.0": MPL,
    "Unlicense": "This is free and unencumbered software released into the public domain.",
    "GPL-3.0": "  GNU GENERAL PUBLIC LICENSE\n    Version 3, 29 June 2007\n",
    "GPL-2": "GNU GENERAL PUBLIC LICENSE\nVersion 2, June 1991\n",
    "LGPL-3": "GNU LESSER GENERAL PUBLIC LICENSE\nVersion 3\nexcept the GNU GPL and this License",
    "AGPL-3": "GNU AFFERO GENERAL PUBLIC LICENSE\n   Version 3, 19 November 2007\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_recognised(name: str) -> None:
    expected = name.removesuffix(".0") if name.startswith("GPL") else name
    assert licences.identify(TEXTS[name]) == {expected}


def test_all_licences_of_a_source_tree_count(tmp_path: Path) -> None:
    (tmp_path / "LICENSE").write_text(TEXTS["Apache-2.0"])
    (tmp_path / "COPYING.txt").write_text(TEXTS["MIT"])
    (tmp_path / "README").write_text(TEXTS["AGPL-3"])
    assert licences.of_folder(tmp_path) == "Apache-2.0 AND MIT"
    assert licences.of_folder(tmp_path / "missing") == ""


@pytest.mark.parametrize(
    ("name", "expression", "allowed"),
    [
        ("a", "MIT", True),
        ("a", "Apache-2.0 OR GPL-3.0-only", True),
        ("a", "Apache-2.0 AND GPL-3.0-only", False),
        ("a", "(GPL-2.0-only OR MIT) AND BSD-3-Clause", True),
        ("a", "MIT AND (GPL-2.0-only OR AGPL-3.0-only)", False),
        ("a", "AGPL-3.0-only", False),
        ("a", "LGPL-3.0-only", False),
        ("psycopg", "LGPL-3.0-only", True),
        ("psycopg", "GPL-3.0-only", False),
    ],
)
def test_what_may_be_shipped(name: str, expression: str, allowed: bool) -> None:
    assert licences.is_allowed(name, expression) is allowed


@pytest.mark.parametrize("text", ["", "MIT AND", "(MIT", "MIT)", "MIT MIT", "AND MIT"])
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a: "):
        licences.is_allowed("a", text)


def test_a_part_that_may_not_be_shipped_is_named() -> None:
    found = [
        Part(kind="golang", name="example.org/kept", version="v1", licence="MIT"),
        Part(kind="golang", name="example.org/agpl", version="v2", licence="AGPL-3"),
        Part(kind="pypi", name="silent", version="3"),
    ]
    assert list(notices.unlicensed(found)) == [
        "example.org/agpl v2 is under AGPL-3, which may not be shipped:"
        " replace it, or say in licences.py why it may",
        "silent 3: no licence found in its files, extend licences.py",
    ]


def test_older_metadata_is_read() -> None:
    classifiers = ["License :: OSI Approved :: MIT License", "Topic :: Utilities"]
    assert licences.stated("", classifiers) == "MIT"
    assert licences.stated("3-Clause BSD License", []) == "BSD-3-Clause"
    # Two licences of this family differ: the text has to say which.
    assert licences.stated("", ["License :: OSI Approved :: BSD License"]) == ""


def test_an_exception_makes_another_licence() -> None:
    assert licences.is_allowed("a", "Apache-2.0 WITH LLVM-exception")
    assert licences.is_allowed("a", "Apache-2.0 WITH LLVM-exception AND (MIT OR GPL-3.0-only)")
    assert not licences.is_allowed("a", "GPL-2.0-only WITH Classpath-exception-2.0")
    assert not licences.is_allowed("a", "MIT WITH")
