"""Things that are registered once, under a name."""

from collections.abc import Iterator, Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class UnregisteredError(KeyError):
    """A name that nothing is registered under. The message says where to register it."""

    def __str__(self) -> str:
        # A KeyError shows its message in quotes.
        return str(self.args[0])


class Registry(Mapping[str, T], Generic[T]):
    """A mapping from name to thing, in the order of registration.

    ``kind`` and ``place`` are for the message of `UnregisteredError`: what the things are, and the
    module that registers them.
    """

    def __init__(self, kind: str, place: str) -> None:
        self._kind = kind
        self._place = place
        self._things: dict[str, T] = {}

    def register(self, name: str, thing: T) -> T:
        """Add a thing. Raises ValueError if the name is taken."""
        if name in self._things:
            raise ValueError(f"two {self._kind}s are called {name}: rename one in {self._place}")
        self._things[name] = thing
        return thing

    def require(self, name: str) -> None:
        """Raise UnregisteredError if nothing has this name."""
        _ = self[name]

    def __getitem__(self, name: str) -> T:
        if name in self._things:
            return self._things[name]
        known = ", ".join(self._things) or "none"
        raise UnregisteredError(
            f"no {self._kind} is called {name}: register it in {self._place} (known: {known})"
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)
