"""Policies made from the shipped one: every rule edited in one way, or many at random."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "redaction" / "rules.yaml"
NEIGHBOURS = (
    "not_preceded_by",
    "not_preceded_by_digit_and",
    "not_followed_by",
    "not_followed_by_and_digit",
)
CONTEXT = ("context_directly", "suppress_beside_id_words")
CONDITIONS = (
    *("validate", "checks", "context_words", "rescan", "suppress_on_id_keys"),
    *(*CONTEXT, *NEIGHBOURS),
)
# Of any form: a policy may name words that no token begins with.
WORDS = ("zebra", "no", "№", "#id", "2fa", "q#", "zebra-nr", "x1", "zebra no", "電話", "of")

Document = dict[str, Any]
Rule = dict[str, Any]


def shipped() -> Document:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(POLICY.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 (it is safe)


def written(document: Document, path: Path) -> Path:
    path.write_text(yaml.safe_dump(document, allow_unicode=True, sort_keys=False), "utf-8")
    return path


def patterns(document: Document) -> list[Rule]:
    return [rule for rule in document["rules"] if "pattern" in rule]


def without(rule: Rule, *fields: str) -> None:
    for field in fields:
        rule.pop(field, None)


def code(place: int) -> str:
    """Return letters that stand for one rule and are no word of any."""
    return f"zq{'bcdfghjlmnprst'[place // 10]}{'bcdfghjlmn'[place % 10]}vks"


def mark(place: int) -> str:
    """Return a text that only a rule edited for it can match."""
    return f"~{code(place)}~"


def mask(rule: Rule) -> str:
    return f"[{rule.get('mask', rule['name'])}]"


# What is done to a rule, the text that it then masks, what becomes of that, and a text like it
# that it leaves alone.
Edit = Callable[[Rule, int], tuple[str, str, str]]


def replaced(rule: Rule, place: int) -> tuple[str, str, str]:
    without(rule, *CONDITIONS, "replacement")
    rule["pattern"] = mark(place)
    return f"see {mark(place)} now", f"see {mask(rule)} now", f"see {mark(place).upper()} now"


def widened(rule: Rule, place: int) -> tuple[str, str, str]:
    if "(?P<name>" in rule["pattern"]:
        return replaced(rule, place)  # what has no name in it is no pair
    without(rule, *CONDITIONS, "replacement")
    rule["pattern"] = f"(?:{rule['pattern']}|~{code(place)}[b-d]+~)"
    start = f"see ~{code(place)}"
    return f"{start}bcd~ now", f"see {mask(rule)} now", f"{start}~ now"


def in_any_case(rule: Rule, place: int) -> tuple[str, str, str]:
    """The Kelvin sign and the long s are a K and an S where case does not count."""
    without(rule, *CONDITIONS, "replacement")
    rule["pattern"] = f"(?i)~{code(place)}~"
    odd = mark(place).upper().replace("K", "\u212a").replace("S", "\u017f")
    return f"{odd} and {mark(place)}", f"{mask(rule)} and {mask(rule)}", mark(place)[:-1]


def after_a_tab(rule: Rule, place: int) -> tuple[str, str, str]:
    without(rule, *CONDITIONS, "replacement")
    rule["pattern"] = f"(?i){code(place)}[ \\t]+([b-d]{{3,}})"
    start = f"x{code(place)}\t"
    return f"{start}bcd", f"{start}{mask(rule)}", f"{start}bc"


def with_a_validator(rule: Rule, place: int) -> tuple[str, str, str]:
    without(rule, *CONDITIONS, "replacement")
    rule |= {"pattern": f"{code(place)}[0-9a-z]{{2}}", "validate": "has_digit"}
    return f"{code(place)}b1", mask(rule), f"{code(place)}bc"


def beside_a_word(rule: Rule, place: int) -> tuple[str, str, str]:
    without(rule, *CONDITIONS, "replacement")
    word = WORDS[place % len(WORDS)]
    rule |= {"pattern": mark(place), "context_words": [word]}
    return f"{word} {mark(place)}", f"{word} {mask(rule)}", f"other {mark(place)}"


def without_neighbours(rule: Rule, place: int) -> tuple[str, str, str]:
    without(rule, *CONDITIONS, "replacement")
    rule |= {"pattern": code(place), "not_preceded_by": "e", "not_followed_by": "e"}
    return f"1{code(place)}1", f"1{mask(rule)}1", f"e{code(place)} {code(place)}e"


def a_number(rule: Rule, place: int) -> tuple[str, str, str]:
    """A pattern of which only counts are known."""
    without(rule, *CONDITIONS, "replacement")
    rule["pattern"] = f"[2-9]{{3}}:[0-9]{{{place % 5 + 2}}}-(?:{place:03}|{place:03}x)[0-9]"
    number = f"222:{'5' * (place % 5 + 2)}-{place:03}"
    return f"no {number}7.", f"no {mask(rule)}.", f"no {number}"


def anything(rule: Rule, place: int) -> tuple[str, str, str]:
    """A pattern of which nothing is known: it is tried on every text."""
    without(rule, *CONDITIONS, "replacement")
    c = chr(0x4E00 + place)
    rule["pattern"] = f"[{c}-{c}]"
    return f"see {c}", f"see {mask(rule)}", f"see {chr(0x4F00 + place)}"


EDITS: tuple[Edit, ...] = (
    replaced,
    widened,
    in_any_case,
    after_a_tab,
    with_a_validator,
    beside_a_word,
    without_neighbours,
    a_number,
    anything,
)


def at_random(generator: random.Random) -> tuple[Document, dict[str, Any]]:
    """Return a policy that somebody could have made of the shipped one, and switches."""
    document = shipped()
    rules: list[Rule] = document["rules"]
    document["rules"] = rules = [rule for rule in rules if generator.random() < 0.85]
    if not any(rule.get("builtin") == "vendor_tokens" for rule in rules):
        del document["vendor_tokens"]
    if generator.random() < 0.5:
        generator.shuffle(rules)
    for place, rule in enumerate(patterns(document)):
        match generator.randrange(12):
            case 0:
                generator.choice(EDITS)(rule, place)
            case 1:
                without(rule, *generator.sample(NEIGHBOURS, 2))
            case 2 if "(?P<name>" not in rule["pattern"]:
                rule["context_words"] = [*generator.sample(WORDS, 3), "card", "id"]
            case 3 if rule.get("replacement") != "network":
                without(rule, "validate", "checks")
            case 4:
                rule["rescan"] = not rule.get("rescan")
            case 5:
                rule["suppress_beside_id_words"] = generator.choice(
                    ("any", "digits", "owned", "sentence")
                )
                rule["not_preceded_by"] = generator.choice(("a-f", "0-9 ", "A-Za-z ", "é:"))
            case _:
                pass
    for rule in document["keys"]:
        if generator.random() < 0.2:
            rule["text"] = generator.random() < 0.5
        if generator.random() < 0.2:
            rule["overrides_except"] = generator.random() < 0.5
    document["limits"] |= {
        "context_before": generator.choice((0, 5, 48, 200)),
        "context_after": generator.choice((0, 5, 32)),
        "min_number_digits": generator.choice((1, 7, 12)),
        "max_whole_float": generator.choice((10**9, 2**53)),
        "max_passes": generator.choice((2, 4, 8)),
        "max_hits": generator.choice((1, 2, 2000)),
        "max_json_depth": generator.choice((2, 64)),
    }
    entities = sorted({rule["entity"] for rule in patterns(document)})
    switches = {
        "disable": generator.sample(entities, generator.randrange(3)),
        "mask_private_ips": generator.random() < 0.5 and "ip" in entities,
    }
    if "ip" in switches["disable"]:
        switches["mask_private_ips"] = False
    return document, switches
