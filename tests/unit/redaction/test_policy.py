"""A bad policy is refused with file, line and rule."""

from pathlib import Path

import pytest

from glasshouse.redaction import PolicyError, Redactor
from glasshouse.redaction import policy as policies

POLICY = Path(__file__).parents[3] / "redaction" / "rules.yaml"
KEY = b"glasshouse-test-key-0123456789abcdef"


def changed(folder: Path, before: str, after: str) -> Path:
    text = POLICY.read_text(encoding="utf-8")
    assert before in text
    path = folder / "rules.yaml"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("validate: iban", "validate: ibam", 'rule "iban": unknown validator "ibam"'),
        (
            "name: private_key\n    entity",
            "name: private_key\n    entitty",
            'unknown field "entitty"',
        ),
        ("pattern: 'eyJ[", "pattern: 'eyJ([", 'rule "jwt": pattern: '),
        ("version: 1", "version: 2", "version is 2, this engine reads 1"),
        (
            "max_passes: 4",
            "max_passes: 1",
            ':{line}: limits: max_passes is "1", must be a whole number from 2 to 16',
        ),
        (
            "max_bytes: 1048576",
            "max_bytes: 1 MiB",
            ':{line}: limits: max_bytes is "1 MiB", must be a whole number from 1 to 1073741824',
        ),
        ("max_passes: 4", "max_pases: 4", ':{line}: limits: unknown field "max_pases"'),
        ("  context_after: 32 #", "  #", ": limits: context_after is missing"),
        (
            "context_after: 32",
            "context_before: 32",
            ":{line}: limits: context_before is there twice",
        ),
        (
            "builtin: vendor_tokens",
            "builtin: pairs",
            "vendor_tokens: no rule looks for them, add one with `builtin: vendor_tokens`",
        ),
        ("builtin: pairs", "builtin: pears", 'rule "pairs": unknown builtin "pears"'),
        ("checks: [us_aba]", "checks: [us_abba]", 'rule "aba": unknown check "us_abba"'),
        (
            "name: us_aba, length: 9",
            "name: us_aba, length: 99",
            'check "us_aba": length: must be 2 to 32',
        ),
        (
            "name: us_aba, length: 9",
            "name: us_aba, size: 9",
            'check "us_aba": unknown field "size"',
        ),
        ("name: us_aba, length: 9,", "name: us_aba,", 'check "us_aba": length: must be 2 to 32'),
        (
            "groups: [[9, 1]]",
            "groups: [[9, 2]]",
            'check "ec_ci": groups: each must be as long as the number',
        ),
        ("length: 9, scheme: luhn", "length: 9, scheme: lune", 'unknown scheme "lune"'),
        ("length: 9, scheme: luhn", "length: 9", 'check "ca_sin": checks nothing'),
        (
            "'TRWAGMYFPDXBNJZSQVHLCKE'}], letters",
            "'TRWAG'}], letters",
            'check "es_dni": sums: check needs a character for each of 23 remainders',
        ),
        ("date: yymmdd, years: [20, 99]", "date: yymd, years: [20, 99]", "as in .yymmdd"),
        (
            "date: yymmdd, years: [20, 99]",
            "date: yymmdd, years: [20]",
            'check "pl_pesel": years: must be the first and the last',
        ),
        ("name: ca_sin,", "name: us_aba,", 'check "us_aba": the name is used twice'),
        ("[passportnumber,", "[Passportnumber,", 'rule "passport_number": context_words'),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, before: str, after: str, complaint: str) -> None:
    path = changed(tmp_path, before, after)
    with pytest.raises(PolicyError) as caught:
        Redactor.load(path, key=KEY)
    message = str(caught.value)
    assert message.startswith(f"policy {path}")
    text = POLICY.read_text(encoding="utf-8")
    line = text[: text.index(before)].count("\n") + 1
    assert complaint.replace("{line}", str(line)) in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("old", "now"),
    [
        ("weak", "require_digit_in_prose"),
        ("loose", "suppress_on_id_keys"),
        ("near", "context_words"),
        ("before", "not_preceded_by"),
        ("before_digit", "not_preceded_by_digit_and"),
        ("after", "not_followed_by"),
        ("after_digit", "not_followed_by_and_digit"),
        ("as", "replacement"),
    ],
)
def test_a_renamed_field_is_named(tmp_path: Path, old: str, now: str) -> None:
    path = changed(tmp_path, f" {now}:", f" {old}:")
    with pytest.raises(PolicyError) as caught:
        Redactor.load(path, key=KEY)
    message = str(caught.value)
    assert message.startswith(f"policy {path}:")
    assert message.endswith(f': the field "{old}" is now called "{now}"')


def test_a_missing_policy_is_named(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match=r"nowhere\.yaml: cannot be read: No such file"):
        Redactor.load(tmp_path / "nowhere.yaml", key=KEY)


def test_an_empty_policy_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text("version: 1\n", encoding="utf-8")
    with pytest.raises(PolicyError, match="limits"):
        Redactor.load(path, key=KEY)


def test_a_short_key_is_refused() -> None:
    with pytest.raises(PolicyError, match="the HMAC key has 5 bytes, it needs 16"):
        Redactor.load(POLICY, key=b"short")


def test_a_switch_that_names_nothing_is_refused() -> None:
    with pytest.raises(PolicyError, match="there is no rule or entity phones to disable"):
        Redactor.load(POLICY, key=KEY, disable=["phones"])


def test_an_entity_can_be_switched_off() -> None:
    without = Redactor.load(POLICY, key=KEY, disable=["email"])
    assert without.text("mail jane@example.com") == "mail jane@example.com"
    assert without.text("card 4111111111111111") == "card [card:1111]"


def test_every_pattern_of_the_shipped_policy_compiles() -> None:
    """They are compiled at their first use, long after the policy was read."""
    rules = policies.load(policies.packaged_policy()).rules
    assert [rule.name for rule in rules if rule.pattern and rule.pattern.search(b"")] == []
