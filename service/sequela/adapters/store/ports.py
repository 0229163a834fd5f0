"""The ports for backends: values by key, ordered sets, explanations, and leases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sequela.errors import Overloaded, Unavailable
from sequela.explain.explanation import Cost
from sequela.explain.explanation_query import Deleted, Filter, Selector
from sequela.explain.explanation_summary import ExplanationSummary

RETRY_AFTER_SECONDS = 1.0
"""When a caller should retry after the store failed, and how often a store that is down is probed, in seconds."""


class StoreDown(Unavailable):
    """The store cannot be reached, did not answer in time, or refused the call."""

    def __init__(self, detail: str) -> None:
        text = f"the store is not available: {detail}; try again later"
        super().__init__("STORE_DOWN", text, retry_after=RETRY_AFTER_SECONDS)


class StoreFull(Overloaded):
    """The store has no room left for entries that do not expire."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            "STORE_FULL",
            f"entries that do not expire fill the store's limit of {max_bytes} bytes; delete uploaded models or "
            "backgrounds, or ask the operator to raise --store-bytes",
        )


class KeyValue(Protocol):
    """Bytes by key. Safe to call from several threads at once.

    Keys look like `model-name:m/1`. A backend that is shared with other programs adds a namespace of its own.

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

    One query reads any page of any set, and pages stay stable while others add and remove entries. An entry that
    another program wrote need not be UTF-8: it is returned with its bytes as surrogate escapes, and such a string is
    also a valid position. Every method may raise StoreDown.
    """

    def add(self, name: str, entry: str) -> None:
        """Adds an entry. Adding it again changes nothing."""

    def remove(self, name: str, *entries: str) -> None:
        """Removes entries. Entries that are not in the set are ignored."""

    def page(self, name: str, after: str, limit: int) -> tuple[str, ...]:
        """Returns the first `limit` entries after `after`. If `after` is empty, the page starts at the beginning."""


@dataclass(frozen=True, slots=True)
class Record:
    """One explanation without its body.

    Attributes:
        summary: What lists show and filters read.
        cost: The cost of the answer.
        body: The digest of the body's content, 64 hexadecimal digits. Several records may share a body.
        accepted: When the request was accepted. A record is not added if a later deletion covers it.
        expires: When the explanation is no longer kept.
    """

    summary: ExplanationSummary
    cost: Cost
    body: str
    accepted: datetime
    expires: datetime


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record with the bytes of its body, which `serialization.decode_body` reads."""

    record: Record
    body: bytes


@dataclass(frozen=True, slots=True)
class Addition:
    """The arguments of `Records.add`, for backends that add several records at once."""

    record: Record
    body: bytes
    answer_key: str | None


@dataclass(frozen=True, slots=True)
class RecordPage:
    """A page of records, newest first. `next_position` is where the next page starts; empty after the last one.

    A page may be shorter than its limit, even empty, and still have a next one: a backend looks at a limited number of
    records for each page.
    """

    records: tuple[Record, ...]
    next_position: str = ""


class Records(Protocol):
    """Explanations, kept until they expire or are deleted. Safe to call from several threads at once.

    Readers never find a record that has expired, that a deletion covers (see `delete`), or whose bytes cannot be read.
    Every method may raise StoreDown.
    """

    def add(self, record: Record, body: bytes, answer_key: str | None) -> None:
        """Stores a record, its body, and the name under `answer_key`, in one step.

        A record of the same name is replaced. Nothing is stored if a deletion covers the record.
        """

    def get(self, name: str) -> StoredRecord | None:
        """Returns the explanation with this name, or None."""

    def answer(self, answer_key: str) -> StoredRecord | None:
        """Returns the explanation that was last added under this key, or None."""

    def page(self, wanted: Filter, after: str, limit: int) -> RecordPage:
        """Returns matching records, newest first; those of the same microsecond are in the order of their names.

        It takes one round trip. Pages stay stable while records are added and deleted.

        Args:
            wanted: Which records.
            after: The `next_position` of the page before; empty for the first page.
            limit: The largest number of records.
        """

    def delete(self, wanted: Selector, until: float) -> Deleted:
        """Deletes the selected records that are in the store, and bodies that no other record uses.

        The deletion is recorded first (as a tombstone, which lives as long as records may), so that no record that was
        accepted before it is added later. Then the bytes are removed in batches. Clocks of several servers differ, so
        whatever is in the store is deleted, regardless of its times, and a shared store adds nothing that was accepted
        up to several seconds after the deletion.

        Args:
            wanted: Which records.
            until: When to leave what remains to a background thread, in seconds on the monotonic clock.
        """


class Leases(Protocol):
    """Locks that expire, for work that only one replica should do at a time. Every method may raise StoreDown."""

    def take(self, key: str, seconds: float) -> str | None:
        """Takes the lease for `seconds`, if nobody holds it. Returns a token for `release`, or None."""

    def renew(self, key: str, token: str, seconds: float) -> bool:
        """Lets the lease hold for `seconds` from now. Returns False if it has expired or was taken."""

    def release(self, key: str, token: str) -> None:
        """Gives the lease back, unless it has expired and somebody else holds it by now."""


@dataclass(frozen=True, slots=True)
class Store:
    """A backend.

    Attributes:
        values: Bytes by key.
        index: Ordered sets of names.
        records: Explanations.
        leases: Locks that replicas share; None if only one process uses the store.
        close: Releases what the store holds open.
    """

    values: KeyValue
    index: Index
    records: Records
    leases: Leases | None
    close: Callable[[], None] = lambda: None
