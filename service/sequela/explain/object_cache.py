"""Keeps what was worked out from objects that never change, such as the schema of a model, for later requests."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Generic, TypeVar

Subject = TypeVar("Subject")
Result = TypeVar("Result")

MAX_OBJECTS = 64
"""For how many objects a function keeps its result: about as many models as are in use at a time."""


class Same(Generic[Subject]):
    """A key for an object that is equal to itself only. It holds the object, so that no other one takes its place."""

    __slots__ = ("subject",)

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def __hash__(self) -> int:
        return id(self.subject)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Same) and self.subject is other.subject


def kept_for_object(function: Callable[[Subject], Result]) -> Callable[[Subject], Result]:
    """Makes a function keep its results for the objects that it was called with last. Thread-safe.

    Objects are told apart by identity, since schemas contain mappings and cannot be hashed.
    """

    @functools.lru_cache(MAX_OBJECTS)
    def kept(key: Same[Subject]) -> Result:
        return function(key.subject)

    @functools.wraps(function)
    def found(subject: Subject) -> Result:
        return kept(Same(subject))

    return found
