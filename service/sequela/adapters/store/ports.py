"""The port below the stores: bytes by key, and indexes to list by. Memory and Redis implement it alike."""

from __future__ import annotations

from typing import Protocol

from sequela.errors import Overloaded, Unavailable

RETRY_AFTER = 1.0
"""Seconds after which a caller may try the shared store again."""


class StoreDown(Unavailable):
    """The store can't be reached, or did not answer in time."""

    def __init__(self, detail: str) -> None:
        super().__init__("STORE_DOWN", f"the shared store is down: {detail}", retry_after=RETRY_AFTER)


class StoreFull(Overloaded):
    """An in-process store holds as much as it may of what must not be dropped."""

    def __init__(self, limit: int) -> None:
        super().__init__("STORE_FULL", f"entries that do not expire fill the store's limit of {limit} bytes")


class KeyValue(Protocol):
    """Bytes by key, and indexes. Safe to use from several threads at once; every call may raise StoreDown.

    Keys and index names are text like `explanation:0f3a`, without the namespace, which the store adds itself.
    `ttl` is in seconds; None means that the entry stays until it is deleted, while an entry with a ttl may be
    dropped earlier where room is short. Values may be large: `pieces.ChunkedStore` cuts them up for the network.

    An index is a set of texts in the order of their UTF-8 bytes. Whatever order a list is to have is written
    into its entries (a time that counts down, then the name), so that one call pages through any list, and
    paging is stable while others add and remove. An index forgets nothing by itself but as a whole, `ttl`
    after the last entry was added: who lists it skips entries whose key is gone, and removes them.
    """

    def get(self, key: str) -> bytes | None:
        """The value, or None."""

    def put(self, key: str, value: bytes, ttl: float | None = None) -> None:
        """Sets the value and its time to live, whatever was there."""

    def put_if_absent(self, key: str, value: bytes, ttl: float | None = None) -> bytes:
        """Sets the value unless there is one; returns what stands there afterwards."""

    def delete(self, key: str) -> bool:
        """Forgets a key; whether it was there."""

    def index_add(self, index: str, entry: str, ttl: float | None = None) -> None:
        """Adds an entry; adding it again changes only the ttl."""

    def index_remove(self, index: str, *entries: str) -> None:
        """Removes entries; those that are not there do not matter."""

    def index_page(self, index: str, after: str, limit: int) -> tuple[str, ...]:
        """The first `limit` entries behind `after` in order; an empty `after` starts at the beginning."""

    def index_trim(self, index: str, after: str) -> None:
        """Removes all entries behind `after`."""
