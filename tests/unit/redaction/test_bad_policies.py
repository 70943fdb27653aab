"""Both engines refuse a bad policy at start, in the same words: file, line, rule, problem."""

import subprocess
from pathlib import Path

import pytest

from glasshouse.redaction import PolicyError, Redactor
from support import policies
from support.engines import KEY, piiredact

EVM = "pattern: '0[xX][0-9a-fA-F]{40}'"
GROUP = "a group is (…), (?:…), (?i:…) or (?P<name>…)"
UNKNOWN = "is not known to all engines"
WORDS = "context_words: [wallet,"
INSTEAD = "use not_preceded_by and not_followed_by"

# What is written in place of what, and what is said; the line is that of the rule or the field.
CASES = {
    "not closed": (EVM, "pattern: '0[xX'", "pattern: at character 2: a [ without its ]"),
    "word boundary": (
        EVM,
        r"pattern: '\b0x'",
        rf"pattern: at character 1: \b is not allowed, {INSTEAD}",
    ),
    "anchor": (EVM, "pattern: '0x$'", f"pattern: at character 3: $ is not allowed, {INSTEAD}"),
    "look-ahead": (EVM, "pattern: '0x(?=a)'", "pattern: at character 3: " + GROUP),
    "named group": (EVM, "pattern: '(?<n>0x)'", "pattern: at character 1: " + GROUP),
    "back-reference": (EVM, r"pattern: '(0)\1'", r"pattern: at character 4: \1 " + UNKNOWN),
    "short class": (EVM, r"pattern: '\pN'", r"pattern: at character 1: \p " + UNKNOWN),
    "script": (EVM, r"pattern: '\p{Greek}'", r"pattern: at character 1: \p " + UNKNOWN),
    "named class": (EVM, "pattern: '[[:alpha:]]'", "pattern: at character 2: [: " + UNKNOWN),
    "any byte": (EVM, r"pattern: '\C'", r"pattern: at character 1: \C " + UNKNOWN),
    "possessive": (EVM, "pattern: '0x++'", "pattern: at character 3: is repeated twice"),
    "too often": (
        EVM,
        "pattern: '(?:a{99}){99}'",
        "pattern: at character 10: repeats more than 1000 times",
    ),
    "nothing": (EVM, "pattern: 'a*'", "pattern: matches the empty text"),
    "validator": ("validate: mac", "validate: mack", 'unknown validator "mack"'),
    "field": ("validate: mac", "validat: mac", 'unknown field "validat"'),
    "switch": ("rescan: true", "rescan: yes", "rescan: must be true or false"),
    "no text": (
        WORDS,
        "context_words: [no,",
        'context_words: must be a text: write "no" in quotes',
    ),
    "no list": (WORDS, "context_words: wallet #", "context_words: must be a list of texts"),
    "word twice": (
        WORDS,
        "context_words: [wallet, wallet,",
        'context_words: "wallet" is there twice',
    ),
    "field twice": (EVM, f"{EVM}\n    {EVM}", 'the field "pattern" is there twice'),
}


@pytest.mark.parametrize(("old", "new", "problem"), CASES.values(), ids=CASES)
def test_both_engines_refuse_in_the_same_words(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    text = policies.POLICY.read_text(encoding="utf-8")
    assert old in text
    policy = tmp_path / "rules.yaml"
    policy.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PolicyError) as caught:
        Redactor.load(policy, key=KEY.encode())
    message = str(caught.value)
    with pytest.raises(subprocess.CalledProcessError) as ended:
        piiredact([], policy)
    assert ended.value.stderr == f"piiredact: {message}\n"
    assert message.startswith(f"policy {policy}:")
    assert message.endswith(f'": {problem}')


def test_the_shipped_policy_loads_in_both() -> None:
    assert Redactor.load(policies.POLICY, key=KEY.encode()).text("jane@example.com") != ""
    assert piiredact([{"value": "x"}]) == ["x"]
