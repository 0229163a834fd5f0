"""Caches what was computed from an object that never changes, such as a schema, as long as the object exists."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import TypeVar

Subject = TypeVar("Subject")
Result = TypeVar("Result")


def kept_for_object(function: Callable[[Subject], Result]) -> Callable[[Subject], Result]:
    """Makes a function keep its result for each object that it is called with. Thread-safe.

    Objects are told apart by identity, since schemas contain mappings and cannot be hashed. A result is dropped
    together with its object, so unloaded models take no memory. The result must not refer to the object.
    """
    kept: dict[int, tuple[weakref.ref[Subject], Result]] = {}

    @functools.wraps(function)
    def found(subject: Subject) -> Result:
        place = id(subject)
        entry = kept.get(place)
        # An earlier object may have had the same id, and its entry may not have been removed yet.
        if entry is not None and entry[0]() is subject:
            return entry[1]
        result = function(subject)
        kept[place] = weakref.ref(subject, functools.partial(_forget, kept, place)), result
        return result

    return found


def _forget(
    kept: dict[int, tuple[weakref.ref[Subject], Result]], place: int, gone: weakref.ref[Subject]
) -> None:
    entry = kept.get(place)
    if entry is not None and entry[0] is gone:
        kept.pop(place, None)
