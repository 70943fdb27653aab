"""What the native part calls clean, the engine leaves as it is: any text, under any policy."""

import random
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.unit.redaction.test_ids_in_texts import with_ids
from tests.unit.redaction.test_two_engines import (
    KEYS,
    NOISE,
    corpus_texts,
    generated,
    mutated,
    vector_texts,
)

from glasshouse.redaction import Redactor, keys, looks
from support import native, policies
from support.engines import FRESH_SEED, KEY

# The module is compiled, which takes minutes where it never was.
pytestmark = pytest.mark.slow

COUNT = 10_000
PARTS = (
    *("4111 1111 1111 1111", "jane@example.com", "a@b", "password", "token=", "Bearer ", "iban"),
    *("DE89370400440532013000", "10.0.0.1", "::1", "phone", "+49 30 901820", "card", "ssn", "pin"),
    *(
        "078-05-1120",
        "sk_live_",
        "ghp_",
        "00D",
        "AKIA",
        "eyJ",
        "%40",
        "&amp;",
        "\\n",
        "#011",
        "\x1b[",
    ),
    *(
        "GET",
        "/payments/",
        "tx_",
        "order",
        "id",
        "2026-11-27",
        "10:20:30",
        "v1.2.3",
        "=",
        ": ",
        "?",
    ),
)
TYPED = (
    "",
    "url.path",
    "db.query.text",
    "order_id",
    "count",
    "iban",
    "card",
    "user.id",
    "url.query",
)


def clean_by(engine: Any, key: str, text: str) -> bool:
    counted: list[str] = []
    info = engine.key_info(key)
    changed = engine.string(info, text.encode("utf-8", "replace"), counted.append)
    return changed is None and not counted


def put_together(seed: int, count: int) -> Iterator[tuple[str, str]]:
    """Texts of what rules ask for, of ids, and of noise, always the same for one seed."""
    generator = random.Random(seed)  # noqa: S311 (it must be repeatable)
    whole = [text for text in corpus_texts() + vector_texts() if len(text) < 300]
    for _ in range(count):
        parts: list[str] = []
        for _ in range(generator.randint(1, 5)):
            match generator.randrange(7):
                case 0 | 1:
                    parts.append(generator.choice(PARTS))
                case 2:
                    parts.append(f"{generator.getrandbits(128):032x}")
                case 3:
                    parts.append(str(uuid.UUID(int=generator.getrandbits(128), version=4)))
                case 4:
                    parts.append(
                        "".join(generator.choices("0123456789", k=generator.randint(1, 20)))
                    )
                case 5:
                    parts.append(
                        "".join(generator.choices(NOISE[-44:], k=generator.randint(1, 12)))
                    )
                case _:
                    parts.append(mutated(generator, generator.choice(whole)))
        glue = generator.choice(("", " ", "/", "-", "=", ", "))
        yield generator.choice(TYPED), glue.join(parts)


