"""The freshness bench times what it says: from the mark until the answer that has it."""

import random
import secrets
from pathlib import Path

import pytest

from glasshouse_bench.freshness import figures, load, sampling
from glasshouse_cli.errors import StackError
from support import freshness

AFTER_S = 0.5


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SPACING_S", 0.05)


@pytest.fixture
def rng() -> random.Random:
    seed = secrets.randbelow(2**32)
    print(f"seed {seed}")  # noqa: T201 (shown where the test fails)
    return random.Random(seed)  # noqa: S311 (not for secrets)


async def test_each_kind_is_timed_for_itself(tmp_path: Path, rng: random.Random) -> None:
    quick, slow = freshness.Backend(after_s=0.0), freshness.Backend(after_s=AFTER_S)
    with freshness.service() as service:
        found = await sampling.run(
            freshness.target(tmp_path),
            service,
            "run",
            samples=8,
            rng=rng,
            note=lambda _: None,
            kinds=[quick.kind("quick"), slow.kind("slow")],
        )
    assert [(one.kind.name, len(one.samples), one.lost) for one in found] == [
        ("quick", 8, 0),
        ("slow", 8, 0),
    ]
    for one in found[1].samples:
        # It cannot be found sooner, and how much later it was is what nobody asked meanwhile.
        assert one.seconds >= AFTER_S
        assert 0 < one.grain_s <= one.seconds
        assert one.seconds - one.grain_s <= AFTER_S
    # Marks of the warm-up are none of the samples.
    assert len(slow.seen) == 8 + sampling.WARM_UP


async def test_no_seed_repeats_what_a_run_before_has_stored(tmp_path: Path) -> None:
    backend = freshness.Backend(after_s=0.0)
    with freshness.service() as service:
        for turn in range(2):
            await sampling.run(
                freshness.target(tmp_path / str(turn)),
                service,
                "run",
                samples=2,
                rng=random.Random(7),  # noqa: S311 (not for secrets)
                note=lambda _: None,
                kinds=[backend.kind("one")],
            )
    assert len(backend.seen) == 2 * (2 + sampling.WARM_UP)


async def test_what_is_never_found_is_lost(
    tmp_path: Path, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = freshness.Backend(after_s=0.0)
    find = backend.find

    async def forgetful(*given: object) -> set[str]:
        words = await find(*given)  # pyright: ignore[reportArgumentType]
        # The third of all: the first two warm up.
        return words - set(backend.seen[2:3])

    monkeypatch.setattr(sampling, "PATIENCE_S", 1.0)
    monkeypatch.setattr(backend, "find", forgetful)
    with freshness.service() as service:
        [found] = await sampling.run(
            freshness.target(tmp_path),
            service,
            "run",
            samples=4,
            rng=rng,
            note=lambda _: None,
            kinds=[backend.kind("one")],
        )
    assert (len(found.samples), found.lost) == (3, 1)
    run = figures.of_run(0, load.Sent(), 1, [found])
    assert (run["kinds"]["one"]["found"], run["kinds"]["one"]["lost"]) == (3, 1)


async def test_a_backend_that_finds_nothing_is_one_line(
    tmp_path: Path, rng: random.Random, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sampling, "PATIENCE_S", 0.2)
    with (
        freshness.service() as service,
        pytest.raises(StackError, match=r"^one: nothing found after 0 s: `make doctor` says why$"),
    ):
        await sampling.run(
            freshness.target(tmp_path),
            service,
            "run",
            samples=1,
            rng=rng,
            note=lambda _: None,
            kinds=[freshness.Backend(after_s=1000).kind("one")],
        )


async def test_a_service_that_has_ended_is_one_line(tmp_path: Path, rng: random.Random) -> None:
    with freshness.service() as service:
        pass
    with pytest.raises(StackError, match=r"^the service that is watched does not answer: "):
        await sampling.run(
            freshness.target(tmp_path),
            service,
            "run",
            samples=1,
            rng=rng,
            note=lambda _: None,
            kinds=[freshness.Backend(after_s=0).kind("one")],
        )


async def test_a_load_is_sent_and_counted(rng: random.Random) -> None:
    with freshness.service() as service:
        async with load.at(service, 6000, rng) as sent:
            while sent.answered < 20:
                await sampling.asyncio.sleep(0.01)
    assert sent.failed == 0
    assert sent.seconds > 0
    # At random moments, and less on a slow machine: but never a flood.
    assert sent.per_minute < 5 * 6000
