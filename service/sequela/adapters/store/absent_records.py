"""Stands for the records of a backend that has none yet."""

# ruff: noqa: ARG002

from __future__ import annotations

from sequela.adapters.store.ports import Record, RecordPage, StoreDown, StoredRecord
from sequela.explain.explanation_query import Deleted, Filter, Selector


class AbsentRecords:
    """Stands for the records until a backend has them."""

    def add(self, record: Record, body: bytes, answer_key: str | None) -> None:
        """See `Records`."""
        raise StoreDown("not there yet")

    def get(self, name: str) -> StoredRecord | None:
        """See `Records`."""
        raise StoreDown("not there yet")

    def answer(self, answer_key: str) -> StoredRecord | None:
        """See `Records`."""
        raise StoreDown("not there yet")

    def page(self, wanted: Filter, after: str, limit: int) -> RecordPage:
        """See `Records`."""
        raise StoreDown("not there yet")

    def delete(self, wanted: Selector, until: float) -> Deleted:
        """See `Records`."""
        raise StoreDown("not there yet")
