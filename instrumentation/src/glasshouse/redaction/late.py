"""A value that is made at its first use."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Owner = TypeVar("Owner")
Value = TypeVar("Value")


class late_property(Generic[Owner, Value]):  # used as a decorator, like property
    """What `functools.cached_property` is, without the lock that it has in Python 3.11.

    A child that is forked while another thread makes such a value would wait for that lock
    indefinitely. Two threads may make the value twice instead.
    """

    def __init__(self, make: Callable[[Owner], Value]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type[Any], name: str) -> None:
        self._name = name

    def __get__(self, instance: Owner, owner: type[Any] | None = None) -> Value:
        value = self._make(instance)
        vars(instance)[self._name] = value
        return value
