"""The ports for backends: bytes by key, and ordered sets of strings. Memory and Redis implement both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sequela.errors import Overloaded, Unavailable

RETRY_AFTER_SECONDS = 1.0
"""When a caller should retry after the shared store failed, and how often a store that is down is probed, in seconds.
"""


class StoreDown(Unavailable):
    """The shared store cannot be reached, did not answer in time, or refused the call."""

    def __init__(self, detail: str) -> None:
        text = f"the shared store is not available: {detail}; try again later"
        super().__init__("STORE_DOWN", text, retry_after=RETRY_AFTER_SECONDS)


class StoreFull(Overloaded):
    """The store in the process has no room left for entries that do not expire."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            "STORE_FULL",
            f"entries that do not expire fill the store's limit of {max_bytes} bytes; delete uploaded models or "
            "backgrounds, or ask the operator to raise --memory-bytes or to set --redis-url",
        )


class KeyValue(Protocol):
    """Bytes by key. Safe to call from several threads at once.

    Keys look like `explanation:0f3a`. A backend that is shared with other programs adds a namespace of its own.

    `ttl_seconds` is the time to live. An entry without one stays until it is deleted. An entry with one may be dropped
    earlier when space runs out.

    Raises:
        StoreDown: The store is not available. Every method may raise it.
        StoreFull: An entry without a time to live does not fit. Only `put` and `put_if_absent` raise it.
    """

    def get(self, key: str) -> bytes | None:
        """Returns the value, or None if there is none."""

    def put(self, key: str, value: bytes, ttl_seconds: float | None = None) -> None:
        """Sets the value and its time to live, and replaces what was there."""

    def put_if_absent(self, key: str, value: bytes, ttl_seconds: float | None = None) -> bytes:
        """Sets the value unless the key has one. Returns the value that the key has afterwards."""

    def delete(self, key: str) -> bool:
        """Deletes a key. Returns whether it was there."""


class Index(Protocol):
    """Sets of strings by name, each in the order of its entries' UTF-8 bytes. Safe to call from several threads.


    The wanted order is written into the entries, for example as a number that counts down, followed by a name. So one
    query reads any page of any list, and pages stay stable while others add and remove entries.

    Entries do not expire one by one. A whole set expires `ttl_seconds` after an entry was last added. Readers
    skip entries whose key is gone, and remove them. Every method may raise StoreDown.
    """

    def add(self, name: str, entry: str, ttl_seconds: float | None = None) -> None:
        """Adds an entry. Adding it again only renews the time to live of the set."""

    def remove(self, name: str, *entries: str) -> None:
        """Removes entries. Entries that are not in the set are ignored."""

    def page(self, name: str, after: str, limit: int) -> tuple[str, ...]:
        """Returns the first `limit` entries after `after`. If `after` is empty, the page starts at the beginning."""

    def trim(self, name: str, after: str) -> None:
        """Removes all entries after `after`."""


@dataclass(frozen=True, slots=True)
class Store:
    """A backend: its values by key, and its index."""

    values: KeyValue
    index: Index
