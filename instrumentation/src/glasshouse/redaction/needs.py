"""What a text must hold for a pattern to match it: see `deriving`."""

from dataclasses import dataclass
from typing import Final

COUNTED: Final = ("digits", "colons", "dashes", "dots", "word")
FOLDS_TO_ASCII: Final = ("\u017f".encode(), "\u212a".encode())


@dataclass(frozen=True, order=True)
class Literal:
    """A string that a text holds; ``folded`` is lower-case and compared without case."""

    text: str
    folded: bool


@dataclass(frozen=True, order=True)
class Count:
    """At least so many digits, colons, dashes or dots; or a run of so many letters and digits."""

    kind: str
    least: int


@dataclass(frozen=True)
class Needs:
    """All of ``counts`` hold, and one of ``any_of``, if there are any."""

    counts: tuple[Count, ...] = ()
    any_of: tuple[Literal | Count, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether nearly every text has it: one letter or digit at most."""
        return not self.any_of and all(one == Count("word", 1) for one in self.counts)