def wrong(redactor: Redactor, seen: Any, cases: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return what is called clean and is not."""
    engine: Any = redactor._engine
    return [case for case in cases if seen.is_clean(*case) and not clean_by(engine, *case)]


def all_cases(seed: int, count: int) -> list[tuple[str, str]]:
    texts = vector_texts() + corpus_texts()
    return [
        *((key, text) for text in texts for key in ("", *KEYS[3:])),
        *((line["key"], line["value"]) for line in generated(seed, count)),
        *(("url.path", text) for text, _ in with_ids(seed)),
        *put_together(seed, count),
    ]


@pytest.fixture(scope="module")
def redactor() -> Iterator[Redactor]:
    with native.installed(native.module()):
        found = Redactor.load(policies.POLICY, key=KEY.encode())
        assert found.looks is not None
        yield found


@pytest.mark.parametrize("seed", [20261127, FRESH_SEED], ids=["fixed", "fresh"])
def test_what_is_called_clean_is_clean(redactor: Redactor, seed: int) -> None:
    cases = all_cases(seed, COUNT)
    assert wrong(redactor, redactor.looks, cases) == [], f"seed {seed}"
    # It does say so of a good part, and not of all.
    engine: Any = redactor._engine
    ascii_cases = [case for case in cases if case[1].isascii()]
    clean = [case for case in ascii_cases[::5] if clean_by(engine, *case)]
    called = sum(redactor.looks.is_clean(*case) for case in clean)  # pyright: ignore[reportOptionalMemberAccess]
    assert 0.2 < called / len(clean) < 1


@pytest.mark.parametrize("number", range(12))
def test_what_is_called_clean_is_clean_under_another_policy(tmp_path: Path, number: int) -> None:
    seed = FRESH_SEED + number
    document, switches = policies.at_random(random.Random(seed))  # noqa: S311 (it must be repeatable)
    policy = policies.written(document, tmp_path / "rules.yaml")
    with native.installed(native.module()):
        redactor = Redactor.load(policy, key=KEY.encode(), **switches)
    assert redactor.looks is not None
    rules = policies.patterns(document)
    marks = [
        ("", f"see {policies.mark(place)} {word}")
        for place in range(len(rules))
        for word in policies.WORDS
    ]
    cases = [*marks, *all_cases(seed, COUNT // 10)]
    assert wrong(redactor, redactor.looks, cases) == [], f"seed {seed}"


@pytest.mark.parametrize("edit", policies.EDITS, ids=lambda edit: edit.__name__)
def test_every_rule_that_is_edited_is_seen(tmp_path: Path, edit: policies.Edit) -> None:
    document = policies.shipped()
    cases = [edit(rule, place) for place, rule in enumerate(policies.patterns(document))]
    policy = policies.written(document, tmp_path / "rules.yaml")
    with native.installed(native.module()):
        redactor = Redactor.load(policy, key=KEY.encode())
    assert [redactor.text(hit) for hit, _, _ in cases] == [masked for _, masked, _ in cases]
    assert [redactor.text(miss) for _, _, miss in cases] == [miss for _, _, miss in cases]


def _raised(given: dict[str, Any]) -> None:
    given["counts"] = [(kind, least + 1, rules) for kind, least, rules in given["counts"]]


def _fewer_strings(given: dict[str, Any]) -> None:
    given["literals"] = given["literals"][::2]


def _no_counted(given: dict[str, Any]) -> None:
    given["counted"] = []


def _fewer_words(given: dict[str, Any]) -> None:
    given["words"] = given["words"][::2]


def _patterns_gone(given: dict[str, Any]) -> None:
    given["patterns"] = [one and (lambda: "[^\\x00-\\xff]") for one in given["patterns"]]


def _all_exempt(given: dict[str, Any]) -> None:
    given["suppressed_on_ids"] = list(range(given["rules"]))


def _one_rule_less(given: dict[str, Any]) -> None:
    given["rules"] -= 30


def _never(name: str) -> Callable[[dict[str, Any]], None]:
    def change(given: dict[str, Any]) -> None:
        given[name] = lambda: "[^\\x00-\\xff]"

    change.__name__ = f"_no_{name}"
    return change


CHANGES = (
    *(_raised, _fewer_strings, _no_counted, _fewer_words, _patterns_gone, _all_exempt),
    _one_rule_less,
    *map(_never, ("folds", "pair_names", "query_names", "token_starts")),
)


@pytest.fixture(scope="module")
def hits(redactor: Redactor) -> list[tuple[str, str]]:
    engine: Any = redactor._engine
    return [case for case in all_cases(20261127, COUNT // 5) if not clean_by(engine, *case)]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_each_condition_that_is_wrong_would_be_noticed(
    redactor: Redactor, hits: list[tuple[str, str]], change: Callable[[dict[str, Any]], None]
) -> None:
    engine: Any = redactor._engine
    given = looks._described(engine._policy, engine._pairs, engine._tokens)
    change(given)
    broken = looks.Looks(native.module().Looks(given), engine.key_info)
    assert any(broken.is_clean(*case) for case in hits)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\0",
        "\ud800",
        "a\udcff",
        "é",
        "\u017fecret",
        "x" * 100_000,
        "{}",
        "[1]",
        "a%40b",
        "\x1b[0m",
    ],
    ids=ascii,
)
def test_odd_texts_stay_with_the_engine(redactor: Redactor, text: str) -> None:
    with native.installed(None):
        plain = Redactor.load(policies.POLICY, key=KEY.encode())
    assert plain.looks is None
    for key in ("", "\ud800", "k" * 300, "é"):
        assert redactor.value(text, key) == plain.value(text, key)


def test_texts_of_other_classes_stay_with_the_engine(redactor: Redactor) -> None:
    class Liar(str):
        __slots__ = ()

        def __str__(self) -> str:
            return "nothing"

    assert redactor.looks is not None
    assert not redactor.looks.is_clean("", Liar("harmless"))
    assert not redactor.looks.is_clean("", 5)  # pyright: ignore[reportArgumentType]
    assert redactor.value(Liar("mail jane@example.com")) != "mail jane@example.com"


def test_names_are_not_remembered_without_end(redactor: Redactor) -> None:
    with native.installed(native.module()):
        fresh = Redactor.load(policies.POLICY, key=KEY.encode())
    assert fresh.looks is not None
    for number in range(keys.MOST_NAMES + 10):
        fresh.looks.is_clean(f"name{number}", "hello")
    assert not fresh.looks.is_clean("one more", "hello")
    assert fresh.looks.is_clean("name1", "hello")


MEMORY = """
import sys
from pathlib import Path
from glasshouse.redaction import Redactor

redactor = Redactor.load(key=b"k" * 32)
assert (redactor.looks is not None) == (len(sys.argv) > 1)
for text in ("GET /payments/17?page=2", "SELECT a FROM b WHERE c = $1", "order 12345 took 7.5 ms"):
    assert redactor.value(text, "url.path") == text
rollup = Path("/proc/self/smaps_rollup").read_text()
print(next(line.split()[1] for line in rollup.splitlines() if line.startswith("Anonymous:")))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the memory")
def test_it_takes_little_memory() -> None:
    """Python alone has compiled by then what it needs for the same texts."""

    def used(value: str, loading: str, *arguments: str) -> int:
        return int(
            subprocess.run(
                [sys.executable, "-c", loading + MEMORY, *arguments],
                env={"GLASSHOUSE_NATIVE": value},
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )

    # In KiB: it is 1,040. An engine for each pattern and thread took over 600 more.
    assert used("on", native.loading(), "native") - used("off", "") < 1536
