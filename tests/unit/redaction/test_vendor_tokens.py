"""The table of vendors' tokens: a row is all that a new vendor needs, in both engines."""

import json
import random
import re
import secrets
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from glasshouse.redaction import PolicyError, Redactor

ROOT = Path(__file__).parents[3]
MODULE = ROOT / "collector" / "piiprocessor"
POLICY = ROOT / "redaction" / "rules.yaml"
KEY = b"glasshouse-test-key-0123456789abcdef"
ROW = (
    '  - {vendor: acme, prefix: acme_, length: 40, alphabet: alnum, docs: "https://example.com"}\n'
)
TOKEN = "acme_0123456789abcdefghijABCDEFGHIJ0123456789"
COUNT = 4_000
CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
GLUE = (" ", "=", ": ", ' = "', "', '", "_token=", "Key: ", " := ", "/", "-", ".", "\n", "é", "[")


@pytest.fixture(scope="module")
def piiredact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("piiredact")
    (folder / "key").write_bytes(KEY)
    subprocess.run(
        ["go", "build", "-o", str(folder / "piiredact"), "./cmd/piiredact"],
        cwd=MODULE,
        check=True,
        timeout=300,
    )
    return folder / "piiredact"


def in_go(piiredact: Path, policy: Path, values: list[str]) -> tuple[list[Any], str]:
    ended = subprocess.run(
        [str(piiredact), "-policy", str(policy), "-key-file", str(piiredact.parent / "key")],
        input="".join(json.dumps({"value": value}) + "\n" for value in values),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return [json.loads(line)["value"] for line in ended.stdout.splitlines()], ended.stderr.strip()


def with_row(folder: Path, row: str) -> Path:
    path = folder / "rules.yaml"
    path.write_text(POLICY.read_text(encoding="utf-8") + row, encoding="utf-8")
    return path


def test_one_row_is_enough(tmp_path: Path, piiredact: Path) -> None:
    path = with_row(tmp_path, ROW)
    python = Redactor.load(path, key=KEY)
    texts = [f"with {TOKEN} sent", f"with {TOKEN}0 sent", f"with {TOKEN[:-1]} sent"]
    expected = ["with [acme_token] sent", *texts[1:]]
    assert [python.text(text) for text in texts] == expected
    assert in_go(piiredact, path, texts) == (expected, "")
    assert Redactor.load(POLICY, key=KEY).text(texts[0]) == texts[0]


@pytest.mark.parametrize("name", ["acme", "acme_token", "token", "vendor_tokens"])
def test_a_vendor_can_be_disabled(tmp_path: Path, name: str) -> None:
    path = with_row(tmp_path, ROW)
    text = f"with {TOKEN} sent"
    assert Redactor.load(path, key=KEY, disable=[name]).text(text) == text


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        (", length: 40", "", "needs length, alphabet and docs"),
        (", alphabet: alnum", "", "needs length, alphabet and docs"),
        (', docs: "https://example.com"', "", "needs length, alphabet and docs"),
        ("length: 40", "length: forty", 'length: "forty" is neither a number, as 36,'),
        ("length: 40", "length: 40-20", 'length: "40-20" is not between'),
        ("alphabet: alnum", "alphabet: alnums", 'unknown alphabet "alnums": use alnum,'),
        ("alphabet: alnum", "alphabet: uuid", "length: a uuid has 36 characters"),
        ("prefix: acme_", "prefixes: acme_", 'unknown field "prefixes"'),
        ("prefix: acme_, ", "", "needs prefix, or beside"),
        ("prefix: acme_", "prefix: a", 'prefix: "a" is too short to be believed alone'),
        ("prefix: acme_, length: 40", "prefix: ac, length: 20", '"ac" is too short'),
        ("length: 40", "length: 4", "length: a token of 9 characters is too short"),
        ("prefix: acme_", "prefix: -acme", "does not begin with a letter or digit"),
        ("prefix: acme_", "prefix: acme, lead: 4 hex", "behind a lead needs a character"),
        ("prefix: acme_", "prefix: acme_, lead: 4 hexa", 'lead: unknown alphabet "hexa"'),
        ("prefix: acme_", "prefix: acme_, then: '.{8 hex'", "has no }"),
        ("length: 40", "length: 40-50, then: 'x{8 hex}'", 'then: the run before "x" takes'),
        ("prefix: acme_", "prefix: acme_, needs: luck", 'needs: unknown "luck"'),
        ("prefix: acme_", "prefix: acme_, beside: Acme", 'beside: "Acme" is not a lower-case'),
        ("prefix: acme_", "prefix: acme_, beside: acme, keeps_prefix: true", "with beside"),
        ("vendor: acme", "vendor: Acme", "vendor and mask must match"),
    ],
)
def test_a_bad_row_is_named_alike(
    tmp_path: Path, piiredact: Path, before: str, after: str, complaint: str
) -> None:
    assert before in ROW
    path = with_row(tmp_path, ROW.replace(before, after, 1))
    with pytest.raises(PolicyError) as caught:
        Redactor.load(path, key=KEY)
    message = str(caught.value)
    line = len(path.read_text(encoding="utf-8").splitlines())
    assert message.startswith(f'policy {path}:{line}: vendor token "')
    assert complaint in message
    assert "\n" not in message
    _, said = in_go(piiredact, path, [])
    same = re.escape(message).replace(re.escape("[a-z][a-z0-9_]{0,31}"), r"\^?.*\$?")
    assert re.search(same, said), said


def made(generator: random.Random, row: dict[str, Any]) -> str:
    """Return a text in the form of a row, now and then one character off."""

    def run(length: str) -> str:
        least, _, most = length.partition("-")
        size = int(least) + generator.randint(-1, 1) * generator.randint(0, 1)
        if most or "-" in length:
            size += generator.randint(0, 3)
        return "".join(generator.choices(CHARACTERS, k=max(0, size)))

    def texts(value: Any) -> list[str]:
        return value if isinstance(value, list) else [str(value)]

    token = str(generator.choice(texts(row.get("prefix", ""))))
    if "lead" in row:
        token = run(row["lead"].split()[0]) + token
    token += str(run(str(row["length"])))
    token += re.sub(r"\{(\S+) [^}]*\}", lambda found: run(found[1]), row.get("then", ""))
    if row["alphabet"].startswith(("hex", "uuid", "alnum_lower", "digits")):
        token = token.lower() if "prefix" not in row else token
    word = generator.choice(texts(row.get("beside", "sent")))
    return (
        generator.choice((word, word.upper(), word.capitalize())) + generator.choice(GLUE) + token
    )


def test_both_engines_agree_on_tokens(redactor: Redactor, piiredact: Path) -> None:
    seed = secrets.randbits(32)
    generator = random.Random(seed)  # noqa: S311 (it must be repeatable)
    rows = yaml.safe_load(POLICY.read_text(encoding="utf-8"))["vendor_tokens"]
    texts = [
        made(generator, generator.choice(rows)) + generator.choice(("", ".", " ok", "-1", '"', "_"))
        for _ in range(COUNT)
    ]
    theirs, _ = in_go(piiredact, POLICY, texts)
    different = [
        (text, redactor.text(text), other)
        for text, other in zip(texts, theirs, strict=True)
        if redactor.text(text) != other
    ]
    assert different == [], f"seed {seed}: {len(different)} differ"
    changed = sum(text != other for text, other in zip(texts, theirs, strict=True))
    assert COUNT * 0.2 < changed < COUNT
