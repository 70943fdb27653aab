"""The view: what rules see of a text."""

import re
import unicodedata
from pathlib import Path

import pytest

from glasshouse.redaction.edits import Edit, spliced
from glasshouse.redaction.fold import fold
from glasshouse.redaction.folding import DECIMAL_ZEROS, FOLDED, FULL_WIDTH, LOOK_ALIKES

GO_TABLE = Path(__file__).parents[3] / "collector/piiprocessor/engine/foldtable.go"


@pytest.mark.parametrize(
    ("text", "view"),
    [
        (r"a\nb\\tc\\\\rd", "a\nb\tc\rd"),
        ("\\" * 8 + "n", "\n"),
        (r"\x41\u0042\u00e9\xc3\xa9\xc3", r"ABéé\xc3"),
        (r"\ud83d\ude00 \ud83d \\ud83d\ude00", "\U0001f600 \ufffd \ufffd\ufffd"),
        (r"\x1b[31m|\033[0m|\e[K|\\u001b[1m|#033[0m|\x1b", " | | | | |\x1b"),
        ("\x1b[1;31mred\x1b[0m", " red "),
        ("#011#012#015#013#0", "\t\n\r#013#0"),
        ("%40%2540%c3%a9%c3|100%25", "@@é%c3|100%"),
        ("&#64;&#x40;&commat;&amp;#64;&amp;&none;a&shy;b", "@@@@&&none;ab"),
        ("٤٥६७\U0001d7ce\U0001d7d7", "456709"),
        ("a\u00a0b\u2003c\u3000d\u2011e\u2212f", "a b c d-e-f"),
        ("a。b。中。c\uff61\u200bd 第。", "a.b。中。c\uff61d 第。"),
    ],
)
def test_view(text: str, view: str) -> None:
    found = fold(text.encode())
    assert found is not None
    assert found.text.decode() == view


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain = text: 1",
        "中文 é ő naïve",
        "%d %2 %zz 5%",
        "C:\\dir",
        "&x; &#0;",
        "\\" * 9 + "n",
    ],
)
def test_a_text_without_atoms_is_its_own_view(text: str) -> None:
    assert fold(text.encode()) is None


def test_edits_take_whole_atoms_and_leave_what_stands_beside() -> None:
    text = "a\\u00e9\u200b1\u200b2\u200bz".encode()
    view = fold(text)
    assert view is not None
    assert view.text.decode() == "aé12z"
    edits = view.back([Edit(2, 5, b"[x]")])  # the second byte of é, to 2
    assert spliced(text, edits).decode() == "a[x]\u200bz"


def test_each_digit_space_and_dash_of_unicode_folds() -> None:
    for code in range(0x80, 0x110000):
        character = chr(code)
        match unicodedata.category(character):
            case "Nd":
                assert FOLDED[character] == str(unicodedata.digit(character)), hex(code)
            case "Zs":
                assert FOLDED[character] == " ", hex(code)
            case "Pd":
                assert FOLDED[character] == "-", hex(code)
            case category:
                is_letter = category.startswith("L") and code not in FULL_WIDTH
                assert not (is_letter and character in FOLDED), hex(code)


def test_the_collectors_table_has_the_same_digits() -> None:
    text = GO_TABLE.read_text(encoding="utf-8")
    listed = text.split("var decimalZeros = []rune{", 1)[1].split("}", 1)[0]
    assert [int(code, 16) for code in listed.replace(",", " ").split()] == list(DECIMAL_ZEROS)


def test_the_collectors_table_has_the_same_look_alikes() -> None:
    text = GO_TABLE.read_text(encoding="utf-8").split("var lookAlikes", 1)[1].split("\n}\n", 1)[0]
    escapes = {"'\\n'": "'\n'", "gone": "''"}
    rows = re.findall(r"\{(0x[0-9a-f]+), (0x[0-9a-f]+), ('\\n'|'.'|gone)\}", text)
    listed = [
        (int(first, 16), int(last, 16), (escapes.get(read) or read)[1:-1])
        for first, last, read in rows
    ]
    assert listed == list(LOOK_ALIKES)
