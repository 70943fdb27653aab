"""Sizes of many images in one question, whatever the engine says of those that it does not have."""

from collections.abc import Sequence

import pytest

from glasshouse_cli import engine
from glasshouse_cli.process import Finished

DOCKER = "Error response from daemon: no such image: {0}: No such image: {0}\n"
OLDER = "Error: No such image: {0}\n"
PODMAN = "Error: {0}: image not known\n"
OTHER = "Error: something is missing\n"


class Engine:
    """Has some images by the names that it gives them; counts what it was asked."""

    def __init__(self, sizes: dict[str, int], *, complaint: str, prefix: str = "") -> None:
        self._sizes = sizes
        self._complaint = complaint
        self._prefix = prefix
        self.questions: list[list[str]] = []

    def run(self, argv: Sequence[str], *, timeout: float) -> Finished:
        assert list(argv[:4]) == ["docker", "image", "inspect", "--format"]
        assert timeout > 0
        template, *tags = argv[4:]
        self.questions.append(tags)
        out = err = ""
        for tag in tags:
            if tag not in self._sizes:
                err += self._complaint.format(tag)
            elif "RepoTags" in template:
                out += f'["{self._prefix}{tag}"]\t{self._sizes[tag]}\n'
            else:
                out += f"{self._sizes[tag]}\n"
        return Finished(code=1 if err else 0, out=out, err=err)


@pytest.mark.parametrize(
    ("complaint", "prefix", "questions"),
    [
        (DOCKER, "", [["a:1", "b:1", "c:1"]]),
        (OLDER, "", [["a:1", "b:1", "c:1"]]),
        # Its own name for an image is longer; what is not clear is asked one by one.
        (PODMAN, "localhost/", [["a:1", "b:1", "c:1"], ["a:1"], ["c:1"]]),
        (OTHER, "", [["a:1", "b:1", "c:1"], ["b:1"]]),
    ],
    ids=["Docker", "an older Docker", "Podman", "another"],
)
def test_what_the_engine_has_and_has_not(
    monkeypatch: pytest.MonkeyPatch, complaint: str, prefix: str, questions: list[list[str]]
) -> None:
    known = Engine({"a:1": 10, "c:1": 30}, complaint=complaint, prefix=prefix)
    monkeypatch.setattr(engine, "run", known.run)
    assert engine.image_sizes(["c:1", "a:1", "b:1", "a:1"]) == {"a:1": 10, "b:1": None, "c:1": 30}
    assert known.questions == questions


def test_an_empty_line_is_no_image(monkeypatch: pytest.MonkeyPatch) -> None:
    """So Docker 20.10 answers that knows none of them."""

    def run(argv: Sequence[str], *, timeout: float) -> Finished:
        return Finished(code=1, out="\n", err="".join(map(OLDER.format, argv[5:])))

    monkeypatch.setattr(engine, "run", run)
    assert engine.image_sizes(["a:1", "b:1"]) == {"a:1": None, "b:1": None}


def test_nothing_is_not_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    known = Engine({}, complaint=DOCKER)
    monkeypatch.setattr(engine, "run", known.run)
    assert engine.image_sizes([]) == {}
    assert known.questions == []
